package import Formats
internal import Foundation
package import Recurrence
package import Sequences

extension TaskSignature.Output {
  /// The name of the head that predicts this output.
  package var head: String {
    switch self {
    case .symbols: "softmax"
    case .numbers: "squared error"
    case .labels: "logistic"
    }
  }
}

extension ModelOptions {
  /// Returns the model in one line: `embedding 200 → lstm 200, dropout 0.2 → gru 160 → softmax,
  /// tied`.
  package func words(predicting outputs: TaskSignature.Output) -> String {
    switch self {
    case .sequence(let options): options.words(predicting: outputs)
    case .tree(let options): options.words(predicting: outputs)
    }
  }
}

extension TreeModelOptions {
  fileprivate func words(predicting outputs: TaskSignature.Output) -> String {
    [
      "embedding \(cell.embedding)" + dropped(dropoutOfInput),
      "tree \(cell.name) \(cell.hidden)" + dropped(dropout),
      outputs.head + (output.hasBias ? "" : ", no bias"),
    ].joined(separator: " → ")
  }
}

private func dropped(_ rate: Double) -> String { rate > 0 ? ", dropout \(rate)" : "" }

extension SequenceModelOptions {
  /// Returns the model in one line.
  package func words(predicting outputs: TaskSignature.Output) -> String {
    let ends =
      switch end {
      case .symbol: ""
      case .halt: ", halting"
      case .length(let input, _): ", length predicted and read (\(input.rawValue))"
      }
    let head =
      output.kind.words + outputs.head + (shortcut ? " with shortcut" : "") + (tied ? ", tied" : "")
      + (output.hasBias || output.kind.isAdaptive ? "" : ", no bias")
      + (output.softCap.map { ", soft cap \($0)" } ?? "") + ends
    guard let encoder else { return (stackWords + [head]).joined(separator: " → ") }
    var looks = ""
    var attending: [String] = []
    if let attention = encoder.attention {
      switch attention.place {
      case .input: looks = ", input attention (\(attention.kind.rawValue))"
      case .output: attending = ["attention \(attention.kind.rawValue)" + dropped(dropout)]
      }
    }
    return "source: " + encoderOptions(encoder).stackWords.joined(separator: " → ")
      + "; context \(encoder.context.rawValue)\(looks): "
      + (stackWords + attending + [head]).joined(separator: " → ")
  }

  /// The input and the layers.
  private var stackWords: [String] {
    [
      (embedding.map { "embedding \($0)" } ?? "input") + (embeddingScale.map(words) ?? "")
        + dropped(dropoutOfInput)
    ] + layers.map(words) + (finalNorm.map { [$0.kind.rawValue] } ?? [])
  }

  private func words(_ scale: EmbeddingScale) -> String {
    switch scale {
    case .factor(let factor): " times \(factor)"
    case .squareRoot: " times √width"
    }
  }

  private func words(_ layer: LayerOptions) -> String {
    let kind =
      switch layer.kind {
      case .linear(let width): "linear \(width)"
      case .recurrent(let cell, let options): "\(cell) \(options.hidden)" + details(options)
      case .block(let block): "block (" + words(block) + ")"
      case .convolution(let options): "convolution over \(options.kernel) steps"
      case .tokenShift: "token shift"
      }
    return kind + layer.surroundings.words
      + (layer.bidirectional.map { ", bidirectional \($0.rawValue)" } ?? "")
      + (layer.residual ? ", residual" : "") + (layer.frozen ? ", frozen" : "")
      + dropped(layer.dropout ?? dropout)
  }

  private func words(_ block: BlockOptions) -> String {
    let mixer = block.mixer
    return block.norm.kind.rawValue + ", "
      + (mixer.inProjection.map { "projection to \($0), " } ?? "")
      + (mixer.convolution.map { "convolution over \($0.kernel) steps, " } ?? "")
      + "\(mixer.cell) \(mixer.options.hidden)" + details(mixer.options)
      + (mixer.gate.map { ", gate \($0.rawValue)" } ?? "")
      + (block.mlp.map { "; mlp \($0.kind.rawValue)" } ?? "")
  }

  /// Returns the options of a cell, besides its width, that differ from the defaults.
  private func details(_ options: any CellOptions) -> String {
    guard case .object(let members)? = try? JSONValue(encoding: options),
      case .object(let defaults)? = defaultOptions(like: options, hidden: options.hidden)
    else { return "" }
    return members.filter { defaults[$0.key] != $0.value }
      .sorted { $0.key < $1.key }
      .map { ", \($0.key) \($0.value.plain)" }.joined()
  }
}

extension OutputOptions.Kind {
  fileprivate var isAdaptive: Bool { if case .adaptive = self { true } else { false } }

  /// The words before the name of a softmax.
  fileprivate var words: String {
    switch self {
    case .full: ""
    case .adaptive(let options):
      "adaptive "
        + (options.cutoffs.map { "(" + $0.map(String.init).joined(separator: ", ") + ") " } ?? "")
    case .sampled(let count): "sampled (\(count)) "
    }
  }
}

extension RecurrentLayerOptions {
  fileprivate var words: String {
    (feedback.map { ", feeding back \($0.width) (\($0.nonlinearity.rawValue))" } ?? "")
      + (feedsTargets ? ", feeding back the target" : "")
      + (initialState == .zero ? "" : ", initial state \(initialState.rawValue)")
      + (zoneout > 0 ? ", zoneout \(zoneout)" : "")
  }
}

/// Returns the options of a cell of which only the width is given, in their written form.
func defaultOptions<Options: CellOptions>(like options: Options, hidden: Int) -> JSONValue? {
  defaultOptions(Options.self, hidden: hidden)
}

/// Returns the options of a cell of which only the width is given, in their written form.
package func defaultOptions<Options: CellOptions>(_ type: Options.Type, hidden: Int) -> JSONValue? {
  let given = JSONValue.object(["hidden": .integer(hidden)])
  guard let options = try? given.decode(type) else { return nil }
  return try? JSONValue(encoding: options)
}

extension JSONValue {
  /// The value as a configuration writes it.
  package var plain: String {
    switch self {
    case .string(let text): text
    case .integer(let value): String(value)
    case .unsigned(let value): String(value)
    case .number(let value): String(value)
    case .bool(let value): String(value)
    case .null: "null"
    case .array, .object:
      (try? JSONValue.encoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
  }
}
