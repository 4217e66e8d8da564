import Configuration
import Formats
import Reporting
import Testing
import Training

@Suite struct `The progress line` {
  static let figures = [
    "step 45/60", "loss 3.2807", "4.733 bits per character", "left 0:03", "13323 symbols/s",
    "epoch 1", "rate 0.0018", "|g| 0.338",
  ]

  @Test func `is shorter than the window, and holds the first figures, none left out between them`()
  {
    var before = 0
    for width in 1...200 {
      let text = ProgressLine.text(Self.figures, bar: ProgressLine.bar(3, of: 4), width: width)
      #expect(text.count < width)
      let shown = Self.figures.map { text.contains($0) }
      #expect(shown == shown.sorted { $0 && !$1 }, "\(width): \(text)")
      // A wider window never shows less.
      let count = shown.count { $0 }
      #expect(count >= before, "\(width): \(text)")
      before = count
    }
    #expect(before == Self.figures.count)
  }

  @Test(arguments: [61, 79, 80, 100])
  func `shows the time left in windows of 61 columns and more`(_ width: Int) {
    let text = ProgressLine.text(Self.figures, bar: ProgressLine.bar(3, of: 4), width: width)
    #expect(text.contains("left 0:03"), "\(text)")
  }

  @Test func `has a bar where there is room for it and the speed`() {
    let bar = ProgressLine.bar(3, of: 4)
    #expect(bar == "[=======   ]")
    #expect(ProgressLine.text(Self.figures, bar: bar, width: 100).hasPrefix(bar))
    #expect(!ProgressLine.text(Self.figures, bar: bar, width: 80).hasPrefix(bar))
  }
}
