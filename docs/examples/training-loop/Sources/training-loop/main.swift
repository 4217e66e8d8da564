import Optimization
import Recurrence
import Sequences

let (steps, streams) = (20, 1)
let model = SequenceModel(
  SequenceModelOptions(
    embedding: 16,
    layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 32)))]),
  vocabulary: 128, seed: 1)
let layout = ParameterLayout(model.plan)
let weights = ParameterVector(layout)
weights.initialize(seed: 1)
let gradient = ParameterVector(layout)
let optimizer = Adam(Adam.Options(), layout: layout)
let tape = Tape(model.plan, steps: steps, streams: streams, derivatives: true)
let batch = Batch(rows: steps * streams)
let text = "to be, or not to be, that is the question: ".utf8.map { Int32($0) }

for step in 0..<300 {
  batch.begin(steps: steps, streams: streams)
  for t in 0..<steps {
    batch.inputs.start[t] = text[(step * steps + t) % text.count]
    batch.targets.start[t] = text[(step * steps + t + 1) % text.count]
  }
  gradient.clear()
  let pass = tape.begin(batch, weights: weights, gradient: gradient)
  model.forward(pass)
  model.backward(pass)
  optimizer.update(
    weights, gradient: gradient, rate: 0.01, scale: 1 / Double(pass.loss.targets))
  tape.carryStates()
  if step % 100 == 99 { print(step + 1, pass.loss.sum / Double(pass.loss.targets)) }
}
