internal import Datasets
internal import Formats

// A registered task needs no description of its own: its options are found by encoding them.
extension NetworkCatalogue.Task {
  static var all: [Self] {
    Datasets.tasks.sorted { $0.key < $1.key }.map { Self($1, name: $0) }
  }

  private init<Task: GeneratedTask>(_ task: Task.Type, name: String) {
    self.name = name
    summary = Task.summary
    source = Task.source
    // No task has a required key.
    let standard = try? JSONValue(encoding: JSONValue.object([:]).decode(Task.self))
    guard case .object(let members)? = standard else {
      preconditionFailure("the task \(name) has no options of its own accord")
    }
    options = members.sorted { $0.key < $1.key }
      .map { NetworkCatalogue.Option(key: $0.key, standard: $0.value, others: []) }
  }
}
