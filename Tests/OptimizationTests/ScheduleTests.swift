import Foundation
import Optimization
import Testing

@Suite struct `Schedules of rates` {
  private func schedule(_ keys: String, totalSteps: Int? = nil) throws -> Schedule {
    let options = try decode(ScheduleOptions.self, #"{"learning_rate": 0.1, \#(keys)}"#)
    return try Schedule(options, totalSteps: totalSteps)
  }

  private func expect(
    _ schedule: Schedule, _ expected: [Int: Double], epoch: Int = 1,
    _ location: SourceLocation = #_sourceLocation
  ) {
    for (step, rate) in expected {
      let found = schedule.rate(step: step, epoch: epoch)
      #expect(
        abs(found - rate) < 1e-14, "step \(step): \(found), not \(rate)", sourceLocation: location)
    }
  }

  @Test func `the shapes that PyTorch has too give its rates`() throws {
    let reference = try Reference.load()
    let same = [
      "step": #""shape": "step", "every": 4, "factor": 0.3"#,
      "exponential": #""shape": "exponential", "factor": 0.93"#,
      "linear": #""shape": "linear", "steps": 9, "final": 0.005"#,
      "cosine": #""shape": "cosine", "steps": 13, "final": 0.004"#,
      "restarts":
        #""shape": "cosine", "final": 0.004, "restarts": {"period": 3, "multiplier": 2}"#,
      "equal restarts": #""shape": "cosine", "final": 0.004, "restarts": {"period": 5}"#,
      "warm-up": #""shape": "cosine", "warmup": 6, "steps": 13, "final": 0.004"#,
    ]
    #expect(Set(same.keys) == Set(reference.schedules.keys))
    for (name, keys) in same {
      let schedule = try schedule(keys)
      for (step, rate) in reference.schedules[name]!.enumerated() {
        let found = schedule.rate(step: step, epoch: 1)
        #expect(abs(found - rate) < 1e-14, "\(name), step \(step)")
      }
    }
  }

  @Test
  func `warm-up rises in a straight line, reaches the rate in its last step, then step 0 begins`()
    throws
  {
    let shapes = [
      #""shape": "constant""#, #""shape": "step", "every": 3"#,
      #""shape": "exponential", "factor": 0.5"#, #""shape": "linear", "steps": 9"#,
      #""shape": "cosine", "steps": 9"#, #""shape": "cosine", "restarts": {"period": 4}"#,
      #""shape": "inverse_square_root""#, #""shape": "wsd", "steps": 9, "decay": 2"#,
      #""shape": "epoch_decay", "factor": 0.5"#,
      #""shape": "range", "from": 0.1, "steps": 9"#,
    ]
    for shape in shapes {
      expect(
        try schedule(shape + #", "warmup": 5"#), [0: 0.02, 1: 0.04, 3: 0.08, 4: 0.1, 5: 0.1])
      expect(try schedule(shape), [0: 0.1])
    }
  }

  @Test func `linear and cosine end at their end and stay there`() throws {
    expect(
      try schedule(#""shape": "linear", "steps": 8, "final": 0.02, "warmup": 2"#),
      [2: 0.1, 3: 0.09, 9: 0.03, 10: 0.02, 11: 0.02, 1000: 0.02])
    expect(
      try schedule(#""shape": "cosine", "steps": 8, "warmup": 2"#),
      [2: 0.1, 6: 0.05, 4: 0.05 * (1 + 0.5.squareRoot()), 10: 0, 11: 0, 1000: 0])
  }

  @Test func `shapes that need it take their length from the run, warm-up left out`() throws {
    for shape in ["linear", "cosine", "wsd", "range"] {
      let given = try schedule(#""shape": "\#(shape)", "warmup": 3, "steps": 17"#)
      let taken = try schedule(#""shape": "\#(shape)", "warmup": 3"#, totalSteps: 20)
      for step in 0..<25 {
        #expect(given.rate(step: step, epoch: 1) == taken.rate(step: step, epoch: 1))
      }
      // What is written wins over the length of the run.
      let both = try schedule(
        #""shape": "\#(shape)", "warmup": 3, "steps": 17"#, totalSteps: 99)
      #expect(both.rate(step: 19, epoch: 1) == given.rate(step: 19, epoch: 1))
      #expect(throws: ScheduleError.self) { try schedule(#""shape": "\#(shape)""#) }
      // A run no longer than its warm-up still has a schedule.
      expect(try schedule(#""shape": "\#(shape)", "warmup": 4"#, totalSteps: 3), [2: 0.075])
    }
    do {
      _ = try schedule(#""shape": "wsd""#)
    } catch let error as ScheduleError {
      #expect(
        "\(error)" == "the schedule wsd needs its length; write steps under schedule, "
          + "or give the run a number of steps or epochs")
    }
  }

  @Test func `restarts begin anew at the rate, each period longer by the multiplier`() throws {
    let long = try schedule(
      #""shape": "cosine", "warmup": 1, "restarts": {"period": 4, "multiplier": 3}"#)
    // Periods begin at 1, 5, 17 and 53.
    expect(long, [1: 0.1, 3: 0.05, 5: 0.1, 11: 0.05, 17: 0.1, 35: 0.05, 53: 0.1])
    let even = try schedule(#""shape": "cosine", "restarts": {"period": 4}"#)
    expect(even, [4_000_000: 0.1, 4_000_002: 0.05])
  }

  @Test func `a range test rises by the same factor in every step`() throws {
    expect(
      try schedule(#""shape": "range", "from": 1e-5, "steps": 8"#),
      [0: 1e-5, 2: 1e-4, 4: 1e-3, 6: 1e-2, 8: 0.1, 9: 0.1, 1000: 0.1])
    expect(try schedule(#""shape": "range", "from": 1, "steps": 2"#), [0: 1, 2: 0.1])
    #expect(throws: (any Error).self) { try schedule(#""shape": "range", "from": 0, "steps": 2"#) }
  }

  @Test func `inverse square root falls from the warm-up's length on`() throws {
    expect(
      try schedule(#""shape": "inverse_square_root", "warmup": 100"#),
      [99: 0.1, 100: 0.1, 400: 0.05, 900: 0.1 / 3])
    expect(try schedule(#""shape": "inverse_square_root""#), [0: 0.1, 3: 0.05])
  }

  @Test func `warm-up, stable, decay: the last steps fall in a straight line`() throws {
    expect(
      try schedule(#""shape": "wsd", "warmup": 2, "steps": 10, "decay": 4, "final": 0.02"#),
      [2: 0.1, 7: 0.1, 8: 0.1, 9: 0.08, 11: 0.04, 12: 0.02, 13: 0.02])
    expect(try schedule(#""shape": "wsd""#, totalSteps: 50), [44: 0.1, 45: 0.1, 46: 0.08, 50: 0])
    expect(try schedule(#""shape": "wsd", "steps": 2, "decay": 4"#), [0: 0.1, 1: 0.05, 2: 0])
  }

  @Test func `epoch decay leaves the first epochs alone and falls with each one after`() throws {
    let schedule = try schedule(#""shape": "epoch_decay", "factor": 0.5, "after": 4"#)
    for (epoch, rate) in [1: 0.1, 4: 0.1, 5: 0.05, 6: 0.025, 13: 0.1 / 512] {
      expect(schedule, [0: rate, 123: rate], epoch: epoch)
    }
  }

  @Test func `the plateau's factor multiplies every shape, in the warm-up too`() throws {
    let schedule = try schedule(#""shape": "linear", "steps": 8, "warmup": 2"#)
    for step in [0, 1, 2, 5, 10, 20] {
      #expect(
        schedule.rate(step: step, epoch: 1, plateauFactor: 0.25)
          == schedule.rate(step: step, epoch: 1) * 0.25)
    }
  }

  @Test func `every shape is written as it is read`() throws {
    let written = [
      #"{"learning_rate":0.5,"shape":"constant","warmup":0}"#,
      #"{"every":3,"factor":0.5,"learning_rate":0.5,"shape":"step","warmup":0}"#,
      #"{"every":3,"factor":0.5,"learning_rate":0.5,"shape":"exponential","warmup":0}"#,
      #"{"final":0,"learning_rate":0.5,"shape":"linear","steps":7,"warmup":2}"#,
      #"{"final":0.25,"learning_rate":0.5,"shape":"cosine","warmup":0}"#,
      #"""
      {"final":0,"learning_rate":0.5,"restarts":{"multiplier":2,"period":3},"shape":"cosine",\#
      "warmup":0}
      """#,
      #"{"learning_rate":0.5,"shape":"inverse_square_root","warmup":9}"#,
      #"{"decay":3,"final":0,"learning_rate":0.5,"shape":"wsd","steps":7,"warmup":0}"#,
      #"""
      {"after":4,"factor":0.5,"learning_rate":0.5,\#
      "plateau":{"factor":0.25,"minimum":0,"patience":0,"threshold":0.0001},\#
      "shape":"epoch_decay","warmup":0}
      """#,
      #"{"from":0.001,"learning_rate":0.5,"shape":"range","steps":7,"warmup":0}"#,
    ]
    for json in written {
      #expect(try encode(decode(ScheduleOptions.self, json)) == json)
    }
    let names = try Set(written.map { try decode(ScheduleOptions.self, $0).shape.name })
    #expect(names == Set(Shape.names))
    #expect(
      try decode(ScheduleOptions.self, #"{"learning_rate": 2}"#)
        == ScheduleOptions(learningRate: 2))
  }

  @Test(
    arguments: [
      ("{}", "learning_rate: learning_rate is missing; write a finite number above 0"),
      (
        #"{"learning_rate": -1}"#,
        "learning_rate: learning_rate is -1.0; write a finite number above 0"
      ),
      (
        #"{"learning_rate": 1, "warmup": -1}"#,
        "warmup: warmup is -1; write a whole number of at least 0"
      ),
      (
        #"{"learning_rate": 1, "shape": "cosin"}"#,
        "shape: no schedule is called cosin; did you mean \"cosine\"?"
      ),
      (
        #"{"learning_rate": 1, "shape": "step"}"#,
        "every: every is missing; write a whole number of at least 1"
      ),
      (
        #"{"learning_rate": 1, "shape": "step", "every": 0}"#,
        "every: every is 0; write a whole number of at least 1"
      ),
      (
        #"{"learning_rate": 1, "shape": "cosine", "restarts": {"period": 2, "multiplier": 0}}"#,
        "restarts.multiplier: multiplier is 0; write a whole number of at least 1"
      ),
      (
        #"{"learning_rate": 1, "shape": "epoch_decay", "factor": 1.15}"#,
        "factor: factor is 1.15; write a number above 0 and up to 1"
      ),
      (
        #"{"learning_rate": 1, "plateau": {"factor": 1}}"#,
        "plateau.factor: factor is 1.0; write a number above 0 and below 1"
      ),
    ])
  func `an impossible schedule is an error at its key, which says what to write`(
    json: String, sentence: String
  ) {
    #expect(complaint(ScheduleOptions.self, json) == sentence)
  }
}
