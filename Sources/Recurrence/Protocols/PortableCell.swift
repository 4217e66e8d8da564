/// A cell whose weights other programs hold too, and in which form.
///
/// A checkpoint has the names, shapes and order of gates of PyTorch's modules: `weight_ih` (W), `weight_hh`
/// (U), `bias_ih` (b) and `bias_hh` (b′). Rows of U that read another vector than h₋ may be a matrix of their
/// own, `weight_hn`. A cell with these names that adopts this protocol can also be exported and imported with
/// both matrices joined to one, M = [W | U]. `unroll export` and `unroll import` ask the cell, and know no
/// cell by its name.
public protocol PortableCell: RecurrentCell {
  /// The PyTorch module with these equations, tensors and order of gates; nil if there is none.
  static var pytorchModule: String? { get }

  /// Returns why the PyTorch module cannot hold these options, to complete "layer 1 …"; nil if it can.
  static func moduleObstacle(_ options: Options) -> String?

  /// Returns why W and U of these options cannot be joined, to complete "layer 1 …"; nil if they can.
  static func joiningObstacle(_ options: Options) -> String?

  /// The index of the update gate z among the blocks of `hidden` rows, where h = (1 − z) ∘ n + z ∘ h₋; nil
  /// if the cell has none. Programs with 1 − z in the place of z hold its rows with the opposite sign.
  static var updateGate: Int? { get }

  /// True if the last block is a candidate tanh(Wₙ x + bₙ + r ∘ (Uₙ h₋ + b′ₙ)). b′ₙ is then not a part of
  /// the joined bias but a vector of its own, `bias_hn`.
  static var keepsCandidateBias: Bool { get }
}

extension PortableCell {
  public static var pytorchModule: String? { nil }
  public static func moduleObstacle(_ options: Options) -> String? { nil }
  public static func joiningObstacle(_ options: Options) -> String? { nil }
  public static var updateGate: Int? { nil }
  public static var keepsCandidateBias: Bool { false }
}
