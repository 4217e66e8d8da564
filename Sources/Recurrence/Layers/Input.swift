internal import LinearAlgebra

/// The input of a window as an activation: frames as they are, symbols as one-hot rows.
///
/// It is needed if the input is read otherwise than by a layer's input product, such as by a
/// shortcut. A layer directly above reads the batch itself.
public struct Input: Layer {
  public let output: Activation
  private let source: LayerInput

  /// - Parameters:
  ///   - source: Frames, symbols, or no input, which gives empty rows.
  ///   - plan: The plan that the output is added to.
  public init(_ source: LayerInput, in plan: inout Plan) {
    output = plan.activation(plan.width(source))
    self.source = source
  }

  public func forward(_ pass: Pass) {
    let x = pass[output]
    if case .frames = source { return x.copy(pass.batch.featureRows) }
    guard case .symbols = source else { return }
    x.fill(0)
    let symbols = pass.batch.inputs.elements()
    for row in 0..<x.rows { x[row, Int(symbols[row])] = 1 }
  }

  public func backward(_ pass: Pass) {}
}

/// The condition z of each stream.
///
///     z = [E₁[c₁], E₂[c₂], …, x]
///
/// c are the classes and x the numbers. Without an embedding E is the identity: a class is a
/// one-hot row.
public struct ConditionInput: Layer {
  public let output: Activation
  private let tables: [Parameter]
  /// The width of each class's vector.
  private let widths: [Int]

  /// - Parameters:
  ///   - numbers: The number of numbers.
  ///   - classes: The number of values of each class.
  ///   - embedding: The width of the embedding of classes; nil for one-hot rows.
  ///   - initializer: The distribution of the first embeddings.
  ///   - plan: The plan that the embeddings and the output are added to.
  public init(
    _ numbers: Int, classes: [Int] = [], embedding: Int? = nil,
    initializer: Initializer = .pytorch, in plan: inout Plan
  ) {
    widths = classes.map { embedding ?? $0 }
    let scope = plan.scope
    plan.scope.layer = "condition"
    plan.scope.prefix = ""
    plan.scope.suffix = ""
    plan.scope.rateFactor = 1
    plan.scope.initializer = initializer
    tables =
      embedding.map { width in
        classes.enumerated().map { number, count in
          plan.parameter(
            "condition.\(number).weight", from: width, to: count, pytorch: .normal(1),
            kind: .embedding)
        }
      } ?? []
    output = plan.activation(numbers + widths.reduce(0, +), on: .stream)
    plan.scope = scope
  }

  public func forward(_ pass: Pass) {
    let z = pass[output]
    let classes = pass.batch.classes.elements(count: z.rows * widths.count)
    var place = 0
    for (number, width) in widths.enumerated() {
      for s in 0..<z.rows {
        let part = z[s][place..<place + width]
        let chosen = Int(classes[s * widths.count + number])
        if tables.isEmpty {
          part.fill(0)
          part[chosen] = 1
        } else {
          part.copy(pass[tables[number]].matrix[chosen])
        }
      }
      place += width
    }
    if place < z.columns { z.slice(columns: place..<z.columns).copy(pass.batch.conditionRows) }
  }

  public func backward(_ pass: Pass) {
    guard !tables.isEmpty else { return }
    let dz = pass.d[output]
    let classes = pass.batch.classes.elements(count: dz.rows * widths.count)
    for (number, width) in widths.enumerated() {
      for s in 0..<dz.rows {
        pass.d.add(
          dz[s][number * width..<(number + 1) * width], to: tables[number],
          row: Int(classes[s * widths.count + number]))
      }
    }
  }
}
