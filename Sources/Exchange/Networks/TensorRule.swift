/// A tensor of another program's file, and its relation to the parameters here. Export and import read the same rule.
public struct TensorRule: Sendable {
  public enum Presence: Sendable {
    /// A tensor that every file has.
    case required
    /// A tensor whose numbers a file has under another name too, such as the second name of a tied matrix. It
    /// may be missing in a file, and must be the same if it is there.
    case repeated(isWritten: Bool)
    /// A tensor that is written because a reader expects it, and whose numbers nothing uses.
    case unused
    /// A tensor that is not written, and may be there.
    case ignored

    /// True if every file has the tensor, and its numbers are read.
    package var isRequired: Bool {
      if case .required = self { true } else { false }
    }
  }

  /// True if a file that is written has the tensor.
  var isWritten: Bool {
    switch presence {
    case .required, .unused, .repeated(isWritten: true): true
    case .ignored, .repeated(isWritten: false): false
    }
  }

  /// The name in the file.
  public let name: String
  public let form: TensorForm
  public let presence: Presence

  public init(_ name: String, _ form: TensorForm, _ presence: Presence = .required) {
    self.name = name
    self.form = form
    self.presence = presence
  }

  /// Makes the rule of a parameter that is the same there.
  public init(_ name: String, _ parameter: String, _ presence: Presence = .required) {
    self.init(name, .parameter(parameter), presence)
  }
}
