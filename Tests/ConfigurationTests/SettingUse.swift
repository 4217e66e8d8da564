import Testing

/// A key that some runs read and others do not.
struct SettingUse: Sendable, CustomTestStringConvertible {
  let key: String
  /// The assignment that gives it.
  let given: String
  /// Other assignments of a run that reads it.
  var read: [String] = []
  /// Other assignments of runs that have no use for it, a list each.
  let idle: [[String]]
  var testDescription: String { key }

  static let readout = ["training.readout={ridge: 1e-3}"]
  static let valid = ["data.valid=0.1"]
  static let task = ["data=null", "data.task=copy"]
  static let reals = ["data=null", "data.task=adding"]
  static let tree = [
    "data={format: trees, train: t.txt, view: nodes}", "model.layers=null",
    "model.embedding=6", "model.tree={cell: lstm, hidden: 5}",
  ]
  static let pairs = [
    "data={format: pairs, train: a, source: {train: b}}",
    "model.encoder={layers: [{cell: gru, hidden: 4}]}",
  ]
  static let translating = pairs + ["evaluation.sample.sources=[a]"]
  static let known = ["data={format: lines, train: a, condition: {train: b}}"]
  static let echo = ["model.layers.0={cell: echo-state, hidden: 7}"]

  /// Files that stand beside those of a part.
  private static func beside(_ section: String, _ base: [String]) -> [SettingUse] {
    ["valid", "test"].map {
      SettingUse(
        key: "data.\(section).\($0)", given: "data.\(section).\($0)=c",
        read: base + ["data.\($0)=d"], idle: [base, base + ["data.\($0)=0.1"]])
    }
  }

  static let cases =
    beside("source", pairs) + beside("condition", known) + others + compressions + further
  private static let others = [
    SettingUse(key: "data.cache", given: "data.cache=folder", idle: [task, reals]),
    SettingUse(
      key: "data.test_length", given: "data.test_length=[50, 70]",
      read: ["data=null", "data.task=parity"],
      idle: [
        ["data=null", "data.task=parity", "data.test_size=0"],
        ["data=null", "data.task=tomita", "data.test_size=0"],
      ]),
    SettingUse(
      key: "model.dropout", given: "model.dropout=0.2",
      idle: [["model.layers.0.dropout=0"], echo + readout]),
    SettingUse(
      key: "model.encoder.dropout", given: "model.encoder.dropout=0.2", read: pairs,
      idle: [pairs + ["model.encoder.layers.0.dropout=0.1"]]),
    SettingUse(
      key: "model.input_dropout", given: "model.input_dropout=0.2", idle: [echo + readout]),
    SettingUse(
      key: "model.embedding_dropout", given: "model.embedding_dropout=0.2",
      read: ["model.embedding=4"],
      idle: [[], pairs, ["model.embedding=4"] + readout]),
    SettingUse(
      key: "model.layers.*.weight_dropout", given: "model.layers.0.weight_dropout=0.2",
      idle: [
        ["model.layers.0={cell: dense, hidden: 5}"], ["model.layers.0={linear: 5}"],
        ["model.layers.0={cell: min-gru, hidden: 5}"],
        ["model.layers.0={cell: jordan, hidden: 5, teacher_forcing: true}"], echo, readout,
      ]),
    SettingUse(
      key: "model.variational", given: "model.variational=true", read: ["model.dropout=0.1"],
      idle: [[], pairs, ["model.layers.0.dropout=0", "model.embedding=3"]]),
    SettingUse(
      key: "model.recurrent", given: "model.recurrent=true", read: ["model.dropout=0.1"],
      idle: [
        [], ["model.input_dropout=0.1"],
        ["model.dropout=0.1", "model.layers.0={cell: dense, hidden: 5}"],
      ]),
    SettingUse(
      key: "model.initializer", given: "model.initializer=xavier", read: readout,
      idle: [
        echo + readout,
        ["model.output_initializer=orthogonal", "model.layers.0.initializer=orthogonal"],
      ]),
    SettingUse(
      key: "model.embedding_initializer", given: "model.embedding_initializer=xavier",
      read: ["model.embedding=4"], idle: [[], pairs]),
    SettingUse(
      key: "model.embedding_rate", given: "model.embedding_rate=0.5", read: ["model.embedding=4"],
      idle: [[], ["model.embedding=4"] + readout]),
    SettingUse(
      key: "model.output_initializer", given: "model.output_initializer=xavier",
      idle: [
        readout,
        ["model.tied=true", "model.embedding=5", "model.output_bias=false"],
      ]),
    SettingUse(
      key: "model.output_bias_initializer", given: "model.output_bias_initializer=xavier",
      idle: [readout]),
    SettingUse(
      key: "model.output_rate", given: "model.output_rate=0.5",
      idle: [readout, ["model.tied=true", "model.embedding=5", "model.output_bias=false"]]),
    SettingUse(
      key: "model.mup_base", given: "model.mup_base=4",
      idle: [
        ["training.optimizer={rule: sgd}"], ["training.optimizer={rule: muon}"], tree, readout,
      ]),
    SettingUse(
      key: "training.groups.*.match", given: "training.groups=[{match: '*', rate: 2}]",
      idle: [readout]),
    SettingUse(
      key: "training.groups.*.kind", given: "training.groups=[{kind: vector, rate: 2}]",
      idle: [readout]),
    SettingUse(
      key: "training.groups.*.rate", given: "training.groups=[{match: '*', rate: 2}]",
      idle: [readout]),
    SettingUse(
      key: "training.groups.*.weight_decay",
      given: "training.groups=[{match: '*', weight_decay: 2}]", idle: [readout]),
    SettingUse(
      key: "training.average.decay", given: "training.average={decay: 0.9}",
      idle: [["training.optimizer={rule: schedule_free}"]]),
    SettingUse(
      key: "training.average.warmup", given: "training.average={warmup: 3}",
      idle: [["training.optimizer={rule: schedule_free}"]]),
    SettingUse(
      key: "training.average.trigger", given: "training.average={trigger: 3}", read: valid,
      idle: [[], ["training.optimizer={rule: schedule_free}"] + valid]),
    SettingUse(
      key: "training.optimizer.nesterov", given: "training.optimizer.nesterov=false",
      read: ["training.optimizer={rule: muon}"],
      idle: [["training.optimizer={rule: muon, momentum: 0}"]]),
    SettingUse(
      key: "training.optimizer.adamw.decay", given: "training.optimizer.adamw.decay=matrices",
      read: ["training.optimizer={rule: muon}"],
      idle: [["training.optimizer={rule: muon, adamw: {weight_decay: 0}}"]]),
    SettingUse(
      key: "model.encoder.layers", given: "model.encoder={layers: [{cell: gru, hidden: 4}]}",
      read: pairs, idle: [tree]),
    SettingUse(
      key: "model.context", given: "model.context=both", read: pairs, idle: [tree]),
    SettingUse(
      key: "model.attention", given: "model.attention=additive", read: pairs, idle: [tree]),
    SettingUse(
      key: "model.attention_place", given: "model.attention_place=input",
      read: pairs + ["model.attention=additive"], idle: [tree]),
    SettingUse(
      key: "model.length_input", given: "model.length_input=total", read: ["model.end=length"],
      idle: [tree]),
    SettingUse(
      key: "model.longest", given: "model.longest=30", read: ["model.end=length"], idle: [tree]),
    SettingUse(
      key: "model.layers.*.zoneout", given: "model.layers.0.zoneout=0.1",
      idle: [["model.layers.0={cell: dense, hidden: 5}"]]),
    SettingUse(
      key: "model.layers.*.initial_state", given: "model.layers.0.initial_state=learnt",
      idle: [["model.layers.0={cell: dense, hidden: 5}"]]),
    SettingUse(
      key: "model.layers.*.rate", given: "model.layers.0.rate=0.5",
      idle: [["model.layers.0.frozen=true"], echo, readout]),
    SettingUse(
      key: "model.layers.*.frozen", given: "model.layers.0.frozen=true", idle: [echo, readout]),
    SettingUse(
      key: "model.layers.*.initializer", given: "model.layers.0.initializer=xavier",
      read: readout, idle: [echo]),
    SettingUse(
      key: "model.layers.*.dropout", given: "model.layers.0.dropout=0.1", idle: [readout]),

    SettingUse(
      key: "training.batch_tokens", given: "training.batch_tokens=500", read: task, idle: [[]]),
    SettingUse(
      key: "training.bucket", given: "training.bucket=false",
      read: ["data={format: lines, train: t.txt}"], idle: [[], task, tree]),
    SettingUse(
      key: "training.accumulate", given: "training.accumulate=2",
      idle: [["communication.reproducible=true"], readout]),
    SettingUse(
      key: "training.random_bptt.short", given: "training.random_bptt={short: 0.1}",
      idle: [readout]),
    SettingUse(
      key: "training.random_bptt.deviation", given: "training.random_bptt={deviation: 2}",
      idle: [readout]),
    SettingUse(
      key: "training.random_bptt.shortest", given: "training.random_bptt={shortest: 8}",
      idle: [readout]),
    SettingUse(
      key: "training.ramp.of", given: "training.ramp={of: bptt, from: 2}",
      idle: [readout]),
    SettingUse(key: "training.ramp.from", given: "training.ramp={from: 2}", idle: [readout]),
    SettingUse(
      key: "training.ramp.steps", given: "training.ramp={from: 2, steps: 9}", idle: [readout]),
    SettingUse(
      key: "communication.reproducible", given: "communication.reproducible=4", idle: [readout]),
    SettingUse(key: "training.bptt", given: "training.bptt=20", idle: [tree]),
    SettingUse(
      key: "communication.overlap", given: "communication.overlap=true",
      idle: [["communication.compression=powersgd"], ["communication.outer={every: 5}"], readout]),
    SettingUse(
      key: "communication.node", given: "communication.node=shared",
      idle: [
        ["communication.compression=powersgd"], ["communication.outer={every: 5}"],
        ["communication.reproducible=true"], ["training.optimizer={rule: muon}"], readout,
      ]),
    SettingUse(
      key: "communication.shard_optimizer", given: "communication.shard_optimizer=true",
      read: ["training.optimizer={rule: adam}"],
      idle: [
        ["training.optimizer={rule: sgd}"], ["training.optimizer={rule: muon}"],
        ["communication.compression=powersgd"],
        ["communication.outer={every: 5}"], readout,
      ]),
    SettingUse(
      key: "communication.wire", given: "communication.wire=bfloat16",
      read: ["communication.outer={every: 5}"],
      idle: [["communication.compression=top_k"], readout]),
    SettingUse(
      key: "communication.outer.every", given: "communication.outer={every: 5}",
      idle: [["training.optimizer={rule: schedule_free}"], readout]),
    SettingUse(
      key: "communication.outer.rule", given: "communication.outer={rule: nesterov}",
      idle: [readout]),
    SettingUse(
      key: "communication.outer.rate", given: "communication.outer={rule: nesterov, rate: 0.5}",
      idle: [readout]),
    SettingUse(
      key: "communication.outer.momentum",
      given: "communication.outer={rule: block_momentum, momentum: 0.5}", idle: [readout]),
    SettingUse(
      key: "communication.outer.fragments", given: "communication.outer={fragments: 2}",
      idle: [readout]),
    SettingUse(
      key: "communication.outer.overlap", given: "communication.outer={overlap: 5}",
      idle: [readout]),
  ]
  private static let compressions = [
    ("powersgd.rank", "{powersgd: {rank: 2}}"), ("powersgd.start", "{powersgd: {start: 2}}"),
    ("top_k.share", "{top_k: {share: 0.01}}"), ("top_k.momentum", "{top_k: {momentum: 0.5}}"),
    ("top_k.warmup", "{top_k: {warmup: 7}}"), ("one_bit.start", "{one_bit: {start: 3}}"),
  ].map { key, value in
    SettingUse(
      key: "communication.compression." + key, given: "communication.compression=" + value,
      idle: [["communication.outer={every: 5}"], readout])
  }
  private static let further = [
    SettingUse(key: "training.recompute", given: "training.recompute=sqrt", idle: [tree]),
    SettingUse(
      key: "training.carry_state", given: "training.carry_state=false",
      idle: [task, tree, ["data={format: lines, train: t.txt}"]]),
    SettingUse(
      key: "training.label_smoothing", given: "training.label_smoothing=0.1",
      idle: [reals, ["data={format: piano, train: t.txt}"], readout]),
    SettingUse(
      key: "training.z_loss", given: "training.z_loss=0.1",
      idle: [
        reals, ["data={format: csv, train: t, columns: {inputs: [1], targets: [2]}}"], readout,
      ]),
    SettingUse(
      key: "training.activation_regularization", given: "training.activation_regularization=2",
      idle: [["model.layers.0={cell: dense, hidden: 5}"], tree, readout]),
    SettingUse(
      key: "training.temporal_regularization", given: "training.temporal_regularization=1",
      idle: [["model.layers.0={linear: 5}"], tree, readout]),
    SettingUse(
      key: "training.on_nonfinite.limit", given: "training.on_nonfinite.limit=3",
      read: ["training.on_nonfinite.policy=skip"], idle: [[]]),
    SettingUse(
      key: "training.on_nonfinite.policy", given: "training.on_nonfinite.policy=skip",
      idle: [readout]),
    SettingUse(
      key: "training.on_spike.policy", given: "training.on_spike.policy=skip", idle: [readout]),
    SettingUse(key: "training.on_spike.z", given: "training.on_spike.z=4", idle: [readout]),
    SettingUse(
      key: "training.on_spike.window", given: "training.on_spike.window=50", idle: [readout]),
    SettingUse(
      key: "training.on_spike.limit", given: "training.on_spike.limit=3",
      read: ["training.on_spike.policy=rollback"],
      idle: [["training.on_spike.policy=warn"], ["training.on_spike.policy=stop"]]),
    SettingUse(
      key: "training.early_stop.patience", given: "training.early_stop.patience=3", read: valid,
      idle: [
        [], ["data.valid=0"], ["data.test=0.1"], task + ["data.valid_size=0"], valid + readout,
      ]),
    SettingUse(
      key: "training.loss_reduction", given: "training.loss_reduction=sum_over_time",
      idle: [readout]),
    SettingUse(
      key: "training.scheduled_sampling.choice",
      given: "training.scheduled_sampling={choice: greedy, steps: 9}", idle: [readout, tree]),
    SettingUse(key: "training.clip.norm", given: "training.clip.norm=1", idle: [readout]),
    SettingUse(key: "training.clip.value", given: "training.clip.value=1", idle: [readout]),
    SettingUse(
      key: "training.clip.per_parameter", given: "training.clip.per_parameter=1", idle: [readout]),
    SettingUse(key: "training.clip.adaptive", given: "training.clip.adaptive=1", idle: [readout]),
    SettingUse(
      key: "training.optimizer.rule", given: "training.optimizer.rule=sgd", idle: [readout]),
    SettingUse(
      key: "training.optimizer.decay", given: "training.optimizer.decay=matrices",
      read: ["training.optimizer.rule=adamw"],
      idle: [
        ["training.optimizer.rule=adam"],
        ["training.optimizer={rule: adamw, weight_decay: 0}"],
      ]),
    SettingUse(
      key: "training.optimizer.dampening", given: "training.optimizer.dampening=0.1",
      read: ["training.optimizer={rule: sgd, momentum: 0.5}"],
      idle: [["training.optimizer.rule=sgd"]]),
    SettingUse(
      key: "training.schedule.learning_rate", given: "training.schedule.learning_rate=0.3",
      idle: [readout]),
    SettingUse(
      key: "training.schedule.plateau.factor",
      given: "training.schedule={learning_rate: 1, plateau: {factor: 0.5}}", read: valid,
      idle: [[], task + ["data.valid_size=0"]]),

    SettingUse(
      key: "evaluation.every", given: "evaluation.every=30", read: valid, idle: [[], readout]),
    SettingUse(
      key: "evaluation.batch_size", given: "evaluation.batch_size=3", read: ["data.test=0.1"],
      idle: [[]]),
    SettingUse(
      key: "evaluation.batch_tokens", given: "evaluation.batch_tokens=50", read: task, idle: [valid]
    ),
    SettingUse(
      key: "evaluation.bptt", given: "evaluation.bptt=3", read: valid, idle: [[], tree + valid]),
    SettingUse(
      key: "evaluation.sample.every", given: "evaluation.sample={every: 30}",
      idle: [readout, task, tree]),
    SettingUse(
      key: "evaluation.sample.prompt", given: "evaluation.sample={prompt: a}",
      idle: [reals, tree, translating]),
    SettingUse(
      key: "evaluation.sample.length", given: "evaluation.sample.length=7",
      read: ["evaluation.sample.prompt=a"], idle: [["data={format: piano, train: a}"], translating]),
    SettingUse(
      key: "evaluation.sample.temperature", given: "evaluation.sample.temperature=2",
      idle: [translating]),
    SettingUse(
      key: "evaluation.sample.top_k", given: "evaluation.sample.top_k=2",
      idle: [translating, ["evaluation.sample.temperature=0"]]),
    SettingUse(
      key: "evaluation.sample.top_p", given: "evaluation.sample.top_p=0.5",
      idle: [translating, ["evaluation.sample.temperature=0"]]),
    SettingUse(
      key: "evaluation.sample.condition", given: "evaluation.sample.condition=[1]", read: known,
      idle: [[], pairs + ["evaluation.sample.sources=[a]"]]),
    SettingUse(
      key: "evaluation.sample.sources", given: "evaluation.sample.sources=[a]", read: pairs,
      idle: [[], tree]),
    SettingUse(key: "checkpoint.every", given: "checkpoint.every=30", idle: [readout]),
    SettingUse(key: "checkpoint.keep", given: "checkpoint.keep=4", idle: [readout]),
    SettingUse(key: "checkpoint.keep_every", given: "checkpoint.keep_every=40", idle: [readout]),
    SettingUse(
      key: "checkpoint.asynchronous", given: "checkpoint.asynchronous=false", idle: [readout]),
    SettingUse(key: "checkpoint.on_failure", given: "checkpoint.on_failure=stop", idle: [readout]),
    SettingUse(
      key: "communication.check_every", given: "communication.check_every=50", idle: [readout]),
    SettingUse(
      key: "console.every", given: "console.every=30s", read: ["console.progress=lines"],
      idle: [["console.progress=none"], ["console.progress=bar"]]),
  ]

  /// Keys that whatever run accepts them reads; elsewhere they are unknown, or refused beside what makes
  /// them idle when they are decoded.
  static let alwaysRead = Set(
    """
    name seed watchdog report.tensorboard console.progress evaluation.every data.task data.format data.train data.valid
    data.test data.tokenizer data.vocabulary.size data.vocabulary.min_count data.document
    data.view data.test_view data.source.format data.source.train data.source.tokenizer
    data.frames data.source.vocabulary.size data.source.vocabulary.min_count
    data.source.columns.inputs data.source.columns.id data.source.columns.separator
    data.condition.train data.columns.inputs data.condition.classes data.condition.numbers
    data.condition.separator data.columns.targets data.columns.label data.columns.tag
    data.columns.id data.columns.separator data.train_size data.valid_size data.test_size
    data.length data.form data.classes data.letters data.symbols data.delay data.width
    data.noise data.tau data.washout data.method data.shift data.train_length data.grammar
    data.group data.modulus data.pairs data.alphabet
    model.embedding model.layers model.tied model.output_bias model.shortcut model.end
    model.output.kind model.output.cutoffs model.output.div_value model.output.head_bias
    model.output.samples model.output.order model.output.soft_cap
    model.encoder.embedding model.tree.cell model.tree.hidden model.layers.*.cell
    model.layers.*.linear model.layers.*.bidirectional model.layers.*.residual
    model.layers.*.feedback model.layers.*.feedback_width model.layers.*.feedback_nonlinearity
    model.layers.*.hidden model.layers.*.periods model.layers.*.nonlinearity
    model.layers.*.biases model.layers.*.transition model.layers.*.shortcut model.layers.*.taps
    model.layers.*.spectral_radius model.layers.*.leak model.layers.*.input_scaling
    model.layers.*.bias_scaling model.layers.*.connections model.layers.*.chrono
    model.layers.*.alpha model.layers.*.recurrent model.layers.*.input_delay
    model.layers.*.outputs model.layers.*.output_nonlinearity model.layers.*.teacher_forcing
    model.layers.*.forget_bias model.layers.*.peephole model.layers.*.projection
    model.layers.*.coupled model.layers.*.layer_norm model.layers.*.candidate
    model.layers.*.form model.layers.*.gate_candidate model.layers.*.delays
    model.layers.*.heads model.layers.*.input_weights model.layers.*.repeat
    model.layers.*.key_width model.layers.*.gate_cap model.layers.*.zero_gates
    model.layers.*.forget_exponent
    model.layers.*.state model.layers.*.groups model.layers.*.kernel
    model.layers.*.negative_eigenvalues model.layers.*.clip_state_gradient
    model.layers.*.block.norm.kind model.layers.*.block.norm.eps model.layers.*.block.mixer.cell
    model.layers.*.block.mixer.in_projection model.layers.*.block.mixer.conv.kernel
    model.layers.*.block.mixer.conv.bias model.layers.*.block.mixer.conv.activation
    model.layers.*.block.mixer.gate model.layers.*.block.mixer.out_projection
    model.layers.*.block.mixer.projection_bias model.layers.*.block.mlp.kind
    model.layers.*.block.mlp.factor model.layers.*.block.mlp.round model.layers.*.block.mlp.bias
    model.layers.*.block.mlp.token_shift model.layers.*.block.mlp.shift_exponent
    model.layers.*.block.mlp.up_bound model.layers.*.value_residual model.layers.*.decay_rank
    model.layers.*.rate_rank model.layers.*.value_rank model.layers.*.gate_rank
    model.layers.*.norm_eps model.layers.*.layer_index model.layers.*.layer_count
    model.layers.*.mix_rank
    model.layers.*.block.output_variance model.layers.*.conv.kernel model.layers.*.conv.bias
    model.layers.*.conv.activation model.layers.*.token_shift
    model.preset model.width model.depth model.slstm_every model.layers.*.block.norm.bias
    model.embedding_norm.bias model.final_norm.bias model.embedding_scale model.embedding_norm.kind
    model.embedding_norm.eps model.final_norm.kind model.final_norm.eps training.batch_size
    training.stride training.recompute.states training.recompute.steps training.epochs
    training.steps training.tokens data.train.*.path data.train.*.weight training.precision
    training.readout.ridge training.readout.washout training.optimizer.learning_rate_decay
    training.optimizer.initial_sum training.optimizer.epsilon training.optimizer.weight_decay
    training.optimizer.betas training.optimizer.alpha training.optimizer.momentum
    training.optimizer.centered training.optimizer.slow training.optimizer.warmup
    training.optimizer.r training.optimizer.weight_lr_power training.optimizer.steps
    training.optimizer.scale training.optimizer.adamw.betas training.optimizer.adamw.epsilon
    training.optimizer.adamw.weight_decay training.optimizer.adamw_rate training.schedule.warmup
    training.schedule.shape training.schedule.plateau.patience
    training.schedule.plateau.threshold training.schedule.plateau.minimum
    training.schedule.steps training.schedule.final training.schedule.restarts.period
    training.schedule.restarts.multiplier training.schedule.factor training.schedule.after
    training.schedule.every training.schedule.decay training.schedule.from
    training.scheduled_sampling.from
    training.scheduled_sampling.to training.scheduled_sampling.shape
    training.scheduled_sampling.steps
    """.split { $0 == " " || $0 == "\n" }.map(String.init))

  /// Keys that only the data itself decides on; `RunTests` has them refused.
  static let ofData: Set = ["model.condition", "model.condition_embedding"]
}
