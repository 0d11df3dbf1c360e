// SPDX-License-Identifier: Apache-2.0

public import Report

/// Where a result goes that a person reads on a terminal.
public protocol PagerOutput: ByteSink {
  /// Prints what was kept, or lets the reader finish.
  func finish()
}

/// Keeps a result until it is longer than the screen, and then gives it to a pager, or, where it stays
/// shorter, to the terminal.
final class PagedSink: PagerOutput {
  /// How much fits on the screen.
  struct Screen: Hashable {
    var rows: Int
    var columns: Int
  }

  private let screen: Screen
  private let terminal: any ByteSink
  private let open: () -> (any ByteSink)?
  private var kept: [UInt8] = []
  private var rows = 0
  private var column = 0
  private var isEscape = false
  /// Where the bytes go once that is known.
  private var target: (any ByteSink)?

  /// - Parameter open: starts the pager; `nil` where that fails.
  init(_ screen: Screen, over terminal: any ByteSink, open: @escaping () -> (any ByteSink)?) {
    self.screen = screen
    self.terminal = terminal
    self.open = open
  }

  func write(_ bytes: [UInt8]) throws(OutputError) {
    if let target { return try target.write(bytes) }
    kept += bytes
    count(bytes)
    // The shell's prompt takes a row, too.
    guard rows >= screen.rows else { return }
    try flush(to: open() ?? terminal)
  }

  func finish() {
    guard target == nil else { return }
    // There is nobody left to tell that the terminal does not work.
    try? flush(to: terminal)
  }

  private func flush(to target: any ByteSink) throws(OutputError) {
    self.target = target
    defer { kept = [] }
    try target.write(kept)
  }

  /// Counts rows of the screen: a line that is wider takes several, colours take no room.
  private func count(_ bytes: [UInt8]) {
    for byte in bytes {
      if isEscape {
        // A sequence ends with its first letter.
        if (0x40...0x7e).contains(byte), byte != UInt8(ascii: "[") { isEscape = false }
        continue
      }
      switch byte {
      case 0x1b: isEscape = true
      case 0x0a:
        rows += 1
        column = 0
      // The rest of a character.
      case 0x80..<0xc0: break
      default:
        column += 1
        if column > screen.columns {
          rows += 1
          column = 1
        }
      }
    }
  }
}
