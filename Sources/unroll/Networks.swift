internal import ArgumentParser
internal import Tools
internal import Training

struct Networks: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Shows every cell, layer and head with its equations, options and parameters, and every task.",
    discussion: "The names and options are those that configurations use.")

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let catalogue = NetworkCatalogue()
    print(json ? try catalogue.json : catalogue.words)
  }
}
