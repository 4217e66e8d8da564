internal import LinearAlgebra

extension SequenceModel {
  /// Runs the layers over a window as `read` does, but feeds what is predicted at each step, where
  /// layers are fed targets, in place of what is asked for there: the likeliest symbol, the
  /// numbers, or the labels that are likelier to hold than not.
  ///
  /// What a step computes depends on predictions for earlier steps alone, so going over the window
  /// again with the predictions of the time before leaves one step more as it has to be each time,
  /// and ends where nothing changes: after as many times as there are steps at most, and most often
  /// after a few (Jacobi's iteration; Song 2021).
  /// - Returns: how many symbols are predicted right.
  @discardableResult
  public func predict(_ pass: Pass) -> Int {
    encode(pass)
    let first = firstTeacherForced ?? layers.count
    for layer in layers[..<first] { layer.forward(pass) }
    let batch = pass.batch
    let targets = Array(batch.targets.elements(count: batch.rows))
    let values = Array(batch.values.elements(count: batch.rows * batch.widths.values))
    for _ in 0...pass.steps {
      for layer in layers[first...] { layer.forward(pass) }
      if !takePredictions(pass) || firstTeacherForced == nil { break }
    }
    var right = 0
    if case .symbols = interface.output {
      for row in 0..<batch.rows where targets[row] >= 0 && batch.targets.start[row] == targets[row]
      {
        right += 1
      }
    }
    _ = batch.targets.elements().update(fromContentsOf: targets)
    _ = batch.values.elements().update(fromContentsOf: values)
    return right
  }

  /// Puts what is predicted in place of what is asked for; returns whether it was anything else.
  private func takePredictions(_ pass: Pass) -> Bool {
    let batch = pass.batch
    let values = batch.valueRows
    var changed = false
    for t in 0..<pass.steps {
      let outputs = outputs(at: t, pass)
      for s in 0..<pass.streams {
        let row = t * pass.streams + s
        guard batch.hasTarget(row) else { continue }
        switch interface.output {
        case .symbols:
          let symbol = Int32(outputs[s].indexOfMaximum)
          if batch.targets.start[row] != symbol { changed = true }
          batch.targets.start[row] = symbol
        case .numbers, .labels:
          for j in 0..<outputs.columns {
            let value = prediction(outputs[s, j])
            if values[row, j].bitPattern != value.bitPattern { changed = true }
            values[row, j] = value
          }
        }
      }
    }
    return changed
  }

  /// The number that an output stands for where it is fed back: a label holds where its logit is above 0.
  private func prediction(_ output: Real) -> Real {
    if case .labels = interface.output { output > 0 ? 1 : 0 } else { output }
  }
}
