internal import Collectives
public import Configuration
internal import Datasets
internal import Formats
internal import LinearAlgebra
internal import Names
internal import Optimization
internal import Recurrence

/// The measurement that `unroll bench` makes: a model and a task, from flags, a configuration, or
/// both.
public struct BenchRequest: Sendable {
  /// The kind of step that is measured.
  public enum Task: String, Codable, CaseIterable, Sendable {
    /// Forward pass, backward pass, all-reduce, clipping and update: `Trainer.step`.
    case train
    /// The forward pass over a window with its loss, as in `Evaluation`.
    case evaluate
    /// One symbol, sampled and read by one stream: `Generator.next`.
    case generate
  }

  /// The sizes of the model and its windows; nil takes the value of the configuration, or a
  /// default.
  public struct Shape: Sendable {
    public var cell: String?
    public var layers: Int?
    public var hidden: Int?
    public var embedding: Int?
    public var vocabulary: Int?
    /// The number of streams per rank.
    public var batchSize: Int?
    public var bptt: Int?
    public var precision: String?

    public init() {}
  }

  public var task: Task
  /// The options; `options.training.batchSize` counts streams over all ranks.
  public var options: RunOptions
  public var vocabulary: Int
  /// The number of timed steps; nil for about ten seconds of steps.
  public var steps: Int?
  /// The number of steps before the timed ones.
  public var warmUp: Int
  /// The files for the symbols and the initial weights, so that another program can run the same
  /// benchmark.
  public var textPath, weightsPath: String?

  /// The number of steps from one outer step to the next; nil without outer steps.
  var round: Int? { task == .train ? options.communication.outer?.every : nil }

  /// Returns the options of a measurement without a configuration, with some keys changed.
  /// - Parameter assignments: Assignments `key=value` as on the command line.
  public static func defaults(
    set assignments: [String]
  ) throws -> RunOptions {
    var options = plain
    if var model = options.model.sequence {
      try replaceLayers(of: &model, Shape())
      options.model = .sequence(model)
    }
    let json = String(decoding: try ResolvedConfiguration.json(options), as: UTF8.self)
    var configuration = try Configuration(yaml: json, file: "the defaults of bench")
    for assignment in assignments { try configuration.set(assignment) }
    return try configuration.decode(RunOptions.self)
  }

  /// Makes a model of equal layers, trained by SGD with learning rate 1 and the gradient norm
  /// clipped to 0.25; or takes model and training from a configuration, with the values of `shape`
  /// in place of its own.
  /// - Throws: `UsageError` if a number is impossible or missing.
  public init(
    _ task: Task, _ shape: Shape, configuration: RunOptions? = nil, steps: Int? = nil,
    warmUp: Int = 2, ranks: Int
  ) throws(UsageError) {
    self.task = task
    self.steps = steps
    self.warmUp = warmUp
    let largest = 1 << 24
    func check(
      _ value: Int?, _ flag: String, from smallest: Int = 1, to largest: Int = largest
    ) throws(UsageError) {
      guard let value, !(smallest...largest).contains(value) else { return }
      throw UsageError("\(flag) is \(value): give \(smallest) to \(largest)")
    }
    try check(steps, "--steps")
    try check(warmUp, "--warm-up", to: 1000)
    try check(shape.layers, "--layers", to: 1000)
    try check(shape.hidden, "--hidden")
    try check(shape.embedding, "--embedding")
    try check(shape.vocabulary, "--vocabulary", from: 2)
    try check(shape.batchSize, "--batch-size")
    try check(shape.bptt, "--bptt")
    options = try Self.checked(configuration ?? Self.plain)
    guard var model = options.model.sequence else {
      throw UsageError(
        "unroll bench measures networks over time: give a configuration with model.layers instead "
          + "of model.tree")
    }
    if configuration == nil || shape.cell != nil || shape.layers != nil || shape.hidden != nil {
      try Self.replaceLayers(of: &model, shape)
    }
    if let embedding = shape.embedding { model.embedding = embedding }
    if let sentence = model.incompatibility {
      throw UsageError("the flags do not fit the configuration: \(sentence)")
    }
    options.model = .sequence(model)
    if let bptt = shape.bptt { options.training.bptt = bptt }
    options.training.randomWindows = nil  // Every step does the same work.
    if let streams = shape.batchSize {
      options.training.batchSize = streams * ranks
    } else if configuration == nil {
      options.training.batchSize *= ranks
    }
    if let name = shape.precision { options.training.precision = try Self.precision(name) }
    if let given = shape.vocabulary {
      vocabulary = given
    } else {
      vocabulary = try Self.vocabulary(configuration)
    }
    if task == .generate {
      options.training.batchSize = ranks
      options.training.bptt = 1
    }
    let rows = Double(options.training.batchSize) * Double(options.training.bptt)
    guard rows <= Double(largest) else {
      throw UsageError(
        "\(options.training.batchSize) streams of \(options.training.bptt) steps are too many for one "
          + "window: lower --batch-size or --bptt")
    }
  }

  /// Returns the options unless they contradict each other in the exchange of gradients.
  private static func checked(_ options: RunOptions) throws(UsageError) -> RunOptions {
    let violation = options.violations(at: .start).first { $0.key.hasPrefix("communication") }
    if let violation { throw UsageError(violation.sentence) }
    return options
  }

  /// The default configuration; its layers are replaced.
  private static var plain: RunOptions {
    var training = TrainingOptions()
    training.length = .steps(1)
    training.optimizer = OptimizerConfiguration(SGD.self)
    training.schedule = ScheduleOptions(learningRate: 1)
    training.clip = ClipOptions(norm: 0.25)
    let model = SequenceModelOptions(embedding: 650, layers: [])
    return RunOptions(
      data: DataOptions(tokenizer: .word), model: .sequence(model), training: training)
  }

  /// Makes equal layers, and an embedding of the same width.
  private static func replaceLayers(
    of model: inout SequenceModelOptions, _ shape: Shape
  ) throws(UsageError) {
    var (cell, hidden) = ("lstm", model.embedding ?? 650)
    if let first = model.layers.first(where: { $0.isRecurrent }),
      case .recurrent(let name, let options) = first.kind
    {
      (cell, hidden) = (name, options.hidden)
    }
    cell = shape.cell ?? cell
    hidden = shape.hidden ?? hidden
    guard Recurrence.cell(named: cell) != nil else {
      throw UsageError(
        "--cell \(cell): \(UnknownName(cell, of: "cell", among: cellNames))")
    }
    let description = JSONValue.object(["cell": .string(cell), "hidden": .integer(hidden)])
    guard let layer = try? description.decode(LayerOptions.self) else {
      throw UsageError("a \(cell) of \(hidden) units cannot be made: give another --hidden")
    }
    let count = shape.layers ?? (model.layers.isEmpty ? 2 : model.layers.count)
    model.layers = Array(repeating: layer, count: count)
    if shape.hidden != nil || shape.cell != nil { model.embedding = hidden }
  }

  private static func precision(_ name: String) throws(UsageError) -> Precision {
    guard let precision = Precision(rawValue: name) else {
      let names = Precision.allCases.map(\.rawValue)
      throw UsageError("--precision: \(UnknownName(name, of: "precision", among: names))")
    }
    return precision
  }

  private static func vocabulary(_ configuration: RunOptions?) throws(UsageError) -> Int {
    guard let data = configuration?.data else { return 10_000 }
    if let fixed = data.tokenizer.fixedVocabulary { return fixed.count }
    if let size = data.vocabulary.size { return size }
    throw UsageError(
      "the configuration does not tell its number of symbols: give --vocabulary")
  }
}

extension LayerOptions {
  fileprivate var isRecurrent: Bool { if case .recurrent = kind { true } else { false } }
}
