internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let dataRules: [CompatibilityRule] = [
  .idle(
    "data.cache", "`data.cache` is for running texts: no other data is encoded and kept.",
    because: "only running texts are encoded and kept"
  ) { $0.data.cache != nil && !$0.isText },
  .idle(
    "data.test_length", "`data.test_length` of a task needs examples to test on.",
    because: "there is nothing to test on", or: "set data.test_size"
  ) { options in
    guard let task = options.data.task, task.testSize == 0 else { return false }
    return (task.task as? Tomita).map { $0.testLength != Tomita().testLength }
      ?? (task.task as? Parity).map { $0.testLength != Parity().testLength } ?? false
  },
  .idle(
    [
      "data.source.valid", "data.source.test", "data.condition.valid", "data.condition.test",
      "data.valid", "data.test",
    ],
    "Files of sources or conditions stand beside files in `data.valid` and `data.test`, not beside a "
      + "part of `data.train`."
  ) { options in
    let (data, reader) = (options.data, options.data.reader)
    let files: [(key: String, files: Paths?, part: HeldOut?)] = [
      ("source.valid", reader?.source?.valid, data.valid),
      ("source.test", reader?.source?.test, data.test),
      ("condition.valid", reader?.condition?.valid, data.valid),
      ("condition.test", reader?.condition?.test, data.test),
    ]
    return files.compactMap { key, files, part in
      if files == nil { return nil }
      if case .text = part { return nil }
      let name = key.hasSuffix("valid") ? "data.valid" : "data.test"
      return RuleViolation(
        idle: "data.\(key)",
        because: "it belongs to the files in \(name), and there are none", or: "name them")
    }
  },
]
