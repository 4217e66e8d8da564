internal import Checkpointing
internal import LinearAlgebra
internal import Recurrence

/// The weights of one layer with a cell, in the two forms of a file: W, U and their biases, or one
/// matrix M = [W | U] with a = M [x, h₋] + c.
///
/// c is b + b′ if both are only added. The candidate of a `gru` is tanh(Wₙ x + bₙ + r ∘ (Uₙ h₋ +
/// b′ₙ)); its rows of M are two separate products, its c is bₙ, and b′ₙ stays a separate vector.
/// The candidate of `gru-reset-before` has r ∘ h₋ in place of h₋, that of an `update-gru` with
/// `gate_candidate` Γ ∘ c₋.
struct CellWeights {
  /// The index of the update gate among the blocks of `hidden` rows; nil if there is none.
  private let updateGate: Int?
  /// True if the candidate's second bias stays a vector of its own in the joined form.
  private let keepsCandidateBias: Bool
  private let hidden: Int
  /// The lengths of x and of h₋, and the number of rows of M.
  private let (read, past, rows): (Int, Int, Int)
  private let hasSecondBias: Bool
  /// True if the candidate's rows of U, which read another vector, are a matrix of their own.
  private let hasOwnCandidate: Bool
  /// The prefix and the suffix of this layer's names.
  private let (prefix, suffix): (String, String)

  /// - Parameters:
  ///   - input: W, whose name gives the names of the other parameters.
  ///   - options: The options of the layer.
  init?(
    _ input: ParameterLayout.Entry, of options: LayerOptions, in layout: ParameterLayout
  ) {
    guard let place = input.name.range(of: "weight_ih_l"),
      input.name[place.upperBound...].first?.isNumber == true,
      case .recurrent(let cell, let options) = options.kind
    else { return nil }
    guard let cell = Recurrence.cell(named: cell) as? any PortableCell.Type else { return nil }
    updateGate = cell.updateGate
    keepsCandidateBias = cell.keepsCandidateBias
    hidden = options.hidden
    (read, rows) = (input.columns, input.rows)
    prefix = String(input.name[..<place.lowerBound])
    suffix = String(input.name[place.lowerBound...].dropFirst("weight_ih".count))
    guard let recurrent = layout.entry(named: prefix + "weight_hh" + suffix) else { return nil }
    past = recurrent.columns
    hasOwnCandidate = layout.entry(named: prefix + "weight_hn" + suffix) != nil
    hasSecondBias = layout.entry(named: prefix + "bias_hh" + suffix) != nil
  }

  var hasUpdateGate: Bool { updateGate != nil }

  private func name(_ own: String) -> String { prefix + own + suffix }

  /// The name of M.
  var joinedName: String { name("weight") }

  private var separateNames: [String] {
    (["weight_ih", "weight_hh"] + (hasOwnCandidate ? ["weight_hn"] : [])
      + ["bias_ih", "bias_hh"]).map(name)
  }

  /// The names of all parts of both forms.
  var names: [String] { separateNames + ["weight", "bias", "bias_hn"].map(name) }

  /// Negates the update gate's rows wherever they are.
  func flipUpdateGate(_ tensors: inout [String: NamedTensor]) {
    guard let updateGate else { return }
    let rows = updateGate * hidden..<(updateGate + 1) * hidden
    let names = ["weight", "bias", "weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(name)
    for name in names {
      guard let tensor = tensors[name], tensor.shape.first ?? 0 >= rows.upperBound else { continue }
      let width = tensor.shape.dropFirst().reduce(1, *)
      for i in rows.lowerBound * width..<rows.upperBound * width {
        tensors[name]!.values[i].negate()
      }
    }
  }

  /// Replaces W, U and the biases with M and c.
  func join(_ tensors: inout [String: NamedTensor]) {
    let parts = separateNames.map { tensors.removeValue(forKey: $0) }
    let third = hasOwnCandidate ? parts[2]!.values : []
    let (w, u) = (parts[0]!.values, parts[1]!.values + third)
    let (b, second) = (parts[parts.count - 2]!.values, parts[parts.count - 1]?.values)
    var joined: [Float] = []
    joined.reserveCapacity(w.count + u.count)
    for row in 0..<rows {
      joined += w[row * read..<(row + 1) * read]
      joined += u[row * past..<(row + 1) * past]
    }
    tensors[joinedName] = NamedTensor([rows, read + past], joined)
    let added = keepsCandidateBias ? rows - hidden : rows
    var sum = b
    for i in 0..<added { sum[i] += second?[i] ?? 0 }
    tensors[name("bias")] = NamedTensor([rows], sum)
    if keepsCandidateBias {
      let zeros = [Float](repeating: 0, count: hidden)
      tensors[name("bias_hn")] = NamedTensor([hidden], second.map { Array($0[added...]) } ?? zeros)
    }
  }

  /// Finds errors in M, c and b′ₙ of a file.
  func findMisfits(_ tensors: [String: NamedTensor], _ misfits: inout Misfits) {
    check(joinedName, [rows, read + past], tensors, &misfits)
    check(name("bias"), [rows], tensors, &misfits)
    misfits.unexpected += separateNames.filter { tensors[$0] != nil }
    let own = name("bias_hn")
    guard keepsCandidateBias, hasSecondBias || tensors[own] != nil else { return }
    check(own, [hidden], tensors, &misfits)
    if !hasSecondBias, tensors[own]?.values.contains(where: { $0 != 0 }) == true {
      misfits.wrong.append("\(own) other than zero (set the layer's biases to 2)")
    }
  }

  private func check(
    _ name: String, _ shape: [Int], _ tensors: [String: NamedTensor], _ misfits: inout Misfits
  ) {
    guard let found = tensors[name] else { return misfits.missing.append(name) }
    if found.shape != shape { misfits.wrong.append("\(name) as \(found.shape) and not \(shape)") }
  }

  /// Replaces M, c and b′ₙ, which must fit, with W, U and the biases. All of c becomes b; b′ is
  /// zero except for b′ₙ.
  func split(_ tensors: inout [String: NamedTensor]) {
    let joined = tensors.removeValue(forKey: joinedName)!.values
    func columns(_ range: Range<Int>, rows: Range<Int>) -> NamedTensor {
      var part: [Float] = []
      for row in rows {
        let start = row * (read + past)
        part += joined[start + range.lowerBound..<start + range.upperBound]
      }
      return NamedTensor([rows.count, range.count], part)
    }
    tensors[name("weight_ih")] = columns(0..<read, rows: 0..<rows)
    let gates = hasOwnCandidate ? rows - hidden : rows
    tensors[name("weight_hh")] = columns(read..<read + past, rows: 0..<gates)
    if gates < rows {
      tensors[name("weight_hn")] = columns(read..<read + past, rows: gates..<rows)
    }
    tensors[name("bias_ih")] = tensors.removeValue(forKey: name("bias"))
    let own = tensors.removeValue(forKey: name("bias_hn"))?.values ?? []
    if hasSecondBias || !own.isEmpty {
      let zeros = [Float](repeating: 0, count: rows - own.count)
      tensors[name("bias_hh")] = NamedTensor([rows], zeros + own)
    }
  }
}

extension SequenceModel {
  /// The layers that have more than one form, by the index of W in the layout.
  var cellWeights: [CellWeights] {
    let layout = ParameterLayout(plan)
    return layout.entries.compactMap { entry in
      options.layers.indices.first { entry.layer == "layer \($0)" }
        .flatMap { CellWeights(entry, of: options.layers[$0], in: layout) }
    }
  }
}
