/// Measures of predictions, as functions of predictions and truths.
///
/// Their results can be added: the sum over parts of the data is the measure of the whole.
public enum Measures {}

/// A fraction; a sum of ratios has the sum of the parts and the sum of the wholes.
public struct Ratio: Equatable, Sendable {
  public var part: Int
  public var whole: Int

  public init(part: Int, whole: Int) {
    self.part = part
    self.whole = whole
  }

  /// part / whole; 0 if whole is 0.
  public var value: Double { whole == 0 ? 0 : Double(part) / Double(whole) }

  public static func + (a: Ratio, b: Ratio) -> Ratio {
    Ratio(part: a.part + b.part, whole: a.whole + b.whole)
  }
}
