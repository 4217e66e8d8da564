import LinearAlgebra
import Recurrence
import Testing

/// Weights of a model, drawn from U(−spread, spread) without regard to its initializers.
func drawWeights(_ plan: Plan, spread: Double, seed: UInt64 = 7) -> ParameterVector {
  let weights = ParameterVector(ParameterLayout(plan))
  let random = Philox(seed: seed, name: "weights")
  weights.update { weights in
    for (k, entry) in weights.layout.entries.enumerated() {
      let numbers = weights.elements(of: entry)
      for i in numbers.indices {
        numbers[i] = Real(spread * (2 * random.uniform(UInt64(k * 10_000 + i)) - 1))
      }
    }
  }
  return weights
}

/// Weights of a model as PyTorch had them, by name.
func readWeights(_ plan: Plan, of parameters: [String: Oracle.Tensor]) throws -> ParameterVector {
  let weights = ParameterVector(ParameterLayout(plan))
  try weights.update { weights in
    for entry in weights.layout.entries {
      let parameter = try #require(parameters[entry.name], "\(entry.name)")
      #expect(entry.shape == parameter.shape, "\(entry.name)")
      for (k, value) in parameter.values.enumerated() {
        weights.elements(of: entry)[k] = Real(value)
      }
    }
  }
  return weights
}
