internal import Recurrence

/// The settings of a Mamba-2 that other programs know, whatever their keys for them.
struct Mamba2Settings {
  var width, depth, vocabulary: Int
  /// The width of v, and the number of heads that share it.
  var hidden, heads: Int
  var state, groups, kernel: Int
  var isTied: Bool

  /// ε of all norms, which the cell fixes.
  static let epsilon = 1e-5

  init(
    width: Int, depth: Int, vocabulary: Int, hidden: Int, heads: Int, state: Int, groups: Int,
    kernel: Int, isTied: Bool
  ) {
    (self.width, self.depth, self.vocabulary) = (width, depth, vocabulary)
    (self.hidden, self.heads) = (hidden, heads)
    (self.state, self.groups, self.kernel) = (state, groups, kernel)
    self.isTied = isTied
  }

  /// - Parameter model: A model of blocks of `mamba2`, whose first block tells the settings.
  init(_ model: ForeignModel) {
    guard let cell = model.block(0).mixer.options as? Mamba2.Options else {
      preconditionFailure("blocks of another cell than mamba2")
    }
    self.init(
      width: model.width, depth: model.depth, vocabulary: model.vocabulary, hidden: cell.hidden,
      heads: cell.memories, state: cell.state, groups: cell.groups, kernel: cell.kernel,
      isTied: model.options.tied)
  }

  /// The reason why no model has these settings; nil if there is one.
  var problem: String? {
    if !hidden.isMultiple(of: heads) { return "\(heads) heads for an inner width of \(hidden)" }
    return heads.isMultiple(of: groups) ? nil : "\(groups) groups for \(heads) heads"
  }

  /// The model of these settings, which have no `problem`.
  var model: ForeignModel {
    var options = SequenceModelOptions.preset("mamba2", width: width, depth: depth)!
    let bare = Mamba2.Options(hidden: hidden, state: state, groups: groups, kernel: kernel)
    var cell = bare
    if bare.memories != heads { cell.heads = heads }
    options.changeBlocks { $1.mixer.options = cell }
    options.tied = isTied
    return ForeignModel(options, vocabulary: vocabulary)
  }

  /// Returns the options with the number of heads left out where it is the usual one.
  static func canonical(_ options: SequenceModelOptions) -> SequenceModelOptions {
    var options = options
    options.changeBlocks { _, block in
      guard var cell = block.mixer.options as? Mamba2.Options else { return }
      let heads = cell.memories
      cell.heads = nil
      if cell.memories != heads { cell.heads = heads }
      block.mixer.options = cell
    }
    return options
  }

  /// Models of one group and of two, of other numbers of heads than the usual one, tied and not.
  static var samples: [ForeignModel] {
    [
      Mamba2Settings(
        width: 6, depth: 2, vocabulary: 11, hidden: 12, heads: 3, state: 5, groups: 1, kernel: 4,
        isTied: true),
      Mamba2Settings(
        width: 10, depth: 3, vocabulary: 7, hidden: 20, heads: 4, state: 3, groups: 2, kernel: 3,
        isTied: false),
      Mamba2Settings(
        width: 8, depth: 1, vocabulary: 5, hidden: 16, heads: 1, state: 128, groups: 1, kernel: 4,
        isTied: true),
    ].map(\.model)
  }
}
