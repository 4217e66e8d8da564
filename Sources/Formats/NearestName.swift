internal import Names

/// Returns ` (nearest: x)` with the most similar name, or nothing if none is similar.
package func nearest(_ name: String, in names: [String]) -> String {
  // The search is quadratic in the length of names, so long lists are cut.
  Suggestion.nearest(name, among: names.prefix(1000)).map { " (nearest: \($0))" } ?? ""
}
