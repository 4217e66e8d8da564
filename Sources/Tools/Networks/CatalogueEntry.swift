internal import Formats

// Shorthand for tables of networks without a registry.
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
  /// Makes an option from a key, its default (nil if it is required), and other values.
  init(_ key: String, _ standard: JSONValue?, _ others: JSONValue...) {
    self.init(key: key, standard: standard, others: others)
  }
}

extension NetworkCatalogue.Parameter {
  init(_ name: String, _ shape: String...) { self.init(name: name, shape: shape) }
}
