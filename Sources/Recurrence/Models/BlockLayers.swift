internal import Sequences

extension Stack {
  /// Adds the layers of a block, each by itself: normalisation, mixer and sum, then normalisation, MLP and
  /// sum. Dropout masks the two branches before the sums.
  mutating func add(
    _ block: BlockOptions, of layer: LayerOptions, _ index: Int, in plan: inout Plan
  ) {
    let scope = plan.scope
    defer { plan.scope = scope }
    plan.scope.suffix = ""
    let input = output
    append("norm.", of: scope, in: &plan) {
      Normalization(block.norm, reading: input, in: &$0)
    }
    addMixer(block, of: layer, index, scope, width: plan.width(input), in: &plan)
    addBranch("mixer", of: layer, to: input, in: &plan)
    if let mlp = block.mlp {
      let middle = output
      append("mlp_norm.", of: scope, in: &plan) {
        Normalization(block.norm, reading: middle, in: &$0)
      }
      add(mlp, of: block, scope, width: plan.width(middle), in: &plan)
      addBranch("mlp", of: layer, to: middle, in: &plan)
    }
    top = output
  }

  /// Adds a layer whose parameters' names begin with that of a part of the block.
  private mutating func append(
    _ part: String, of scope: Plan.Scope, in plan: inout Plan, _ make: (inout Plan) -> any Layer
  ) {
    plan.scope.prefix = scope.prefix + part
    plan.scope.suffix = ""
    layers.append(make(&plan))
    output = layers.last!.output
  }

  private mutating func addMixer(
    _ block: BlockOptions, of layer: LayerOptions, _ index: Int, _ scope: Plan.Scope, width: Int,
    in plan: inout Plan
  ) {
    let mixer = block.mixer
    let input = output
    let mixed = layer.mixerWidth ?? mixer.options.output
    var gate: Activation?
    if mixer.gate != nil {
      append("mixer.gate_proj.", of: scope, in: &plan) {
        Linear(mixed, reading: input, bias: mixer.bias, derivative: .overwrites, in: &$0)
      }
      gate = output
      output = input
    }
    if let inner = mixer.inProjection {
      append("mixer.in_proj.", of: scope, in: &plan) {
        Linear(inner, reading: input, bias: mixer.bias, in: &$0)
      }
    }
    if let convolution = mixer.convolution {
      let line = output
      append("mixer.conv.", of: scope, in: &plan) {
        CausalConvolution(convolution, reading: line, in: &$0)
      }
    }
    plan.scope.prefix = scope.prefix + "mixer."
    if layer.feedsTargets, firstTeacherForced == nil { firstTeacherForced = layers.count }
    let built = recurrentLayer(
      layer, index, mixer.cell, mixer.options, reading: .activation(output), shown: .aligned,
      in: &plan
    ).layer
    layers.append(built)
    output = built.output
    let values = output
    if let gate, let function = mixer.gate {
      append("mixer.", of: scope, in: &plan) {
        GatedProduct(function, of: gate, times: values, in: &$0)
      }
    }
    let result = output
    if mixer.outProjection ?? (mixed != width) {
      append("mixer.out_proj.", of: scope, in: &plan) {
        Linear(
          width, reading: result, bias: mixer.bias, variance: block.outputVariance, in: &$0)
      }
    }
  }

  private mutating func add(
    _ mlp: MLPOptions, of block: BlockOptions, _ scope: Plan.Scope, width: Int,
    in plan: inout Plan
  ) {
    let inner = mlp.width(of: width)
    let isGated = mlp.kind.isGated
    if mlp.tokenShift {
      let read = output
      append("mlp.shift.", of: scope, in: &plan) {
        TokenShift(reading: read, exponent: mlp.shiftExponent, in: &$0)
      }
    }
    let input = output
    append(isGated ? "mlp.gate_up_proj." : "mlp.up_proj.", of: scope, in: &plan) {
      Linear(
        isGated ? 2 * inner : inner, reading: input, bias: mlp.bias, bound: mlp.upBound,
        derivative: .overwrites, in: &$0)
    }
    let up = output
    append("mlp.", of: scope, in: &plan) {
      isGated
        ? GatedProduct(mlp.kind.function, of: up, times: nil, in: &$0) as any Layer
        : Pointwise(mlp.kind.function, of: up, in: &$0)
    }
    let values = output
    append("mlp.down_proj.", of: scope, in: &plan) {
      Linear(width, reading: values, bias: mlp.bias, variance: block.outputVariance, in: &$0)
    }
  }

  /// Adds dropout on a branch, and the sum of the branch and the residual stream.
  private mutating func addBranch(
    _ part: String, of layer: LayerOptions, to input: Activation, in plan: inout Plan
  ) {
    plan.scope.suffix = ""
    let rate = layer.dropout ?? options.dropout
    let branch = output
    if rate > 0 {
      layers.append(
        Dropout(
          rate, variational: options.variational, seed: seed,
          name: plan.scope.layer + " " + part, reading: branch, in: &plan))
      output = layers.last!.output
    }
    layers.append(ResidualSum(of: input, and: output, in: &plan))
    output = layers.last!.output
  }
}
