internal import ArgumentParser
internal import Configuration
internal import Foundation
internal import Reporting

struct Schema: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the JSON Schema of configurations, by which editors complete and check them.",
    discussion: """
      Rules between keys are checked by unroll train alone; --print-config checks a file without training.
      """)

  func run() throws {
    try StandardStreams.put(Data(try ConfigurationSchema.json()))
  }
}
