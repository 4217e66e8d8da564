import Configuration
import Formats
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

@Suite struct `Parameters in tensor files` {
  static func layout(hidden: Int = 5, second: Bool = true) -> ParameterLayout {
    var plan = Plan()
    plan.scope.prefix = "rnn."
    plan.scope.suffix = "_l0"
    _ = plan.parameter("weight_ih", from: 3, to: hidden, pytorch: .uniform(1))
    _ = plan.vector("bias_ih", count: hidden, pytorch: .uniform(1))
    if second {
      plan.scope.suffix = "_l1"
      _ = plan.parameter("weight_ih", from: hidden, to: 7, pytorch: .uniform(1))
    }
    return ParameterLayout(plan)
  }

  static func vector(_ seed: UInt64, _ layout: ParameterLayout = layout()) -> ParameterVector {
    let vector = ParameterVector(layout)
    vector.initialize(seed: seed)
    return vector
  }

  @Test func `weights and moments come back with the bits they had`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/optimizer.safetensors"
      let (first, second) = (Self.vector(1), Self.vector(2))
      try Safetensors.save(
        first.tensors(prefix: "exp_avg.") + second.tensors(prefix: "exp_avg_sq.")
          + [Tensor("step", shape: [], copying: [12 as Int64])], to: path)
      let file = try SafetensorsFile(path)
      #expect(file["exp_avg.rnn.weight_ih_l0"]?.shape == [5, 3])
      #expect(file["exp_avg_sq.rnn.bias_ih_l0"]?.shape == [5])
      let (a, b) = (ParameterVector(Self.layout()), ParameterVector(Self.layout()))
      let version = a.version
      try file.load(into: [("exp_avg.", a), ("exp_avg_sq.", b)], besides: ["step"])
      #expect(a.version > version)
      #expect(a.buffer.elements().elementsEqual(first.buffer.elements()))
      #expect(b.buffer.elements().elementsEqual(second.buffer.elements()))
      #expect(!a.buffer.elements().elementsEqual(second.buffer.elements()))
    }
  }

  @Test func `names and shapes that do not fit are listed, and nothing is loaded`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.safetensors"
      try Safetensors.save(
        Self.vector(1, Self.layout(hidden: 6, second: false)).tensors()
          + [Tensor("rnn.weight_hh_l1", shape: [1], copying: [1 as Float])], to: path)
      let vector = ParameterVector(Self.layout())
      let error = #expect(throws: FileError.self) {
        try SafetensorsFile(path).load(into: [("", vector)])
      }
      #expect(
        error?.description
          == "\(path) does not fit this model: it has no rnn.weight_ih_l1 (nearest: "
          + "rnn.weight_hh_l1), and it holds rnn.bias_ih_l0 as [6] and not [5], rnn.weight_ih_l0 as "
          + "[6, 3] and not [5, 3], and it also holds rnn.weight_hh_l1; use the configuration it was "
          + "made with")
      #expect(error?.exitCode == 65)
      #expect(vector.buffer.elements().allSatisfy { $0 == 0 })
    }
  }

  @Test func `a tied matrix is found under its other name`() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.safetensors"
      try Safetensors.save(
        [Tensor("decoder.weight", shape: [2], copying: [1, 2] as [Float])],
        metadata: ["encoder.weight": "decoder.weight"], to: path)
      #expect(try SafetensorsFile(path).values("encoder.weight", as: Float.self) == [1, 2])
      let error = #expect(throws: FileError.self) {
        try SafetensorsFile(path).values("decoder.weigth", as: Float.self)
      }
      #expect(error?.description.contains("(nearest: decoder.weight)") == true)
    }
  }
}
