/// Elements of plots in SVG files.
package enum SVG {
  /// Returns the first lines of a file with a white ground.
  package static func head(width: Int, height: Int) -> [String] {
    [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \(height)\" "
        + "font-family=\"sans-serif\" font-size=\"13\">",
      "<rect width=\"\(width)\" height=\"\(height)\" fill=\"white\"/>",
    ]
  }

  /// Returns a straight line.
  package static func line(
    _ x: Double, _ y: Double, _ toX: Double, _ toY: Double, color: String, width: Int = 1
  ) -> String {
    "<line x1=\"\(fixed(x, 1))\" y1=\"\(fixed(y, 1))\" x2=\"\(fixed(toX, 1))\" "
      + "y2=\"\(fixed(toY, 1))\" stroke=\"\(color)\" stroke-width=\"\(width)\"/>"
  }

  /// Returns a line through points, written as `x,y x,y …`.
  package static func polyline(_ points: String, color: String) -> String {
    "<polyline points=\"\(points)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\"/>"
  }

  /// Returns a circle around a point.
  package static func circle(
    _ x: Double, _ y: Double, radius: Int, color: String, isFilled: Bool
  ) -> String {
    "<circle cx=\"\(fixed(x, 1))\" cy=\"\(fixed(y, 1))\" r=\"\(radius)\" stroke=\"\(color)\" "
      + "fill=\"\(isFilled ? color : "white")\"/>"
  }

  /// Returns words, which may hold any letters.
  package static func text(
    _ words: String, x: Double, y: Double, anchor: String = "start", size: Int = 13
  ) -> String {
    let safe = words.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    return "<text x=\"\(fixed(x, 1))\" y=\"\(fixed(y, 1))\" text-anchor=\"\(anchor)\" "
      + "font-size=\"\(size)\" fill=\"#222222\">\(safe)</text>"
  }
}
