/// A queue of events by time; of equal times, the one that was added first comes first.
struct EventQueue<Event> {
  private struct Item {
    let time: Double
    let number: Int
    let event: Event
    func precedes(_ other: Item) -> Bool {
      time < other.time || time == other.time && number < other.number
    }
  }

  /// A binary heap.
  private var items: [Item] = []
  private var added = 0

  var isEmpty: Bool { items.isEmpty }

  mutating func add(_ event: Event, at time: Double) {
    items.append(Item(time: time, number: added, event: event))
    added += 1
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard items[child].precedes(items[parent]) else { return }
      items.swapAt(child, parent)
      child = parent
    }
  }

  /// Removes the next event; nil if there is none.
  mutating func next() -> (time: Double, event: Event)? {
    guard let first = items.first, let last = items.popLast() else { return nil }
    if !items.isEmpty {
      items[0] = last
      var parent = 0
      while true {
        var child = 2 * parent + 1
        guard child < items.count else { break }
        if child + 1 < items.count, items[child + 1].precedes(items[child]) { child += 1 }
        guard items[child].precedes(items[parent]) else { break }
        items.swapAt(child, parent)
        parent = child
      }
    }
    return (first.time, first.event)
  }
}
