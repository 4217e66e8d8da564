internal import LinearAlgebra

extension LSTM {
  /// Layer normalisation inside the cell (Ba, Kiros & Hinton 2016):
  ///
  ///     a = LN(x W) + LN(h(t−1) U)      h(t) = o ∘ tanh LN(c(t))
  ///
  /// Each has a gain and a shift; the shifts of the first two are b and b′.
  struct Normalization: Sendable {
    /// x W, normalised in place; in the backward pass its gradient replaces it.
    let fromInput: Activation
    /// h(t−1) U, treated in the same way.
    let fromState: Activation
    /// The normalised c(t); in the backward pass it becomes its contribution to ∂c.
    let memory: Activation
    /// LN(c(t)) and its gradient, kept for one step only.
    let seen, dSeen: Activation
    /// The factors with which the normalisation scaled x W, h(t−1) U and c(t).
    let scales: Activation
    let inputGain, stateGain, memoryGain, memoryShift: Parameter
    let bias: Parameter
    let recurrentBias: Parameter?
    let room: Scratch

    /// - Parameter fromInput: The activation that `Recurrent` fills with x W.
    init(_ options: Options, fromInput: Activation, in plan: inout Plan) {
      let n = options.hidden
      let width = LSTM.gates(options) * n
      let spread = Distribution.uniform(1 / Double(n).squareRoot())
      let one = [InitialValue.Part(0, of: 1, 1)]
      self.fromInput = fromInput
      fromState = plan.activation(width, derivative: .overwrites)
      memory = plan.activation(n, derivative: .overwrites)
      seen = plan.stepTemporary(n)
      dSeen = plan.stepTemporary(n)
      scales = plan.activation(3, derivative: .none)
      inputGain = plan.vector("gain_ih", count: width, pytorch: .zero, parts: one)
      stateGain = plan.vector("gain_hh", count: width, pytorch: .zero, parts: one)
      memoryGain = plan.vector("gain_c", count: n, pytorch: .zero, parts: one)
      memoryShift = plan.vector(
        "bias_c", count: n, pytorch: .zero, parts: [InitialValue.Part(0, of: 1, 0)])
      bias = plan.vector(
        "bias_ih", count: width, pytorch: spread, parts: LSTM.inputBias(options))
      recurrentBias =
        options.biases == 2 ? plan.vector("bias_hh", count: width, pytorch: spread) : nil
      room = plan.scratch(width)
    }

    /// Sets the gates' preactivations, from `past` = h(t−1).
    func preactivate(_ a: Matrix, _ past: Matrix, _ recurrent: Parameter, _ t: Int, _ pass: Pass) {
      let (x, u, scales) = (pass[fromInput, t], pass[fromState, t], pass[scales, t])
      u.setProduct(past, pass[recurrent])
      a.fillEveryRow(pass[bias].row)
      if let recurrentBias { a.addToEveryRow(pass[recurrentBias].row) }
      for s in 0..<pass.streams {
        scales[s][0] = LayerNormalization.normalize(x[s])
        scales[s][1] = LayerNormalization.normalize(u[s])
        LayerNormalization.add(pass[inputGain].row, x[s], to: a[s])
        LayerNormalization.add(pass[stateGain].row, u[s], to: a[s])
      }
    }

    /// Returns LN(c) of stream s, which o and tanh read.
    func see(_ c: Row, _ s: Int, _ t: Int, _ pass: Pass) -> Row {
      let (normalized, seen) = (pass[memory, t][s], pass[seen, t][s])
      LayerNormalization.copy(c, to: normalized)
      pass[scales, t][s][2] = LayerNormalization.normalize(normalized)
      LayerNormalization.set(seen, pass[memoryGain].row, normalized, pass[memoryShift].row)
      return seen
    }

    /// Replaces o with ∂o, given ∂h, and adds to ∂c.
    func differentiateOutput(_ dh: Row, _ o: Row, _ dc: Row, _ s: Int, _ t: Int, _ pass: Pass) {
      let (normalized, seen, dSeen) = (pass[memory, t][s], pass[seen, t][s], pass[dSeen, t][s])
      LayerNormalization.set(seen, pass[memoryGain].row, normalized, pass[memoryShift].row)
      LayerNormalization.clear(dSeen)
      MemoryKernels.differentiateOutput(dh, seen, o, dSeen)
      LayerNormalization.add(dSeen, to: pass.d[memoryShift].row)
      LayerNormalization.differentiate(
        dSeen, normalized, gain: pass[memoryGain].row, scale: pass[scales, t][s][2],
        dGain: pass.d[memoryGain].row, room: room(dc.count, pass))
      LayerNormalization.add(normalized, to: dc)
    }

    /// Computes the gradients of x W and of h(t−1) U from `da`, the gradient of the gates.
    func differentiate(_ da: Matrix, _ t: Int, _ pass: Pass) {
      let (x, u, scales) = (pass[fromInput, t], pass[fromState, t], pass[scales, t])
      let room = room(da.columns, pass)
      for s in 0..<pass.streams {
        LayerNormalization.differentiate(
          da[s], x[s], gain: pass[inputGain].row, scale: scales[s][0],
          dGain: pass.d[inputGain].row, room: room)
        LayerNormalization.differentiate(
          da[s], u[s], gain: pass[stateGain].row, scale: scales[s][1],
          dGain: pass.d[stateGain].row, room: room)
      }
    }

    /// Accumulates the gradients of the biases from the gradients of the gates at all steps.
    func accumulate(_ da: Matrix, _ pass: Pass) {
      pass.d[bias].addColumnSums(da)
      if let recurrentBias { pass.d[recurrentBias].addColumnSums(da) }
    }

    private func room(_ count: Int, _ pass: Pass) -> Row {
      Matrix(pass.scratch(room), rows: 1, columns: count)[0]
    }
  }
}
