/// Measures of what a model predicts, as functions of predictions and truths alone.
///
/// What they return can be added up: the sum over parts of the data is the measure of all of it.
public enum Measures {}

/// A part of a whole; a sum of ratios has the sum of the parts and that of the wholes.
public struct Ratio: Equatable, Sendable {
  public var part: Int
  public var whole: Int

  public init(part: Int, whole: Int) {
    self.part = part
    self.whole = whole
  }

  /// part / whole; 0 of nothing.
  public var value: Double { whole == 0 ? 0 : Double(part) / Double(whole) }

  public static func + (a: Ratio, b: Ratio) -> Ratio {
    Ratio(part: a.part + b.part, whole: a.whole + b.whole)
  }
}
