// SPDX-License-Identifier: Apache-2.0

/// Writes JSON as text, two spaces per level, straight into the bytes that go to a sink.
///
/// A container that holds no object stays on one line if it fits into 100 columns; everything else
/// is broken, one member or object per line, and long arrays of scalars fill their lines.
///
/// A container is written as if it stayed on one line, and taken back where it does not: only the
/// tokens of the one container that is not decided yet are kept, never more than a line of them.
/// An error of the sink is kept until `finish`.
///
/// As lines, everything is written without white space and without the lists that become lines.
final class JSONWriter {
  static let lineWidth = 100

  // The state is only touched by this type's own methods, which run one after the other and call
  // nothing that could come back here, so no two accesses overlap and none needs to be tracked.
  @safe @exclusivity(unchecked) var output: JSONBytes
  /// The containers that are already broken.
  @safe @exclusivity(unchecked) var frames: [Frame] = []
  /// Where the current line begins; left of the bytes if they have gone to the sink.
  @safe @exclusivity(unchecked) private var lineStart = 0
  /// The tokens of the container that is not decided yet, its opening bracket first.
  @safe @exclusivity(unchecked) private var tokens: [Token] = []
  /// Where its text begins.
  @safe @exclusivity(unchecked) private var pendingStart = 0
  /// Columns that it takes on one line.
  @safe @exclusivity(unchecked) private var pendingWidth = 0
  /// Containers that it has opened and not closed, itself included.
  @safe @exclusivity(unchecked) var pendingDepth = 0
  @safe @exclusivity(unchecked) private var needsComma = false

  struct Frame {
    var isObject: Bool
    var count = 0
    /// Whether the last item was a scalar, so that the next one may share its line.
    var lastIsScalar = false
  }

  private struct Token {
    enum Kind: UInt8 { case object, array, close, key, scalar }

    var kind: Kind
    /// Where its own text lies, from the start of the undecided container on.
    var start: Int
    var end: Int
  }

  /// What is written, and how.
  enum Style: Equatable {
    /// A whole document for people to look into.
    case document
    /// What is left of a document once its lists have become lines.
    case head
    /// A row of a list.
    case line
  }

  @safe @exclusivity(unchecked) var style: Style
  private var isCompact: Bool { style != .document }

  init(_ sink: any ByteSink, style: Style = .document) {
    self.style = style
    output = JSONBytes(sink)
    frames.reserveCapacity(32)
    tokens.reserveCapacity(Self.lineWidth)
  }

  /// Whether the sink takes no more; what is written then is lost.
  var hasFailed: Bool { output.failure != nil }

  /// Ends the document with a line feed and hands everything to the sink.
  func finish() throws(OutputError) {
    output.append(UInt8(ascii: "\n"))
    output.flush(keepingFrom: output.count)
    if let failure = output.failure { throw failure }
  }

  /// Whether a member of this kind has lines of its own.
  @inline(__always)
  func leavesOut(_ kind: LineKind) -> Bool {
    switch style {
    case .document: false
    case .head: kind == .rows || kind == .longRows
    case .line: kind == .longRows
    }
  }

  /// Ends a line, behind the last container.
  func endLine() {
    output.append(UInt8(ascii: "\n"))
    needsComma = false
    makeRoom()
  }

  /// Hands everything to the sink, between two lines.
  func flush() throws(OutputError) {
    output.flush(keepingFrom: output.count)
    if let failure = output.failure { throw failure }
  }

  // MARK: Containers

  func openObject() { open(isObject: true) }
  func openArray() { open(isObject: false) }

  private func open(isObject: Bool) {
    if isCompact {
      if needsComma { output.append(UInt8(ascii: ",")) }
      output.append(UInt8(ascii: isObject ? "{" : "["))
      frames.append(Frame(isObject: isObject))
      needsComma = false
      return
    }
    guard pendingDepth > 0 else {
      beginContainer(isObject: isObject)
      return
    }
    if isObject {
      // No object stands inside a line.
      breakPending()
      if pendingDepth > 0 {
        open(isObject: true)
        return
      }
      beginContainer(isObject: true)
    } else {
      separate()
      append(.array, at: output.count) { $0.append(UInt8(ascii: "[")) }
      pendingWidth += 3
      pendingDepth += 1
      needsComma = false
    }
    if pendingColumn + pendingWidth > Self.lineWidth { breakPending() }
  }

  /// Ends the innermost container.
  func close() {
    if isCompact {
      guard let frame = frames.popLast() else { return }
      output.append(UInt8(ascii: frame.isObject ? "}" : "]"))
      needsComma = true
      return
    }
    guard pendingDepth > 0 else {
      guard let frame = frames.popLast() else { return }
      if frame.count > 0 { newLine() }
      output.append(UInt8(ascii: frame.isObject ? "}" : "]"))
      return
    }
    let isObject = pendingDepth == 1 && tokens.first?.kind == .object
    append(.close, at: output.count) { $0.append(UInt8(ascii: isObject ? "}" : "]")) }
    needsComma = true
    pendingDepth -= 1
    if pendingDepth == 0 {
      // One column is left for a comma.
      if pendingColumn + pendingWidth < Self.lineWidth {
        dropPending()
      } else {
        breakPending()
      }
    } else if pendingColumn + pendingWidth > Self.lineWidth {
      breakPending()
    }
  }

  // MARK: Members and scalars

  func key(_ name: StaticString) {
    let start = beginKey()
    output.append(quoted: name)
    endKey(start)
  }

  /// A key that is only known when the value is.
  func key(_ name: String) {
    let start = beginKey()
    append(quoted: name)
    endKey(start)
  }

  /// A string.
  func string(_ text: String) {
    scalar { $0.append(quoted: text) }
  }

  /// `true`, `false` or `null`.
  func literal(_ text: StaticString) {
    scalar { $0.output.append(text) }
  }

  /// A string `"0x…"`, lower case, no padding.
  func hexadecimal(_ value: UInt64) {
    scalar { $0.output.append(hexadecimal: value) }
  }

  func integer(_ value: some FixedWidthInteger) {
    scalar { $0.output.append(decimal: value.magnitude, isNegative: value < 0) }
  }

  private func append(quoted text: String) {
    var text = text
    let isPlain = text.withUTF8 { bytes in
      // The bytes are those of the string, for as long as this call.
      unsafe output.append(quotedIfPlain: UnsafeRawBufferPointer(bytes))
    }
    if !isPlain { output.append(Escaping.json(text)) }
  }

  /// Writes a scalar, which `body` appends.
  @inline(__always)
  func scalar(_ body: (JSONWriter) -> Void) {
    if isCompact {
      if needsComma { output.append(UInt8(ascii: ",")) }
      body(self)
      needsComma = true
      return
    }
    guard pendingDepth > 0 else {
      let start = output.count
      body(self)
      placeItem(start)
      return
    }
    separate()
    let start = output.count
    body(self)
    let end = output.count
    tokens.append(Token(kind: .scalar, start: start - pendingStart, end: end - pendingStart))
    needsComma = true
    // Two more for the separator.
    pendingWidth += end - start + 2
    if pendingColumn + pendingWidth > Self.lineWidth { breakPending() }
  }

  /// Makes place for a key; returns where it begins.
  @inline(__always)
  private func beginKey() -> Int {
    if isCompact {
      if needsComma { output.append(UInt8(ascii: ",")) }
      return output.count
    }
    if pendingDepth > 0 {
      separate()
    } else if let last = frames.indices.last {
      if frames[last].count > 0 { output.append(UInt8(ascii: ",")) }
      frames[last].count += 1
      newLine()
    }
    return output.count
  }

  @inline(__always)
  private func endKey(_ start: Int) {
    if isCompact {
      output.append(UInt8(ascii: ":"))
      needsComma = false
      return
    }
    let end = output.count
    output.append(": ")
    guard pendingDepth > 0 else { return }
    tokens.append(Token(kind: .key, start: start - pendingStart, end: end - pendingStart))
    needsComma = false
    pendingWidth += end - start + 2
    if pendingColumn + pendingWidth > Self.lineWidth { breakPending() }
  }

  // MARK: The undecided container

  private var pendingColumn: Int { pendingStart - lineStart }

  @inline(__always)
  private func separate() {
    makeRoom()
    if needsComma { output.append(", ") }
  }

  private func append(_ kind: Token.Kind, at start: Int, _ body: (inout JSONBytes) -> Void) {
    body(&output)
    tokens.append(
      Token(kind: kind, start: start - pendingStart, end: output.count - pendingStart))
  }

  private func beginContainer(isObject: Bool) {
    makeRoom()
    if let last = frames.indices.last, !frames[last].isObject {
      if frames[last].count > 0 { output.append(UInt8(ascii: ",")) }
      newLine()
      frames[last].count += 1
      frames[last].lastIsScalar = false
    }
    pendingStart = output.count
    pendingWidth = 2
    pendingDepth = 1
    needsComma = false
    append(isObject ? .object : .array, at: pendingStart) {
      $0.append(UInt8(ascii: isObject ? "{" : "["))
    }
  }

  private func dropPending() {
    tokens.removeAll(keepingCapacity: true)
    pendingWidth = 0
    pendingDepth = 0
    needsComma = false
  }

  /// Gives every item of the undecided container its own line; its own containers are undecided
  /// again.
  private func breakPending() {
    guard let first = tokens.first, !spreadMembers() else { return }
    let kept = tokens.count > 1 ? tokens[1...] : []
    let text = kept.isEmpty ? [] : output.bytes(from: pendingStart)
    output.truncate(to: pendingStart)
    dropPending()
    output.append(UInt8(ascii: first.kind == .object ? "{" : "["))
    frames.append(Frame(isObject: first.kind == .object))
    for token in kept {
      switch token.kind {
      case .object: openObject()
      case .array: openArray()
      case .close: close()
      case .key:
        let start = beginKey()
        output.append(text[token.start..<token.end])
        endKey(start)
      case .scalar:
        scalar { $0.output.append(text[token.start..<token.end]) }
      }
    }
  }

  /// Gives every member of the undecided object its own line where it stands, if all of its values
  /// are scalars: what rows are, and so most of a large document.
  ///
  /// - Returns: `false`, and nothing changed, where it is something else.
  private func spreadMembers() -> Bool {
    guard tokens.count > 1, tokens[0].kind == .object else { return false }
    let isClosed = tokens[tokens.count - 1].kind == .close
    // The last key may still be without its value.
    let end = isClosed ? tokens.count - 1 : tokens.count
    for index in 1..<end {
      guard tokens[index].kind == (index.isMultiple(of: 2) ? .scalar : .key) else { return false }
    }
    let count = end / 2
    let indent = 2 * (frames.count + 1)
    let last = output.spread(
      from: pendingStart, count: count, indent: indent, closing: isClosed ? indent - 2 : nil
    ) { member in
      let value = 2 * member + 2
      // A colon and a blank follow a key.
      return (tokens[value - 1].start, value < end ? tokens[value].end : tokens[value - 1].end + 2)
    }
    lineStart = last
    dropPending()
    if !isClosed { frames.append(Frame(isObject: true, count: count, lastIsScalar: false)) }
    return true
  }

  // MARK: Broken containers

  /// Moves the scalar from `start` on to where the next item of an array stands; a member of an
  /// object follows its key.
  private func placeItem(_ start: Int) {
    guard let last = frames.indices.last, !frames[last].isObject else {
      makeRoom()
      return
    }
    let width = output.count - start
    let text = output.bytes(from: start)
    output.truncate(to: start)
    makeRoom()
    if frames[last].count > 0 { output.append(UInt8(ascii: ",")) }
    if frames[last].lastIsScalar, output.count - lineStart + width + 2 <= Self.lineWidth {
      output.append(UInt8(ascii: " "))
    } else {
      newLine()
    }
    output.append(text[...])
    frames[last].count += 1
    frames[last].lastIsScalar = true
  }

  func newLine() {
    output.append(UInt8(ascii: "\n"))
    lineStart = output.count
    output.append(spaces: 2 * frames.count)
  }

  /// Hands a full chunk to the sink, up to what is not decided yet.
  @inline(__always)
  func makeRoom() {
    guard output.isFull else { return }
    let from = pendingDepth > 0 ? pendingStart : output.count
    output.flush(keepingFrom: from)
    lineStart -= from
    pendingStart -= from
  }
}
