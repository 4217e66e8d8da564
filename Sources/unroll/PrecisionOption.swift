public import ArgumentParser
public import LinearAlgebra

extension Precision: ExpressibleByArgument {}

/// The number format in which a trained model is used.
struct PrecisionOption: ParsableArguments {
  @Option(help: "float32 or bfloat16: the number format of the products; the run's unless given.")
  var precision: Precision?
}
