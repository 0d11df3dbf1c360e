// SPDX-License-Identifier: Apache-2.0

/// Lays out a stream of JSON tokens as text, two spaces per level.
///
/// A container that holds no object stays on one line if it fits into 100 columns; everything else
/// is broken, one member or object per line, and long arrays of scalars fill their lines. Only the
/// tokens of the one container that is not decided yet are kept, never more than a line of them.
struct JSONTextWriter {
  enum Bracket {
    case object
    case array
  }

  private enum Token {
    case open(Bracket)
    case close
    /// The quoted and escaped key.
    case key(String)
    /// The text of a string, number, `true`, `false` or `null`.
    case scalar(String)
  }

  private struct Frame {
    var bracket: Bracket
    var count = 0
    /// Whether the last item was a scalar, so that the next one may share its line.
    var lastIsScalar = false
  }

  private static let lineWidth = 100

  private let output: TextBuffer
  /// The containers that are already broken.
  private var frames: [Frame] = []
  /// Bytes in the current line.
  private var column = 0
  /// The tokens of the container that is not decided yet, its opening bracket first.
  private var pending: [Token] = []
  /// Bytes that `pending` takes on one line.
  private var pendingWidth = 0
  /// Containers that `pending` has opened and not closed.
  private var pendingDepth = 0

  /// Containers that are open.
  var depth: Int { frames.count + pendingDepth }

  init(_ output: TextBuffer) {
    self.output = output
  }

  mutating func open(_ bracket: Bracket) throws(OutputError) { try take(.open(bracket)) }
  mutating func close() throws(OutputError) { try take(.close) }
  mutating func key(_ key: String) throws(OutputError) { try take(.key(JSONText.quoted(key))) }
  mutating func string(_ text: String) throws(OutputError) {
    try take(.scalar(JSONText.quoted(text)))
  }
  /// A number, `true`, `false` or `null`, as it shall stand in the text.
  mutating func literal(_ text: String) throws(OutputError) { try take(.scalar(text)) }

  /// Ends the document with a line feed and hands everything to the sink.
  mutating func finish() throws(OutputError) {
    try output.write("\n")
    try output.flush()
  }

  private mutating func take(_ token: Token) throws(OutputError) {
    guard pendingDepth > 0 else {
      try commit(token)
      return
    }
    pending.append(token)
    switch token {
    case .open(let bracket):
      pendingWidth += 3
      pendingDepth += 1
      if bracket == .object { try breakPending() }
    case .close:
      pendingDepth -= 1
      // One column is left for a comma.
      if pendingDepth == 0, column + pendingWidth < Self.lineWidth { try joinPending() }
    case .key(let text), .scalar(let text):
      // Two more for the separator.
      pendingWidth += text.utf8.count + 2
    }
    if pendingDepth == 0 ? !pending.isEmpty : column + pendingWidth > Self.lineWidth {
      try breakPending()
    }
  }

  /// Writes the undecided container on one line.
  private mutating func joinPending() throws(OutputError) {
    var text = ""
    var brackets: [Bracket] = []
    var needsComma = false
    for token in pending {
      if case .close = token {
        text += brackets.popLast() == .object ? "}" : "]"
        needsComma = true
        continue
      }
      if needsComma { text += ", " }
      switch token {
      case .open(let bracket):
        text += bracket == .object ? "{" : "["
        brackets.append(bracket)
        needsComma = false
      case .key(let key):
        text += key + ": "
        needsComma = false
      case .scalar(let scalar):
        text += scalar
        needsComma = true
      case .close: break
      }
    }
    dropPending()
    try write(text)
  }

  /// Gives every item of the undecided container its own line; its own containers are undecided
  /// again.
  private mutating func breakPending() throws(OutputError) {
    let tokens = pending
    dropPending()
    guard case .open(let bracket)? = tokens.first else { return }
    try write(bracket == .object ? "{" : "[")
    frames.append(Frame(bracket: bracket))
    for token in tokens.dropFirst() { try take(token) }
  }

  private mutating func dropPending() {
    pending.removeAll(keepingCapacity: true)
    pendingWidth = 0
    pendingDepth = 0
  }

  /// Writes a token whose container is broken already.
  private mutating func commit(_ token: Token) throws(OutputError) {
    switch token {
    case .open:
      try beginItem(width: nil)
      pending.append(token)
      pendingWidth = 2
      pendingDepth = 1
    case .close:
      guard let frame = frames.popLast() else { return }
      if frame.count > 0 { try newLine() }
      try write(frame.bracket == .object ? "}" : "]")
    case .key(let key):
      if let last = frames.indices.last {
        if frames[last].count > 0 { try write(",") }
        frames[last].count += 1
      }
      try newLine()
      try write(key + ": ")
    case .scalar(let text):
      try beginItem(width: text.utf8.count)
      try write(text)
    }
  }

  /// Moves to where the next item of an array stands; a member of an object follows its key.
  private mutating func beginItem(width: Int?) throws(OutputError) {
    guard let last = frames.indices.last, frames[last].bracket == .array else { return }
    if frames[last].count > 0 { try write(",") }
    if let width, frames[last].lastIsScalar, column + width + 2 <= Self.lineWidth {
      try write(" ")
    } else {
      try newLine()
    }
    frames[last].count += 1
    frames[last].lastIsScalar = width != nil
  }

  private mutating func newLine() throws(OutputError) {
    try output.write("\n" + String(repeating: "  ", count: frames.count))
    column = 2 * frames.count
  }

  private mutating func write(_ text: String) throws(OutputError) {
    try output.write(text)
    column += text.utf8.count
  }
}
