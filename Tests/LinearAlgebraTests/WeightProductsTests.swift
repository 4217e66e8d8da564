#if !REAL_IS_DOUBLE
  import Foundation
  import LinearAlgebra
  import Testing

  /// Rows of x, and the inputs and outputs of a weight.
  struct WeightShape: Sendable, CustomTestStringConvertible {
    let rows: Int, from: Int, to: Int
    var testDescription: String { "\(rows)×\(from) by \(from)×\(to)" }

    init(_ rows: Int, _ from: Int, _ to: Int) { (self.rows, self.from, self.to) = (rows, from, to) }

    static let all = [
      // Small, and one row.
      WeightShape(3, 5, 7), WeightShape(1, 130, 67), WeightShape(1, 1, 1), WeightShape(2, 0, 3),
      WeightShape(0, 3, 2),
      // Few rows of a large weight: where copies pay. Nothing is a multiple of 16.
      WeightShape(20, 201, 803), WeightShape(7, 650, 259), WeightShape(33, 127, 300),
      // Many rows.
      WeightShape(513, 63, 65), WeightShape(140, 101, 99),
    ]
  }

  extension WeightPath: CustomTestStringConvertible {
    public var testDescription: String { name }
  }

  @Suite(.serialized) struct `Products with weights, by every path` {
    typealias Path = WeightPath

    static let paths = ProductLibrary.paths

    @Test func `oneDNN is found, or says why not`() {
      #expect((ProductLibrary.additional == nil) == (ProductLibrary.additionalProblem != nil))
      #expect(ProductLibrary.additionalProblem?.isEmpty != true)
    }

    @Test func `every path has a name of its own, and each precision has a path`() {
      #expect(Set(Self.paths.map(\.name)).count == Self.paths.count)
      #expect(Set(Self.paths.map(\.precision)) == Set(Precision.allCases))
      #expect(Self.paths.contains { $0.name == "stored" })
      #expect(Self.paths.contains { $0.name == "rounded" })
      #expect(
        Self.paths.contains { $0.name == "transposed" } == (ProductLibrary.additional != nil))
    }

    @Test(arguments: paths, WeightShape.all)
    func `x W and y Wᵀ are the sums they stand for, at every use`(
      _ path: Path, _ shape: WeightShape
    ) {
      let trial = Trial(shape, path)
      for use in 1...3 {
        trial.check(use: use)
      }
    }

    @Test(arguments: paths)
    func `a copy is made anew when the weights have changed`(_ path: Path) {
      let trial = Trial(WeightShape(20, 201, 803), path)
      for _ in 0..<3 { trial.check(use: 0) }
      for i in 0..<803 { trial.stored.matrix[i, i % 201] += 1 }
      trial.products.weightsChanged()
      for use in 1...3 { trial.check(use: use) }
    }

    @Test(arguments: paths)
    func `copies that take turns in the same memory are those of the layer at hand`(_ path: Path) {
      // Of more than a MiB, and of less.
      let trials = [(901, 640), (700, 1100), (30, 40), (1200, 650)].map {
        Trial(WeightShape(20, $0.0, $0.1), path)
      }
      let all = WeightProducts(
        trials.map(\.stored.matrix), path: path)
      for step in 0..<3 {
        all.rowsOfStep = 20
        // As in training twice, and once as in evaluation.
        all.copiesTakeTurns = step != 1
        for layers in [[0, 1], [2, 3]] + [[3, 2], [1], [0]] {
          for index in layers {
            trials[index].check(use: step, of: all.weight(index, trials[index].stored.matrix))
          }
          all.releasePackedWeights()
        }
        for trial in trials { for i in 0..<30 { trial.stored.matrix[i, i] += 1 } }
        all.weightsChanged()
      }
    }

    @Test(arguments: paths)
    func `a product of other rows uses the same copy`(_ path: Path) {
      let trial = Trial(WeightShape(100, 257, 300), path)
      for rows in [20, 100, 1, 19, 20] { trial.check(use: rows, rows: rows) }
    }

    @Test(arguments: paths, WeightShape.all)
    func `G += Aᵀ B is the sum it stands for`(_ path: Path, _ shape: WeightShape) {
      let trial = Trial(shape, path)
      let a = FramedMatrix(rows: shape.rows, columns: shape.to, margin: 2, key: 5)
      let b = FramedMatrix(rows: shape.rows, columns: shape.from, margin: 5, key: 6)
      let before = FramedMatrix(rows: shape.to, columns: shape.from, key: 7)
      let g = FramedMatrix(rows: shape.to, columns: shape.from, key: 7)
      trial.products.gradient(g.matrix).addProduct(a.matrix.transposed, b.matrix)
      for i in 0..<shape.to {
        for j in 0..<shape.from {
          var sum = Double(before.matrix[i, j])
          var size = sum.magnitude
          for t in 0..<shape.rows {
            let term = trial.factor(a.matrix[t, i]) * trial.factor(b.matrix[t, j])
            sum += term
            size += term.magnitude
          }
          let error = (Double(g.matrix[i, j]) - sum).magnitude
          #expect(error <= Double(shape.rows + 2) * Double(Float.ulpOfOne) * size, "\(i), \(j)")
        }
      }
      #expect(g.frameIsIntact && a.frameIsIntact && b.frameIsIntact)
    }

    @Test(arguments: paths)
    func `a signal during a product spoils nothing`(_ path: Path) async {
      // In a process of its own, which a signal may end.
      await #expect(processExitsWith: .success) { [name = path.name as String] in
        let path = ProductLibrary.paths.first { $0.name == name }!
        let trial = Trial(WeightShape(20, 650, 800), path)
        trial.products.rowsOfStep = 20
        let x = FramedMatrix(rows: 20, columns: 650, key: 1)
        let y = FramedMatrix(rows: 20, columns: 800)
        let dw = FramedMatrix(rows: 800, columns: 650)
        func multiply() -> [Float] {
          let weight = trial.products.weight(0, trial.stored.matrix)
          y.matrix.setProduct(x.matrix, weight)
          dw.matrix.fill(0)
          trial.products.gradient(dw.matrix).addProduct(y.matrix.transposed, x.matrix)
          x.matrix.setProduct(y.matrix, weight.transposed)
          defer { for i in 0..<20 { for j in 0..<650 { x.matrix[i, j] = Float(i - j % 7) } } }
          return y.numbers + dw.numbers + x.numbers
        }
        for _ in 0..<3 { _ = multiply() }
        let expected = multiply()
        signal(SIGALRM) { _ in
          // Something on the stack, as any handler has.
          withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1024) {
            $0.initialize(repeating: 0x55)
          }
        }
        // At this thread, again and again; threads of a pool do not listen by themselves.
        var alarm = sigset_t()
        sigemptyset(&alarm)
        sigaddset(&alarm, SIGALRM)
        pthread_sigmask(SIG_UNBLOCK, &alarm, nil)
        let worker = pthread_self()
        Thread.detachNewThread {
          while pthread_kill(worker, SIGALRM) == 0 { usleep(100) }
        }
        for _ in 0..<200 { precondition(multiply() == expected, "a product that a signal spoilt") }
        precondition(y.frameIsIntact && dw.frameIsIntact)
      }
    }

    @Test func `bfloat16 is the nearest, ties to even, and keeps what is not finite`() {
      // 1 + 2⁻⁸ lies half way between 1 and 1 + 2⁻⁷; 1 + 3·2⁻⁸ between 1 + 2⁻⁷ and 1 + 2⁻⁶.
      let cases: [(Float, Float)] = [
        (1, 1), (-2.5, -2.5), (0, 0), (1 + 0x1p-8, 1), (1 + 0x3p-8, 1 + 0x1p-6),
        (1 + 0x1.0002p-8, 1 + 0x1p-7), (.infinity, .infinity), (-.infinity, -.infinity),
        (.greatestFiniteMagnitude, .infinity), (.leastNonzeroMagnitude, 0),
        (.leastNormalMagnitude, .leastNormalMagnitude),
      ]
      for (x, y) in cases {
        #expect(Precision.bfloat16.nearest(to: x) == y, "\(x)")
        #expect(rounded(x) == y, "\(x)")
      }
      #expect(Precision.bfloat16.nearest(to: -0.0).sign == .minus)
      for bits: UInt32 in [0x7FC0_0000, 0x7F80_0001, 0xFF80_0001, 0x7FFF_FFFF] {
        #expect(Precision.bfloat16.nearest(to: Float(bitPattern: bits)).isNaN)
      }
      for k in 0..<100_000 {
        let x = Float(bitPattern: UInt32(truncatingIfNeeded: k &* 2_654_435_761))
        if x.isFinite { #expect(Precision.bfloat16.nearest(to: x) == rounded(x), "\(x)") }
      }
    }
  }

  /// The nearest bfloat16 to a number: in words, not as the program does it.
  private func rounded(_ x: Float) -> Float {
    guard x.isFinite else { return x }
    let below = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
    let above = Float(bitPattern: (x.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
    let (down, up) = (Double(x) - Double(below), Double(above) - Double(x))
    if above.isInfinite { return x.bitPattern & 0xFFFF >= 0x8000 ? above : below }
    if down.magnitude == up.magnitude { return below.bitPattern & 0x1_0000 == 0 ? below : above }
    return down.magnitude < up.magnitude ? below : above
  }

  /// A weight with margins around it, and what products with it must be.
  private struct Trial {
    let shape: WeightShape
    let stored: FramedWeight
    let products: WeightProducts

    init(_ shape: WeightShape, _ path: WeightPath) {
      self.shape = shape
      stored = FramedWeight(rows: shape.to, columns: shape.from)
      products = WeightProducts([stored.matrix], path: path)
    }

    /// A factor as the path sees it.
    func factor(_ x: Float) -> Double {
      products.precision == .bfloat16 ? Double(rounded(x)) : Double(x)
    }

    func check(use: Int, rows: Int? = nil, of other: Weight? = nil) {
      let rows = rows ?? shape.rows
      products.rowsOfStep = rows
      let weight = other ?? products.weight(0, stored.matrix)
      let x = FramedMatrix(rows: rows, columns: shape.from, margin: 2, key: 1)
      let y = FramedMatrix(rows: rows, columns: shape.to, margin: 5, key: 2)
      let w = (0..<shape.to).map { i in (0..<shape.from).map { factor(stored.matrix[i, $0]) } }
      let forward = FramedMatrix(rows: rows, columns: shape.to)
      forward.matrix.setProduct(x.matrix, weight)
      let backward = FramedMatrix(rows: rows, columns: shape.from, key: 3)
      let before = FramedMatrix(rows: rows, columns: shape.from, key: 3)
      backward.matrix.addProduct(y.matrix, weight.transposed)
      for t in 0..<rows {
        let (xs, ys) = (
          (0..<shape.from).map { factor(x.matrix[t, $0]) },
          (0..<shape.to).map { factor(y.matrix[t, $0]) }
        )
        for i in 0..<shape.to {
          expect(forward.matrix[t, i], 0, zip(xs, w[i]), "use \(use): forward \(t), \(i)")
        }
        for j in 0..<shape.from {
          let column = (0..<shape.to).lazy.map { w[$0][j] }
          expect(
            backward.matrix[t, j], Double(before.matrix[t, j]), zip(ys, column),
            "use \(use): backward \(t), \(j)")
        }
      }
      #expect(forward.frameIsIntact && backward.frameIsIntact && x.frameIsIntact)
    }

    private func expect(
      _ found: Float, _ start: Double, _ factors: some Sequence<(Double, Double)>, _ place: String
    ) {
      var (sum, size, count) = (start, start.magnitude, 2)
      for (a, b) in factors {
        sum += a * b
        size += (a * b).magnitude
        count += 1
      }
      let error = (Double(found) - sum).magnitude
      if error > Double(count) * Double(Float.ulpOfOne) * size {
        Issue.record("\(place): \(found) in place of \(sum)")
      }
    }
  }

  /// A weight, which is stored without gaps, between NaN.
  private struct FramedWeight {
    let matrix: Matrix
    private let buffer: Buffer<Real>

    init(rows: Int, columns: Int) {
      buffer = Buffer(count: rows * columns + 32)
      for j in 0..<buffer.count { buffer.start[j] = .nan }
      matrix = Matrix(buffer, offset: 16, rows: rows, columns: columns)
      for i in 0..<rows {
        for j in 0..<columns {
          matrix[i, j] = Real(Philox(key: 4).normal(UInt64(i * columns + j)))
        }
      }
    }
  }
#endif
