import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Compares inputs that are numbers with inputs through an embedding: with the embedding's own rows as
/// numbers, a model is the same.
@Suite struct `Vectors in place of embeddings` {
  private static let gru = LayerOptions(`Models of sequences`.gru(5))
  private static let symbols = TaskSignature.Input.symbols(SequenceTrial.symbols)

  /// Gives one model the weights of another, where they have the same names.
  private func share(_ trial: SequenceTrial, with other: SequenceTrial) {
    other.weights.update { weights in
      for entry in weights.layout.entries {
        guard let twin = trial.weights.layout.entry(named: entry.name) else { continue }
        for k in 0..<entry.count {
          weights.elements(of: entry)[k] = trial.weights.elements(of: twin)[k]
        }
      }
    }
  }

  /// The same loss and the same derivatives of all that both models have.
  private func expectSame(_ a: SequenceTrial, _ b: SequenceTrial) {
    let (loss, other) = (a.run(), b.run())
    #expect(abs(loss - other) < 1e-5 * loss, "\(loss) and \(other)")
    for entry in b.gradient.layout.entries {
      let twin = a.gradient.layout.entry(named: entry.name)!
      for (x, y) in zip(b.gradient.elements(of: entry), a.gradient.elements(of: twin)) {
        #expect(abs(x - y) < 1e-5, "\(entry.name)")
      }
    }
  }

  @Test(arguments: [nil, AttentionKind.additive, .multiplicative])
  func `an encoder reads frames as it reads vectors of symbols`(attention: AttentionKind?) throws {
    var both = Self.gru
    both.bidirectional = .concat
    func trial(_ embedding: Int?, _ source: Int, _ frames: Int) -> SequenceTrial {
      SequenceTrial(
        SequenceModel(
          SequenceModelOptions(
            embedding: 3, layers: [Self.gru],
            encoder: EncoderOptions(
              embedding: embedding, layers: [both], context: .both,
              attention: attention.map { AttentionOptions($0) })),
          interface: TaskSignature(
            input: Self.symbols, output: .symbols(SequenceTrial.symbols),
            source: source, sourceFrames: frames), seed: 1))
    }
    let (embedded, framed) = (trial(4, 6, 0), trial(nil, 0, 4))
    share(embedded, with: framed)
    // Both draw other data from what the source takes.
    for (to, from) in [
      (framed.batch.inputs, embedded.batch.inputs), (framed.batch.targets, embedded.batch.targets),
    ] {
      for i in 0..<framed.batch.rows { to.elements()[i] = from.elements()[i] }
    }
    let table = try #require(
      embedded.weights.layout.entry(named: "source.encoder.weight")
        ?? embedded.weights.layout.entries.first { $0.shape == [6, 4] })
    let (source, numbers) = (embedded.batch.source!, framed.batch.source!)
    for row in 0..<source.rows {
      let symbol = Int(source.inputs.elements()[row])
      for j in 0..<4 {
        numbers.featureRows[row, j] = embedded.weights.elements(of: table)[symbol * 4 + j]
      }
    }
    expectSame(embedded, framed)
  }

  @Test(arguments: ConditionPlace.allCases)
  func `a class is the vector of its row`(place: ConditionPlace) throws {
    func trial(_ interface: TaskSignature, _ embedding: Int?) -> SequenceTrial {
      SequenceTrial(
        SequenceModel(
          SequenceModelOptions(
            embedding: 3, layers: [Self.gru], condition: place, conditionEmbedding: embedding),
          interface: interface, seed: 1))
    }
    let output = TaskSignature.Output.symbols(SequenceTrial.symbols)
    let classes = trial(
      TaskSignature(input: Self.symbols, output: output, condition: 2, classes: [3, 4]), 3)
    let numbers = trial(TaskSignature(input: Self.symbols, output: output, condition: 8), nil)
    let single = trial(
      TaskSignature(input: Self.symbols, output: output, condition: 2, classes: [3, 4]), nil)
    let ones = trial(TaskSignature(input: Self.symbols, output: output, condition: 9), nil)
    share(classes, with: numbers)
    share(single, with: ones)
    for (known, told) in [(classes, numbers), (single, ones)] {
      for (to, from) in [
        (told.batch.inputs, known.batch.inputs), (told.batch.targets, known.batch.targets),
      ] {
        for i in 0..<told.batch.rows { to.elements()[i] = from.elements()[i] }
      }
      for s in 0..<SequenceTrial.streams {
        var row: [Real] = []
        for (number, count) in [3, 4].enumerated() {
          let chosen = Int(known.batch.classes.elements()[s * 2 + number])
          if let table = known.weights.layout.entry(named: "condition.\(number).weight") {
            row += known.weights.elements(of: table)[chosen * 3..<(chosen + 1) * 3]
          } else {
            row += (0..<count).map { $0 == chosen ? 1 : 0 }
          }
        }
        row += (0..<2).map { known.batch.conditionRows[s, $0] }
        for (j, number) in row.enumerated() { told.batch.conditionRows[s, j] = number }
      }
      expectSame(known, told)
    }
  }

  @Test func `say which parts do not fit the data`() {
    let plain = TaskSignature(input: Self.symbols, output: .symbols(7))
    var options = SequenceModelOptions(embedding: 3, layers: [Self.gru], conditionEmbedding: 4)
    #expect(options.incompatibility(with: plain)?.contains("model.condition_embedding") == true)
    var known = plain
    known.classes = [3]
    #expect(options.incompatibility(with: known) == nil)
    options = SequenceModelOptions(
      embedding: 3, layers: [Self.gru], encoder: EncoderOptions(embedding: 4, layers: [Self.gru]))
    var framed = plain
    framed.sourceFrames = 4
    #expect(options.incompatibility(with: framed)?.contains("model.encoder.embedding") == true)
    options.encoder?.embedding = nil
    #expect(options.incompatibility(with: framed) == nil)
    #expect(options.incompatibility(with: plain)?.contains("no source") == true)
  }
}
