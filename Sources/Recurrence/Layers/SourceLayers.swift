/// The layers of the encoder, which run along the axis of the source.
struct SourceLayers: Layer {
  let output: Activation
  private let layers: [any Layer]

  init(_ layers: [any Layer]) {
    self.layers = layers
    output = layers.last!.output
  }

  var probes: [Probe] {
    layers.flatMap(\.probes).map { probe in
      var probe = probe
      probe.axis = .source
      return probe
    }
  }

  func forward(_ pass: Pass) {
    let source = pass.along(.source)
    for layer in layers {
      layer.forward(source)
      pass.releasePackedWeights()
      pass.mark(.other)
    }
  }

  func backward(_ pass: Pass) {
    let source = pass.along(.source)
    for layer in layers.reversed() {
      layer.backward(source)
      pass.releasePackedWeights()
      pass.mark(.other)
    }
  }
}
