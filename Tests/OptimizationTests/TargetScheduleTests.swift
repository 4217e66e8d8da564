import Foundation
import Optimization
import Testing

@Suite struct `How likely targets are fed` {
  @Test func `Each shape is the function that its name says`() {
    for step in [0, 1, 7, 40, 99, 100, 5000, 2_000_000] {
      let i = Double(step)
      let expected: [TargetSchedule.Shape: Double] = [
        .linear: 0.2 + 0.7 * max(1 - i / 100, 0),
        .exponential: 0.2 + 0.7 * exp(-i / 100),
        .inverseSigmoid: 0.2 + 0.7 * 100 / (100 + exp(i / 100)),
      ]
      for (shape, value) in expected {
        let found = TargetSchedule(shape, from: 0.9, to: 0.2, steps: 100).probability(step: step)
        #expect(abs(found - value) < 1e-12, "\(shape) at \(step)")
      }
      #expect(TargetSchedule(constant: 0.3).probability(step: step) == 0.3)
    }
  }

  private func decode(_ json: String) throws -> TargetSchedule {
    try JSONDecoder().decode(TargetSchedule.self, from: Data(json.utf8))
  }

  @Test func `What makes no sense is refused, and the rest comes back as it was`() throws {
    #expect(try decode(#"{"steps": 9}"#) == TargetSchedule(.linear, from: 1, to: 0, steps: 9))
    for schedule in [
      TargetSchedule(constant: 0.5), TargetSchedule(.exponential, from: 0.2, to: 0.6, steps: 3),
    ] {
      let data = try JSONEncoder().encode(schedule)
      #expect(try JSONDecoder().decode(TargetSchedule.self, from: data) == schedule)
    }
    for wrong in [
      "{}", #"{"steps": 0}"#, #"{"steps": 9, "from": 1.5}"#, #"{"steps": 9, "to": -0.1}"#,
      #"{"steps": 9, "from": 0.5, "to": 0.5}"#, #"{"shape": "constant"}"#,
      #"{"shape": "cosine", "steps": 9}"#,
    ] {
      #expect(throws: DecodingError.self, "\(wrong)") { try decode(wrong) }
    }
  }
}
