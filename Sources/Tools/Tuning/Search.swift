package import Configuration
internal import Formats
internal import Foundation
internal import LinearAlgebra

/// A search for settings: what is varied, how many trials there are, and when the worse half of them ends.
///
/// The trials' values are spread evenly at random: those of trial n are the fractional parts of s + n α,
/// where s are random numbers of the seed, and α are the powers of 1/φ for φ^(d+1) = φ + 1 with d settings
/// (Roberts 2018, an additive recurrence in the manner of Kronecker). More trials extend a search without
/// changing those before.
package struct Search: Sendable {
  package let settings: [TunedSetting]
  package let trials: Int
  package let seed: UInt64
  /// The steps after each of which the better half of the trials goes on (Jamieson & Talwalkar 2016, successive
  /// halving); none to take all trials to their end.
  package let halvings: [Int]

  /// - Throws: `UsageError` if nothing is varied, a key twice, or the steps do not rise.
  package init(
    over texts: [String], trials: Int, seed: UInt64, halvings: [Int]
  ) throws(UsageError) {
    var settings: [TunedSetting] = []
    for text in texts { settings.append(try TunedSetting(text)) }
    guard !settings.isEmpty else {
      throw UsageError(
        "nothing is varied: add --over KEY=RANGE, as in --over training.schedule.learning_rate=1e-4..1e-2:log"
      )
    }
    for (index, setting) in settings.enumerated()
    where settings[..<index].contains(where: { $0.key == setting.key }) {
      throw UsageError("--over \(setting.key) is given twice: give one range for it")
    }
    guard halvings.allSatisfy({ $0 >= 1 }),
      zip(halvings, halvings.dropFirst()).allSatisfy({ $0 < $1 })
    else {
      throw UsageError("--halve-at needs steps from 1 on that rise, as in --halve-at 500,1000,2000")
    }
    guard halvings.isEmpty || trials > 1 else {
      throw UsageError(
        "--halve-at has no effect on a single trial: remove it, or ask for more --trials")
    }
    let counts = settings.compactMap(\.count)
    let combinations = counts.reduce(1, *)
    guard counts.count < settings.count || combinations >= Double(trials) else {
      throw UsageError(
        "there are only \(Int(combinations)) combinations of these values: give --trials \(Int(combinations)) or less"
      )
    }
    (self.settings, self.trials, self.seed) = (settings, trials, seed)
    self.halvings = halvings
  }

  /// The assignments of every trial. Values that an earlier trial has are left out.
  package var assignments: [[String]] {
    var (found, seen): ([[String]], Set<[String]>) = ([], [])
    var index = 0
    while found.count < trials {
      let next = assignments(of: index)
      index += 1
      // A range may be so narrow that its numbers are few when they are rounded.
      if seen.insert(next).inserted || index > 100 * trials + 10_000 { found.append(next) }
    }
    return found
  }

  /// Returns true if an assignment is of a key that is varied.
  package func varies(_ assignment: String) -> Bool {
    settings.contains { assignment.hasPrefix($0.key + "=") }
  }

  /// Returns the assignments at a place of the sequence, from 0.
  private func assignments(of index: Int) -> [String] {
    let base = Self.root(of: settings.count)
    let shifts = Philox(key: seed)
    return settings.enumerated().map { d, setting in
      let alpha = pow(1 / base, Double(d + 1))
      let place = shifts.uniform(UInt64(d)) + Double(index + 1) * alpha
      return "\(setting.key)=\(setting.value(at: place - place.rounded(.down)))"
    }
  }

  /// Returns the root above 1 of φ^(d+1) = φ + 1: the golden ratio for one setting.
  private static func root(of d: Int) -> Double {
    var phi = 1.5
    for _ in 0..<64 { phi = pow(1 + phi, 1 / Double(d + 1)) }
    return phi
  }

  // MARK: The folder's memory

  /// A search as its folder keeps it, so that a resumed one is the same.
  private struct Record: Codable, Equatable {
    /// The configuration of every trial but for what is varied.
    let configuration: String
    let over: [String]
    let seed: UInt64
    let halvings: [Int]
    /// Not compared without halvings: more trials may be added.
    var trials: Int
  }

  /// Keeps the search in its folder, or checks that the one there is the same.
  /// - Parameters:
  ///   - configuration: The configuration of every trial, with every default.
  ///   - isBegun: True if a trial was begun, so that the folder may not get another search.
  /// - Throws: `UsageError` if the folder holds another search; `FileError` if it cannot be written.
  package func keep(in folder: String, configuration: String, isBegun: Bool) throws {
    let file = folder + "/search.json"
    let record = Record(
      configuration: configuration, over: settings.map(\.text), seed: seed, halvings: halvings,
      trials: trials)
    if isBegun {
      let found = (try? readFile(file)).flatMap {
        try? JSONValue.decoder.decode(Record.self, from: Data($0))
      }
      var known = found
      if halvings.isEmpty { known?.trials = trials }
      guard known == record else {
        throw UsageError(
          "\(folder) holds another search: choose another --run folder, or repeat the configuration and the "
            + "options of the first")
      }
    }
    try createFolders(folder)
    try replaceFile(file, with: prettyJSON(record) + "\n")
  }
}
