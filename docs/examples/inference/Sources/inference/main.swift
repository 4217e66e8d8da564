// Scores lines with a language model and continues each of them: inference RUN LINE…
import Checkpointing
import Datasets
import Inference
import Recurrence

guard CommandLine.arguments.count > 2 else {
  fatalError("name a run and a line: inference RUN LINE…")
}
let lines = Array(CommandLine.arguments.dropFirst(2))

// A run, its folder of checkpoints, or one of them.
let path = try CheckpointStore.locate(CommandLine.arguments[1])
let checkpoint = try Checkpoint(verifying: path)
let (model, weights, vocabulary) = try checkpoint.model()

let scorer = try LineScorer(model, weights: weights, vocabulary: vocabulary)
let none = [DecoderInput](repeating: DecoderInput(), count: lines.count)
for (line, score) in zip(lines, scorer.score(lines, given: none)) {
  print("log-probability \(-score.lossSum) of \(score.targets) symbols: \(line)")
}

let generator = try TextGenerator(checkpoint, seed: 1)
let settings = TextGenerator.Settings(
  sampling: Sampling(temperature: 0.5), length: 60, stop: ["\n"])
let prompts = lines.map { vocabulary.encode($0) }
generator.continuations(of: prompts, settings) { number, text in
  let bytes = generator.bytes(prompts[number], text, stop: settings.stop)
  print("continued: \(String(decoding: bytes, as: UTF8.self))")
}
