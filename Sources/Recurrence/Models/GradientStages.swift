extension Model {
  /// The stages of a backward pass: the head, then each layer from top to bottom, then the encoder's. A
  /// parameter belongs to the last stage that uses it, because until then its gradient may grow.
  public var gradientStages: [GradientStage] {
    let backwards = layers.reversed() + encoder.reversed()
    var held = [parameterHandles(in: head)]
    held += backwards.map { parameterHandles(in: $0) }
    var last: [Parameter: Int] = [:]
    for (stage, parameters) in held.enumerated() {
      for parameter in parameters { last[parameter] = stage }
    }
    return held.enumerated().map { stage, parameters in
      var own = parameters.filter { last[$0] == stage }
      let layer = stage == 0 ? nil : backwards[stage - 1] as? any StagedLayer
      var parts = (layer?.parts ?? []).map { part in
        own.intersection(part).sorted { $0.index < $1.index }
      }
      own.subtract(parts.joined())
      parts.append(own.sorted { $0.index < $1.index })
      return GradientStage(parts: parts)
    }
  }
}
