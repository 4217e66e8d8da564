internal import LinearAlgebra

extension SequenceModel {
  /// Runs the layers over a window like `read`, but feeds predictions in place of targets to the
  /// layers with target feedback: the likeliest symbol, the numbers, or the labels with a logit
  /// above 0.
  ///
  /// A step depends on the predictions of earlier steps only. The window is run repeatedly, each
  /// time with the predictions of the run before, so each run makes at least one more step final.
  /// It ends when no prediction changes: after as many runs as there are steps at most, and usually
  /// after a few (Jacobi iteration; Song 2021).
  /// - Returns: The number of correctly predicted symbols.
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

  /// Replaces targets with predictions; returns true if any of them changed.
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

  /// Returns the number that is fed back for an output: 1 for a label whose logit is above 0.
  private func prediction(_ output: Real) -> Real {
    if case .labels = interface.output { output > 0 ? 1 : 0 } else { output }
  }
}
