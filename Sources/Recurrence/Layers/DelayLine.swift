internal import LinearAlgebra

/// The inputs of some earlier steps, side by side: `y(t) = [x(t − d₁), x(t − d₂), …]`.
///
/// The inputs of the last steps are carried from window to window, and are zero where a stream
/// starts anew.
struct DelayLine: Layer {
  let output: Activation
  private let delays: [Int]
  /// The layer that makes an activation of the input, with one row per step, because a row of y
  /// does not depend on a single symbol.
  private let reader: (any Layer)?
  private let input: Activation
  /// [x(t), x(t − 1), …], up to the longest delay.
  private let line: Activation
  private let carriedState: CarriedState

  /// - Parameter delays: The delays d; at least one of them is above zero.
  init(_ delays: [Int], reading source: LayerInput, in plan: inout Plan) {
    let width = plan.width(source)
    let longest = delays.max() ?? 0
    precondition(longest > 0 && delays.allSatisfy { $0 >= 0 }, "a delay line of delays \(delays)")
    self.delays = delays
    switch source {
    case .activation(let x): (reader, input) = (nil, x)
    case .lookup(let lookup):
      let embedding = Embedding(lookup, in: &plan)
      (reader, input) = (embedding, embedding.output)
    case .symbols, .frames, .nothing:
      let copy = Input(source, in: &plan)
      (reader, input) = (copy, copy.output)
    }
    line = plan.state(longest * width, named: "x", derivative: .rolling)
    carriedState = CarriedState(line, .zero, sinceReset: nil, in: plan)
    output = plan.activation(delays.count * width)
  }

  func forward(_ pass: Pass) {
    reader?.forward(pass)
    for t in 0..<pass.steps {
      carriedState.beforeStep(t, pass)
      let (x, past, now, y) = (pass[input, t], pass.before(line, t), pass[line, t], pass[output, t])
      let (width, kept) = (x.columns, now.columns - x.columns)
      now.slice(columns: 0..<width).copy(x)
      now.slice(columns: width..<width + kept).copy(past.slice(columns: 0..<kept))
      for (k, delay) in delays.enumerated() {
        y.part(k, of: delays.count).copy(
          delay == 0
            ? x : past.slice(columns: (delay - 1) * width..<delay * width))
      }
    }
  }

  func backward(_ pass: Pass) {
    for t in (0..<pass.steps).reversed() {
      carriedState.beforeBackward(t, pass)
      let (dx, dPast) = (pass.d[input, t], pass.d.before(line, t))
      let (dNow, dy) = (pass.d[line, t], pass.d[output, t])
      let (width, kept) = (dx.columns, dNow.columns - dx.columns)
      dx.add(dNow.slice(columns: 0..<width))
      dPast.slice(columns: 0..<kept).copy(dNow.slice(columns: width..<width + kept))
      dPast.slice(columns: kept..<kept + width).fill(0)
      for (k, delay) in delays.enumerated() {
        let destination =
          delay == 0 ? dx : dPast.slice(columns: (delay - 1) * width..<delay * width)
        destination.add(dy.part(k, of: delays.count))
      }
      carriedState.afterBackward(t, pass)
    }
    reader?.backward(pass)
  }
}
