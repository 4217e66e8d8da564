internal import ArgumentParser
internal import Configuration
internal import Foundation

/// The files and assignments that form a configuration.
struct ConfigurationArguments: ParsableArguments {
  @Argument(
    help: "Configuration files; values in later ones override earlier ones.",
    completion: .file(extensions: ["yaml", "yml"]))
  var configurations: [String]

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: "Sets one key, as in training.bptt=35.")
  var assignments: [String] = []

  /// - Parameter model: The section `model` of a configuration that has none, as YAML.
  /// - Throws: `ConfigurationError`, also for a setting that would have no effect.
  func load(model: String? = nil) throws -> RunOptions {
    var configuration = try Configuration.load(files: configurations, set: assignments)
    if let model, !configuration.contains("model") {
      configuration = configuration.merged(
        with: try Configuration(yaml: "model: \(model)", file: "the imported model"))
    }
    let options = try configuration.decode(RunOptions.self)
    if let violation = options.violations(at: .start).first {
      throw ConfigurationError(at: configuration.origin(of: violation.key), violation.sentence)
    }
    return options
  }

  /// Returns the text to keep in the run's folder: a single file as it is, or the merged result of
  /// several.
  /// - Parameter source: The file of which a part of the options comes; nil if all are given.
  func text(_ options: RunOptions, and source: String? = nil) throws -> String {
    if source == nil, configurations.count == 1, assignments.isEmpty {
      return (try? String(contentsOfFile: configurations[0], encoding: .utf8)) ?? ""
    }
    let origin = (configurations + assignments.map { "--set \($0)" } + (source.map { [$0] } ?? []))
      .joined(separator: " ")
    return "# From \(origin)\n" + (try ResolvedConfiguration.yaml(options))
  }
}
