import Foundation

/// The equations of the cells in plain loops over Double, one stream and one step at a time: slow, and
/// sharing no code with the library.
struct PlainRecurrence {
  let oracle: Oracle.Case
  var parameters: [String: Oracle.Tensor]

  init(_ oracle: Oracle.Case) {
    self.oracle = oracle
    parameters = oracle.parameters
  }

  struct State {
    var h: [Double]
    var c: [Double]?
  }

  /// A forward pass.
  func forward(_ window: Oracle.Window) -> Oracle.Measured {
    let streams = oracle.streams
    var measured = Oracle.Measured()
    var states = (0..<streams).map { stream in
      window.before.map { State(h: Array($0.h[stream]), c: $0.c.map { Array($0[stream]) }) }
    }
    for row in 0..<window.steps * streams {
      var x = Array(parameters["encoder.weight"]![Int(window.inputs[row])])
      for layer in oracle.layers.indices {
        states[row % streams][layer] = step(layer, x, states[row % streams][layer])
        x = states[row % streams][layer].h
      }
      let logits = linear("decoder.weight", x, bias: "decoder.bias")
      measured.outputs += x
      if window.targets[row] >= 0 {
        measured.loss += log(logits.reduce(0) { $0 + exp($1) }) - logits[Int(window.targets[row])]
      }
    }
    measured.after = oracle.layers.indices.map { k in
      (states.flatMap { $0[k].h }, states[0][k].c.map { _ in states.flatMap { $0[k].c! } })
    }
    return measured
  }

  /// The derivative of the loss by central differences, a tied matrix changed in both its places.
  func gradient(of name: String, _ window: Oracle.Window) -> [Double] {
    let step = 1e-5
    let names =
      oracle.tied && name.hasSuffix("coder.weight") ? ["encoder.weight", "decoder.weight"] : [name]
    return parameters[name]!.values.indices.map { index in
      var changed = self
      func loss(_ change: Double) -> Double {
        for name in names {
          changed.parameters[name] = parameters[name]!.adding(change, at: index)
        }
        return changed.forward(window).loss
      }
      return (loss(step) - loss(-step)) / (2 * step)
    }
  }

  private func step(_ k: Int, _ x: [Double], _ before: State) -> State {
    func name(_ part: String) -> String { oracle.parameterName(part, layer: k) }
    let layer = oracle.layers[k]
    let n = layer.hidden
    let a = linear(name("weight_ih"), x, bias: name("bias_ih"))
    let b = linear(name("weight_hh"), before.h, bias: name("bias_hh"))
    switch layer.cell {
    case "elman":  // h = f(x W + b + h₋ U + b′)
      let h = (0..<n).map {
        layer.nonlinearity == "relu" ? max(0, a[$0] + b[$0]) : tanh(a[$0] + b[$0])
      }
      return State(h: h, c: nil)
    case "lstm":  // c = f∘c₋ + i∘g, h = (o∘tanh c) P
      let c = (0..<n).map { j in
        sigmoid(a[n + j] + b[n + j]) * before.c![j]
          + sigmoid(a[j] + b[j]) * tanh(a[2 * n + j] + b[2 * n + j])
      }
      let h = (0..<n).map { j in sigmoid(a[3 * n + j] + b[3 * n + j]) * tanh(c[j]) }
      return State(h: layer.projection == nil ? h : linear(name("weight_hr"), h), c: c)
    case "gru":  // n = tanh(x W + b + r∘(h₋ U + b′)), h = (1 − z)∘n + z∘h₋
      let h = (0..<n).map { j in
        let r = sigmoid(a[j] + b[j])
        let z = sigmoid(a[n + j] + b[n + j])
        return (1 - z) * tanh(a[2 * n + j] + r * b[2 * n + j]) + z * before.h[j]
      }
      return State(h: h, c: nil)
    default: preconditionFailure("no plain equations of a cell called \(layer.cell)")
    }
  }

  /// y = W x + b, with W stored `[out, in]`.
  private func linear(_ weight: String, _ x: [Double], bias: String? = nil) -> [Double] {
    let w = parameters[weight]!
    return (0..<w.shape[0]).map { i in
      zip(w[i], x).reduce(bias.map { parameters[$0]!.values[i] } ?? 0) { $0 + $1.0 * $1.1 }
    }
  }

  private func sigmoid(_ a: Double) -> Double { 1 / (1 + exp(-a)) }
}

extension Oracle.Tensor {
  fileprivate func adding(_ change: Double, at index: Int) -> Oracle.Tensor {
    var values = values
    values[index] += change
    return Oracle.Tensor(shape: shape, values: values)
  }
}
