/// The section `report`: what a run writes for other programs that show it.
public struct ReportOptions: Codable, Equatable, Sendable {
  /// True to write event files that TensorBoard reads.
  public var tensorboard = true

  enum CodingKeys: String, CodingKey { case tensorboard }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    tensorboard = try container.decode(.tensorboard, default: tensorboard)
  }
}
