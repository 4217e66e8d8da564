internal import Glibc
public import LinearAlgebra
internal import Sequences

/// Samples symbols from a language model one at a time, with carried state (ancestral sampling).
public final class Generator {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let tape: Tape
  private let batch: Batch
  private let random: Philox
  private var drawn: UInt64 = 0
  /// The pass of the step that was read last; nil before the first.
  private var pass: Pass?
  /// The sampling of the number of symbols, for models with length prediction.
  private var lengths = Sampling()
  /// The profile that records the time of forward passes and sampling.
  package var profile: Profile? {
    get { tape.profile }
    set { tape.profile = newValue }
  }

  /// - Parameter seed: The same seed, prompt and options give the same text.
  public init(_ model: SequenceModel, weights: ParameterVector, seed: UInt64) {
    precondition(
      model.interface.encoded == nil, "sampling from a model with an encoder: use SequenceDecoder")
    self.model = model
    self.weights = weights
    batch = Batch(
      rows: 1,
      widths: Batch.Widths(
        condition: model.interface.condition, classes: model.interface.classes.count))
    tape = Tape(model.plan, steps: 1, streams: 1, derivatives: false)
    random = Philox(seed: seed, name: "generate")
    batch.begin(steps: 1, streams: 1)
    batch.targets.start[0] = Batch.noTarget
  }

  /// Clears the state: a new sequence begins.
  /// - Parameters:
  ///   - condition: The numbers of the sequence's condition, for a conditioned model.
  ///   - classes: The classes of the sequence's condition, for a conditioned model.
  ///   - least: The fewest symbols that the sequence may have, for models with length prediction:
  ///     the length of a prompt.
  ///   - temperature: The temperature for sampling the length; 0 takes the likeliest length.
  public func restart(
    condition: [Real] = [], classes: [Int32] = [], atLeast least: Int = 0,
    temperature: Double = 1
  ) {
    precondition(
      least <= model.predictedLength?.longest ?? .max,
      "at least \(least) symbols, more than the model can predict")
    lengths = Sampling(temperature: temperature, excluded: Set((0..<least).map { Int32($0) }))
    batch.know(condition, classes: classes, of: 0, model.interface)
    tape.clearCarried()
    batch.position = 0
    pass = nil
  }

  /// Reads one symbol: the next one of a prompt, or the last sampled one.
  public func read(_ symbol: Int32) {
    if pass != nil {
      tape.carryStates()
      tape.states.note(target: symbol, of: 0)
      batch.position += 1
    }
    batch.inputs.start[0] = symbol
    let pass = tape.begin(batch, weights: weights)
    if self.pass == nil { expectLength(pass) }
    model.read(pass)
    self.pass = pass
  }

  /// Samples the number of symbols, for models with length prediction.
  private func expectLength(_ pass: Pass) {
    guard let length = model.predictedLength else { return }
    model.encode(pass)
    length.draw(lengths, random, &drawn, pass)
  }

  /// The logits of the next symbol, valid until the next call; nil before the first symbol was
  /// read.
  package var logits: Row? {
    pass.map { model.outputs(at: 0, $0)[0] }
  }

  /// Samples the next symbol and reads it.
  /// - Returns: The symbol; nil if `sampling` excludes every symbol.
  public func next(_ sampling: Sampling = Sampling()) -> Int32? {
    guard let pass else { preconditionFailure("sampling before anything was read") }
    let logits = model.outputs(at: 0, pass, likeliest: sampling.likeliest)
    profile?.mark(.output)
    defer { drawn += 1 }
    guard let symbol = sampling.draw(logits[0], random.fineUniform(drawn)) else { return nil }
    profile?.mark(.sampling)
    read(symbol)
    return symbol
  }
}
