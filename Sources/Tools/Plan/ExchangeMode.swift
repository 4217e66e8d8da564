package import Configuration

/// A way to exchange gradients that a plan compares, as a section `communication` to paste.
package struct ExchangeMode: Sendable {
  package let name: String
  /// The section as YAML, which `options` were decoded from.
  package let yaml: String
  package let options: CommunicationOptions
  /// True if every rank gets the sum in single precision at every step.
  package let isExact: Bool

  init(_ name: String, _ yaml: String, isExact: Bool = false) throws {
    struct File: Decodable { var communication: CommunicationOptions }
    (self.name, self.isExact) = (name, isExact)
    self.yaml = "communication: \(yaml)\n"
    options = try Configuration(yaml: self.yaml, file: "the mode \(name)").decode(File.self)
      .communication
  }

  /// The modes, the exact ones first.
  package static func all() throws -> [ExchangeMode] {
    try [
      ExchangeMode("default", "{overlap: auto}", isExact: true),
      ExchangeMode("overlap: false", "{overlap: false}", isExact: true),
      ExchangeMode("node: separate", "{node: separate}", isExact: true),
      ExchangeMode("wire: bfloat16", "{wire: bfloat16}"),
      ExchangeMode("powersgd 4", "{compression: {powersgd: {rank: 4}}}"),
      ExchangeMode("top_k 0.001", "{compression: {top_k: {share: 0.001}}}"),
      ExchangeMode("one_bit", "{compression: one_bit}"),
      ExchangeMode("outer 50", "{outer: {every: 50}}"),
      ExchangeMode("outer 50 bfloat16", "{wire: bfloat16, outer: {every: 50}}"),
      ExchangeMode(
        "outer 50 bfloat16 overlap 10", "{wire: bfloat16, outer: {every: 50, overlap: 10}}"),
    ]
  }
}
