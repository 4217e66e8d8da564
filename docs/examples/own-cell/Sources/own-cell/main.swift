// Trains the model of train.yaml, whose cell is that of the module IndependentCells, in runs/own-cell; reads the
// checkpoint again and lets the model write. A run that was killed resumes.
import Checkpointing
import Collectives
import Configuration
import IndependentCells
import Inference
import Logging
import Recurrence
import Runs

try withCells(["indrnn": IndependentRNN.self]) {
  let options = try Configuration.decode(RunOptions.self, from: ["train.yaml"])
  let request = RunRequest(options, folder: RunFolder("runs/own-cell"))
  let run = try Run(request, world: SingleProcess(), log: Logger(label: "own-cell"))
  print(try run.train(), run.trainer.coordinator.state.validationLoss ?? .nan)

  let checkpoint = try Checkpoint(verifying: CheckpointStore.locate("runs/own-cell"))
  let generator = try TextGenerator(checkpoint)
  let settings = TextGenerator.Settings(sampling: Sampling(temperature: 0.5), length: 80)
  let prompt = generator.vocabulary.encode("The ")
  generator.continuations(of: [prompt], settings) { _, text in
    print(generator.vocabulary.decode(prompt + text.symbols))
  }
}
