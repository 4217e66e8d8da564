internal import Formats

// How tables of networks that have no registry are written.
extension NetworkCatalogue.Network {
  init(
    _ name: String, _ source: String, _ equations: [String], options: [Option] = [],
    parameters: [Parameter] = [], further: [String: [Parameter]] = [:], example: String = ""
  ) {
    self.init(
      name: name, equations: equations, source: source, options: options, parameters: parameters,
      further: further, example: example)
  }
}

extension NetworkCatalogue.Option {
  /// A key, what it is unless set, or nil where it must be given, and other values.
  init(_ key: String, _ standard: JSONValue?, _ others: JSONValue...) {
    self.init(key: key, standard: standard, others: others)
  }
}

extension NetworkCatalogue.Parameter {
  init(_ name: String, _ shape: String...) { self.init(name: name, shape: shape) }
}
