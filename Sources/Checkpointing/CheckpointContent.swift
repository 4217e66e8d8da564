internal import Configuration
package import Datasets
internal import Formats
internal import Foundation
internal import Optimization
internal import Recurrence
internal import Sequences

/// The decoded parts of a checkpoint that belong to other modules. Before they are used, they are
/// checked: each number is plausible for a run, the parts agree with each other, and the tensors
/// are those of the model. Checks that need the data are made by the run that resumes.
package struct CheckpointContent: Sendable {
  /// The position at which the run stands.
  package struct Progress {
    package let coordinator: CoordinatorState
    package let cursor: StreamCursor
    package let counters: Snapshot.Counters
  }

  package let progress: Progress
  let options: RunOptions
  let interface: TaskSignature
  let vocabularies: Dataset.Vocabularies

  /// - Throws: `FileError` with the first thing that is wrong.
  init(of state: CheckpointState, in path: String) throws(FileError) {
    let reader = CheckpointReader(state: state, path: path)
    progress = try reader.progress()
    options = try reader.options()
    vocabularies = try reader.vocabularies()
    interface = try reader.interface(vocabularies, options)
    // A plan allocates nothing, whatever its widths are.
    let model = options.model.makeModel(
      interface, seed: options.seed, objective: options.training.objective)
    try reader.checkTensors(of: model, progress, options)
  }
}

/// Reads the parts of one checkpoint.
private struct CheckpointReader {
  let state: CheckpointState
  let path: String

  /// Makes an error that says what is wrong with the state.
  func refuse(_ what: String) -> FileError {
    let file = path + "/" + Checkpoint.stateFile
    return FileError(.damaged, file, "\(file) says that \(what): use another checkpoint")
  }

  private func decode<Value: Decodable>(
    _ json: JSONValue, _ name: String
  ) throws(FileError) -> Value {
    do {
      return try json.decode()
    } catch {
      let file = path + "/" + Checkpoint.stateFile
      throw FileError(
        .damaged, file,
        "\(file) is not the state of a checkpoint, \(complaint(error, in: name)): use another "
          + "checkpoint"
      )
    }
  }

  func progress() throws(FileError) -> CheckpointContent.Progress {
    let coordinator: CoordinatorState = try decode(state.schedule, "schedule")
    let cursor: StreamCursor = try decode(state.streams, "streams")
    let counters: Snapshot.Counters = try decode(state.random, "random")
    let plateau: Plateau = try decode(state.plateau, "plateau")
    let earlyStop: EarlyStopping = try decode(state.earlyStop, "early_stop")
    if let sentence = coordinator.incompatibility { throw refuse(sentence) }
    let steps = 0...coordinator.step
    let totals = 0...largestTotal
    let ranges: [(String, Int, ClosedRange<Int>)] = [
      ("streams.position", cursor.position, totals),
      ("random.optimizer", counters.optimizer, steps),
      ("random.average", counters.average, steps),
      ("random.kept", counters.kept ?? 0, 0...largestCount),
      ("world_size", state.worldSize, 1...largestCount),
      ("batch_size", state.batchSize, 1...largestCount),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw refuse("\(name) is \(value)")
    }
    let numbers = counters.numbers ?? []
    guard numbers.allSatisfy({ $0 >= 0 && $0.isFinite }), numbers.count <= 16 else {
      throw refuse("random.numbers is \(numbers)")
    }
    // Values that are stored in two places.
    let same = [
      ("step", state.step == coordinator.step),
      ("epoch", state.epoch == coordinator.epoch && cursor.epoch == coordinator.epoch),
      ("tokens", state.tokens == coordinator.tokens),
      ("plateau", plateau == coordinator.plateau),
      ("early_stop", earlyStop == coordinator.earlyStopping),
      ("best_loss", state.bestLoss == coordinator.earlyStopping.best),
    ]
    if let other = same.first(where: { !$0.1 }) {
      throw refuse("\(other.0) differs from its value in schedule or streams")
    }
    return CheckpointContent.Progress(
      coordinator: coordinator, cursor: cursor, counters: counters)
  }

  func options() throws(FileError) -> RunOptions {
    let options: RunOptions
    do {
      options = try state.configuration.decode()
    } catch {
      throw FileError(
        .damaged, path,
        "\(path) has a configuration that this version cannot read, \(complaint(error)): use the "
          + "version of unroll that wrote it (\(state.software))")
    }
    guard state.seed == options.seed, state.batchSize == options.training.batchSize else {
      throw refuse("seed and batch_size are not those of its configuration")
    }
    return options
  }

  func vocabularies() throws(FileError) -> Dataset.Vocabularies {
    func vocabulary(_ file: String) throws(FileError) -> Vocabulary? {
      guard state.files.contains(where: { $0.name == file }) else { return nil }
      let data = Data(try readFile(path + "/" + file))
      do {
        return try JSONDecoder().decode(Vocabulary.self, from: data)
      } catch {
        throw FileError(
          .damaged, path + "/" + file,
          "\(path)/\(file) is not a vocabulary, \(complaint(error)): use another checkpoint")
      }
    }
    guard let inputs = try vocabulary(CheckpointFile.Name.vocabulary) else {
      throw refuse("there is no \(CheckpointFile.Name.vocabulary)")
    }
    if state.hashes.vocabulary != hexadecimal(inputs.hash) {
      throw refuse(
        "the hash of the vocabulary differs from that of \(CheckpointFile.Name.vocabulary)")
    }
    return Dataset.Vocabularies(
      inputs: inputs, outputs: try vocabulary(CheckpointFile.Name.outputs) ?? inputs,
      source: try vocabulary(CheckpointFile.Name.source), conditions: try conditions())
  }

  /// Returns the parts of conditions; nil if the run's data has none.
  private func conditions() throws(FileError) -> ConditionFields? {
    let file = CheckpointFile.Name.conditions
    guard state.files.contains(where: { $0.name == file }) else { return nil }
    let data = Data(try readFile(path + "/" + file))
    do {
      return try JSONDecoder().decode(ConditionFields.self, from: data)
    } catch {
      throw FileError(
        .damaged, path + "/" + file,
        "\(path)/\(file) does not describe conditions, \(complaint(error)): use another "
          + "checkpoint")
    }
  }

  /// Returns the inputs and outputs of the model, which must fit the vocabularies.
  func interface(
    _ vocabularies: Dataset.Vocabularies, _ options: RunOptions
  ) throws(FileError) -> TaskSignature {
    let inputs = vocabularies.inputs.count
    let interface = state.interface ?? TaskSignature(vocabulary: inputs)
    let outputs = vocabularies.outputs?.count ?? inputs
    let widths = 1...1 << 24
    let input =
      switch interface.input {
      case .symbols(let count): count == inputs && count > 0
      case .frames(let width): widths.contains(width)
      case .nothing: true
      }
    let output =
      switch interface.output {
      case .symbols(let count): count == outputs && count > 0
      case .numbers(let width), .labels(let width): widths.contains(width)
      }
    let ends = interface.ends
    let symbols: Range<Int>? =
      if case .symbols(let count) = interface.output, count > 0 { 0..<count } else { nil }
    let known = vocabularies.conditions
    let parts = [
      ("input", input), ("output", output),
      ("source", interface.source == vocabularies.source?.count ?? 0),
      ("sourceFrames", interface.sourceFrames == 0 || widths.contains(interface.sourceFrames)),
      ("sourceFrames", interface.sourceFrames == 0 || interface.source == 0),
      ("condition", interface.condition == 0 || widths.contains(interface.condition)),
      ("classes", known?.classes.map(\.symbols.count) ?? [] == interface.classes),
      ("classes", interface.classes.allSatisfy { widths.contains($0) }),
      ("condition", known.map { $0.numbers == interface.condition } ?? true),
      ("ends.symbol", ends?.symbol.map { symbols?.contains($0) == true } ?? true),
      ("ends.longest", (0...largestCount).contains(ends?.longest ?? 0)),
    ]
    if let wrong = parts.first(where: { !$0.1 }) {
      throw refuse(
        "interface.\(wrong.0) does not fit the vocabularies in its folder")
    }
    guard interface.fits(options.data, vocabularies) else {
      throw refuse("its interface does not match its data")
    }
    if let sentence = options.model.incompatibility(with: interface) {
      throw refuse("its model is for other data (\(sentence))")
    }
    return interface
  }

  /// Compares names and shapes in all files of tensors with those of the model.
  func checkTensors(
    of model: any Model, _ progress: CheckpointContent.Progress, _ options: RunOptions
  ) throws(FileError) {
    let layout = ParameterLayout(model.plan)
    func file(_ name: String) throws(FileError) -> SafetensorsFile {
      try SafetensorsFile(path + "/" + name)
    }
    try file(CheckpointFile.Name.model).places(of: [("", layout)])
    let isAveraged = state.files.contains { $0.name == CheckpointFile.Name.average }
    guard isAveraged == options.training.isAveraged else {
      throw refuse(
        isAveraged
          ? "it has averaged weights, but its configuration has no training.average"
          : "it has no averaged weights, but its configuration has training.average")
    }
    if isAveraged { try file(CheckpointFile.Name.average).places(of: [("", layout)]) }
    // Each moment of an optimizer, and each tensor of a reducer, is as long as the weights; its names have
    // a prefix before theirs.
    func checkVectors(_ name: String) throws(FileError) {
      let vectors = try file(name)
      let names = Set(vectors.tensors.map { String($0.name.prefix { $0 != "." }) + "." })
      try vectors.places(of: names.map { ($0, layout) })
    }
    try checkVectors(CheckpointFile.Name.optimizer)
    if state.files.contains(where: { $0.name == CheckpointFile.Name.reducer }) {
      try checkVectors(CheckpointFile.Name.reducer)
    }
    try checkStates(in: file(CheckpointFile.Name.hidden), of: model, progress)
  }

  private func checkStates(
    in file: SafetensorsFile, of model: any Model, _ progress: CheckpointContent.Progress
  ) throws(FileError) {
    let streams = file.tensors.first?.shape.first ?? 0
    let kept = progress.counters.kept ?? 0
    guard !model.interface.isRunning || model.plan.states.isEmpty || streams == state.batchSize
    else { throw refuse("there are \(state.batchSize) streams, and \(file.path) has \(streams)") }
    guard kept == 0 || progress.counters.keptLayout == model.plan.keptLayout else {
      throw refuse("random.keptLayout is not that of its model")
    }
    guard streams > 0 else { return }
    for tensor in OverlappingWindows.streamTensors(model.plan, keptSteps: kept) {
      _ = try tensor.read(from: file, of: model, streams: streams)
    }
  }
}

/// An upper limit for counters of a run, small enough that such numbers and sums of a few are exact
/// in a Double.
package let largestTotal = 1 << 53

extension CoordinatorState {
  /// The first value that is impossible in any run; nil if all are possible.
  var incompatibility: String? {
    let totals = 0...largestTotal
    let steps = 0...max(step, 0)
    let ranges: [(String, Int, ClosedRange<Int>)] = [
      ("step", step, totals), ("stepsPerEpoch", stepsPerEpoch ?? 1, 1...largestTotal),
      ("recount.runStep", recount?.runStep ?? 0, totals),
      ("recount.scheduleStep", recount?.scheduleStep ?? 0, totals),
      ("recount.surplus", recount?.surplus ?? 0, -largestTotal...largestTotal),
      ("window.updates", window?.updates ?? 2, 2...largestTotal),
      ("window.done", window?.done ?? 1, 1...max((window?.updates ?? 2) - 1, 1)),
      ("epoch", epoch, 1...largestTotal), ("tokens", tokens, totals),
      ("skipped", skipped, steps), ("rollbacks", rollbacks ?? 0, steps),
      ("rollbackStep", rollbackStep ?? 0, steps),
      ("losses.count", losses?.count ?? 0, steps), ("evaluatedAt", evaluatedAt, steps),
      ("bestStep", bestStep ?? 0, steps),
      ("openEvaluation", openEvaluation ?? 1, 1...max(epoch, 1)),
      ("openSample", openSample ?? 1, 1...max(epoch, 1)),
      ("plateau.bad_evaluations", plateau.badEvaluations, steps),
      ("earlyStopping.bad_evaluations", earlyStopping.badEvaluations, steps),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      return "schedule.\(name) is \(value)"
    }
    if let bytes = bytesPerTarget, !(bytes > 0 && bytes.isFinite) {
      return "schedule.bytesPerTarget is \(bytes)"
    }
    if !(losses ?? []).allSatisfy(\.isFinite) {
      return "schedule.losses has a loss that is not finite"
    }
    let trigger = averageTrigger ?? AverageTrigger()
    if !(trigger.recent + [trigger.best ?? 0]).allSatisfy(\.isFinite) {
      return "schedule.averageTrigger has a loss that is not finite"
    }
    if !(0...1).contains(plateau.factor) { return "schedule.plateau.factor is \(plateau.factor)" }
    for (name, best) in [("plateau", plateau.best), ("earlyStopping", earlyStopping.best)] {
      if let best, !best.isFinite { return "schedule.\(name).best is \(best)" }
    }
    return nil
  }
}

/// Returns a decoder's complaint, such as `schedule.step has the wrong type`.
func complaint(_ error: any Error, in part: String? = nil) -> String {
  guard let error = error as? DecodingError else { return "\(error)" }
  func name(_ path: [any CodingKey]) -> String {
    let keys = path.map { $0.intValue.map(String.init) ?? $0.stringValue }
    let all = ([part].compactMap(\.self) + keys).joined(separator: ".")
    return all.isEmpty ? "it" : all
  }
  switch error {
  case .keyNotFound(let key, let context):
    return "\(name(context.codingPath + [key])) is missing"
  case .typeMismatch(_, let context), .valueNotFound(_, let context):
    return "\(name(context.codingPath)) has the wrong type"
  case .dataCorrupted(let context):
    let reason = context.debugDescription
    let sentence = reason.hasSuffix(".") ? String(reason.dropLast()) : reason
    return context.codingPath.isEmpty && part == nil
      ? sentence : "\(name(context.codingPath)): \(sentence)"
  @unknown default: return "\(part ?? "it") cannot be read"
  }
}
