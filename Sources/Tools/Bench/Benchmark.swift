public import Collectives
internal import Configuration
internal import Datasets
internal import Formats
internal import Foundation
internal import Inference
internal import LinearAlgebra
internal import Recurrence
internal import Runs
internal import Training

/// Measures steps of a model on a generated text, with the code that trains, evaluates and samples.
///
/// First come steps for warm-up, then the timed steps. A few more steps with a `Profile` then show
/// the time of each phase, so that profiling does not disturb the timing. Finally the limits of the
/// machine are measured.
public struct Benchmark: Sendable {
  public let request: BenchRequest
  /// The text, which is the same on every rank.
  private let text: GeneratedText
  /// The resident memory in bytes before anything was allocated.
  private let memoryAtStart: Int

  /// Generates the text; memory is counted from here on.
  public init(_ request: BenchRequest) {
    memoryAtStart = System.residentBytes
    self.request = request
    let training = request.options.training
    // As many windows as a short run takes, but few enough to be generated quickly.
    let windows = max(4, 200_000 / (training.batchSize * training.bptt))
    text = GeneratedText(
      count: training.batchSize * (windows * training.bptt + 1),
      vocabulary: request.vocabulary, seed: request.options.seed)
  }

  /// Runs and measures. Collective; the report covers the whole world, except that phases are those
  /// of this rank.
  /// - Throws: `UsageError` if the machine has too little memory.
  public func run(in world: any Communicator) throws -> BenchReport {
    let subject = try world.unanimous { try self.subject(in: world) }
    let setup = System.secondsSinceStart
    try world.unanimous {
      guard world.isRoot else { return }
      if let path = request.textPath { try text.write(to: path) }
      if let path = request.weightsPath {
        try Safetensors.save(subject.weights.tensors(), metadata: ["format": "pt"], to: path)
      }
    }
    let first = try timed(subject)
    var last = first
    for _ in 1..<request.warmUp { last = try timed(subject) }
    var steps = try request.steps ?? agreedSteps(last.seconds, world)
    // Whole rounds, each with one outer step.
    if let round = request.round { steps = (steps + round - 1) / round * round }
    try world.barrier()
    var times: [Double] = []
    times.reserveCapacity(steps)
    var traffic = Traffic()
    for _ in 0..<steps {
      last = try timed(subject)
      times.append(last.seconds)
      traffic.add(subject.traffic)
    }
    let profile = Profile()
    let profiled = min(max(steps / 4, 1), 50)
    subject.report(to: profile)
    for _ in 0..<profiled { _ = try subject.step() }
    subject.report(to: nil)
    let memory = System.peakResidentBytes
    try world.barrier()
    let products = Machine.measured(request.options.training.precision)
    let bandwidth = Machine.readBandwidth()
    return try BenchReport(
      request, layout: subject.weights.layout, world: world, times: times,
      phases: Phase.allCases.map { profile[$0] / Double(profiled) },
      losses: (first.score, last.score), traffic: traffic,
      products: products, bandwidth: bandwidth, memory: (memoryAtStart, memory), setup: setup)
  }

  private func timed(_ subject: any BenchSubject) throws -> (seconds: Double, score: Score) {
    let clock = ContinuousClock()
    let start = clock.now
    let score = try subject.step()
    return ((clock.now - start) / .seconds(1), score)
  }

  /// Returns the number of steps for about ten seconds, the same on every rank.
  private func agreedSteps(_ seconds: Double, _ world: any Communicator) throws -> Int {
    var slowest = [seconds]
    try world.max(&slowest)
    return min(max(Int(10 / slowest[0]), 5), 100_000)
  }

  /// Makes the model and the object that runs its steps.
  private func subject(in world: any Communicator) throws -> any BenchSubject {
    let options = request.options
    let dataset = try checkedDataset(in: world)
    return switch request.task {
    case .train: try TrainingSubject(options, dataset, world)
    case .evaluate: try EvaluationSubject(options, dataset, world)
    case .generate: DrawingSubject(options, dataset)
    }
  }
}

extension Benchmark {
  /// Makes a trainer of the model on the generated text. Collective.
  /// - Throws: `UsageError` if the machine has too little memory.
  func makeTrainer(in world: any Communicator) throws -> Trainer {
    try Trainer(request.options, dataset: try checkedDataset(in: world), world: world)
  }

  /// Returns the generated text as data, if the machine has enough memory to train on it.
  private func checkedDataset(in world: any Communicator) throws -> Dataset {
    // In memory if there is such a folder; the file exists for a moment only.
    let shared = "/dev/shm"
    let isShared = FileManager.default.isWritableFile(atPath: shared)
    let dataset = try text.dataset(
      in: isShared ? shared : FileManager.default.temporaryDirectory.path)
    try MemoryEstimate(request.options, dataset, world).check()
    return dataset
  }
}

/// An object whose steps are measured.
protocol BenchSubject {
  var weights: ParameterVector { get }
  func step() throws -> Score
  func report(to profile: Profile?)
  /// The cost of the sum of gradients in the last step.
  var traffic: Traffic { get }
}

extension BenchSubject {
  var traffic: Traffic { Traffic() }
}

private struct TrainingSubject: BenchSubject {
  let trainer: Trainer
  var weights: ParameterVector { trainer.weights }
  var traffic: Traffic { trainer.traffic }

  init(_ options: RunOptions, _ dataset: Dataset, _ world: any Communicator) throws {
    trainer = try Trainer(options, dataset: dataset, world: world)
  }

  func step() throws -> Score { try trainer.step().score }
  func report(to profile: Profile?) { trainer.profile = profile }
}

private struct EvaluationSubject: BenchSubject {
  let model: SequenceModel
  let weights: ParameterVector
  let evaluation: Evaluation

  init(_ options: RunOptions, _ dataset: Dataset, _ world: any Communicator) throws {
    model = options.sequenceModel(vocabulary: dataset.vocabulary.count)
    weights = ParameterVector(ParameterLayout(model.plan))
    weights.precision = options.training.precision
    weights.initialize(seed: options.seed)
    evaluation = try Evaluation(
      dataset.train, plan: model.plan, EvaluationOptions(like: options.training), world: world)
  }

  func step() throws -> Score { evaluation.next(model, weights: weights) }
  func report(to profile: Profile?) { evaluation.profile = profile }
}

private struct DrawingSubject: BenchSubject {
  let weights: ParameterVector
  let generator: Generator

  init(_ options: RunOptions, _ dataset: Dataset) {
    let model = options.sequenceModel(vocabulary: dataset.vocabulary.count)
    weights = ParameterVector(ParameterLayout(model.plan))
    weights.precision = options.training.precision
    weights.initialize(seed: options.seed)
    generator = Generator(model, weights: weights, seed: options.seed)
    generator.read(dataset.train.corpus![0])
  }

  func step() throws -> Score {
    generator.profile?.start()
    guard generator.next() != nil else { preconditionFailure("no symbol may be drawn") }
    return Score(lossSum: 0, targets: 1)
  }

  func report(to profile: Profile?) { generator.profile = profile }
}

extension RunOptions {
  /// Returns the model of sequences, which `BenchRequest` has checked that these options have.
  fileprivate func sequenceModel(vocabulary: Int) -> SequenceModel {
    guard let options = model.sequence else { preconditionFailure("a benchmark of trees") }
    return SequenceModel(options, vocabulary: vocabulary, seed: seed)
  }
}
