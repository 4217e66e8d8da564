import Foundation
import Optimization
import Testing

@Suite struct `Optimizers in configurations` {
  @Test func `absent keys have PyTorch's defaults, and the resolved configuration names every one`()
    throws
  {
    let expected = [
      "sgd": """
      {"dampening":0,"decay":"all","momentum":0,"nesterov":false,"rule":"sgd","weight_decay":0}
      """,
      "adam": """
      {"betas":[0.9,0.999],"decay":"all","epsilon":1e-08,"rule":"adam","weight_decay":0}
      """,
      "adamw": """
      {"betas":[0.9,0.999],"decay":"all","epsilon":1e-08,"rule":"adamw","weight_decay":0.01}
      """,
      "rmsprop": """
      {"alpha":0.99,"centered":false,"decay":"all","epsilon":1e-08,"momentum":0,\
      "rule":"rmsprop","weight_decay":0}
      """,
      "lion": """
      {"betas":[0.9,0.99],"decay":"all","rule":"lion","weight_decay":0}
      """,
      "ademamix": """
      {"alpha":5,"betas":[0.9,0.999],"decay":"all","epsilon":1e-08,"rule":"ademamix",\
      "slow":0.9999,"warmup":0,"weight_decay":0}
      """,
      "schedule_free": """
      {"betas":[0.9,0.999],"decay":"all","epsilon":1e-08,"r":0,"rule":"schedule_free",\
      "weight_decay":0,"weight_lr_power":2}
      """,
      "muon": """
      {"adamw":{"betas":[0.9,0.999],"decay":"all","epsilon":1e-08,"weight_decay":0.01},\
      "adamw_rate":0.1,"momentum":0.95,"nesterov":true,"rule":"muon","scale":"original",\
      "steps":5,"weight_decay":0.1}
      """,
      "adagrad": """
      {"decay":"all","epsilon":1e-10,"initial_sum":0,"learning_rate_decay":0,\
      "rule":"adagrad","weight_decay":0}
      """,
    ]
    #expect(Set(expected.keys) == Set(optimizers.keys))
    for (rule, resolved) in expected {
      let configuration = try decode(OptimizerConfiguration.self, #"{"rule": "\#(rule)"}"#)
      #expect(try encode(configuration) == resolved)
      #expect(try decode(OptimizerConfiguration.self, resolved) == configuration)
    }
  }

  @Test func `options that differ make configurations that differ`() throws {
    let plain = OptimizerConfiguration(Adam.self)
    var options = Adam.Options()
    options.betas.mean = 0.8
    #expect(plain != OptimizerConfiguration(Adam.self, options))
    #expect(plain != OptimizerConfiguration(AdamW.self))
    let written = #"{"rule": "adam", "betas": [0.8, 0.999]}"#
    #expect(
      try decode(OptimizerConfiguration.self, written)
        == OptimizerConfiguration(Adam.self, options))
  }

  @Test(
    arguments: [
      (
        #"{"rule": "adamm"}"#,
        "rule: no optimizer is called adamm; did you mean \"adam\"?"
      ),
      (
        #"{"rule": "quux"}"#,
        "rule: no optimizer is called quux; choose one of "
          + "adagrad, adam, adamw, ademamix, lion, muon, rmsprop, schedule_free, sgd"
      ),
      (
        "{}",
        "rule: rule is missing; write one of "
          + "adagrad, adam, adamw, ademamix, lion, muon, rmsprop, schedule_free, sgd"
      ),
      (
        #"{"rule": "muon", "steps": 0}"#,
        "steps: steps is 0; write a whole number from 1 to 99"
      ),
      (
        #"{"rule": "muon", "scale": "rms"}"#,
        "scale: no scale of an update is called rms; did you mean \"match_rms_adamw\"?"
      ),
      (
        #"{"rule": "ademamix", "betas": [0, 0.9], "warmup": 5}"#,
        "warmup: warmup is 5; write 0: the slow mean begins with betas[0], and it and slow are above 0"
      ),
      (
        #"{"rule": "schedule_free", "betas": [0, 0.9]}"#,
        "betas: betas[0] is 0, which would evaluate the model at a point it never trains beside; "
          + "write a number above 0, such as 0.9"
      ),
      (
        #"{"rule": "adam", "betas": [0.9, 1]}"#,
        "betas: betas is [0.9, 1.0]; write two numbers from 0 to below 1"
      ),
      (
        #"{"rule": "adam", "betas": [0.9]}"#,
        "betas: betas is [0.9]; write two numbers from 0 to below 1"
      ),
      (
        #"{"rule": "adam", "epsilon": -1}"#,
        "epsilon: epsilon is -1.0; write a number of at least 1e-37: "
          + "otherwise a weight that never had a gradient becomes 0 / 0"
      ),
      (
        #"{"rule": "adamw", "epsilon": 0}"#,
        "epsilon: epsilon is 0.0; write a number of at least 1e-37: "
          + "otherwise a weight that never had a gradient becomes 0 / 0"
      ),
      (
        #"{"rule": "rmsprop", "epsilon": 0}"#,
        "epsilon: epsilon is 0.0; write a number of at least 1e-37: "
          + "otherwise a weight that never had a gradient becomes 0 / 0"
      ),
      (
        // In single precision it would be 0.
        #"{"rule": "adagrad", "epsilon": 1e-50}"#,
        "epsilon: epsilon is 1e-50; write a number of at least 1e-37: "
          + "otherwise a weight that never had a gradient becomes 0 / 0"
      ),
      (
        #"{"rule": "adamw", "decay": "biases"}"#,
        "decay: no scope of weight decay is called biases; choose one of all, matrices"
      ),
      (
        #"{"rule": "adagrad", "learning_rate_decay": -2}"#,
        "learning_rate_decay: learning_rate_decay is -2.0; write a finite number of at least 0"
      ),
      (
        #"{"rule": "rmsprop", "alpha": 1}"#,
        "alpha: alpha is 1.0; write a number from 0 to below 1"
      ),
      (
        #"{"rule": "sgd", "nesterov": true}"#,
        "nesterov: nesterov is true; write false, or a momentum above 0 and no dampening"
      ),
      (
        #"{"rule": "sgd", "momentum": 1.5}"#,
        "momentum: momentum is 1.5; write a number from 0 to below 1"
      ),
    ])
  func `a value that makes no sense is an error at its key, which says what to write`(
    json: String, sentence: String
  ) {
    #expect(complaint(OptimizerConfiguration.self, json) == sentence)
  }

  @Test func `limits of clipping must be above zero; absent ones do not act`() throws {
    #expect(try decode(ClipOptions.self, "{}") == ClipOptions())
    let all = #"{"adaptive":0.01,"norm":5,"per_parameter":1,"value":2}"#
    let options = ClipOptions(value: 2, adaptive: 0.01, perParameter: 1, norm: 5)
    #expect(try decode(ClipOptions.self, all) == options)
    #expect(try encode(options) == all)
    #expect(
      complaint(ClipOptions.self, #"{"norm": 0}"#)
        == "norm: norm is 0.0; write a finite number above 0, or leave it out")
  }

  @Test func `the average and early stopping read and write their options`() throws {
    #expect(try encode(decode(WeightAverage.Options.self, "{}")) == #"{"decay":0.999,"warmup":10}"#)
    #expect(
      try encode(decode(WeightAverage.Options.self, #"{"trigger": 5}"#)) == #"{"trigger":5}"#)
    #expect(
      complaint(WeightAverage.Options.self, #"{"decay": 1}"#)
        == "decay: decay is 1.0; write a number from 0 to below 1")
    #expect(try decode(EarlyStopping.Options.self, #"{"patience": 5}"#).patience == 5)
    #expect(
      complaint(EarlyStopping.Options.self, "{}")
        == "patience: patience is missing; write a whole number of at least 1")
  }
}
