// SPDX-License-Identifier: Apache-2.0

/// The bytes of a document on their way to a sink: a buffer whose every append is a plain store.
///
/// The storage belongs to the value alone: only its own methods see the pointer, every store follows
/// `reserve`, and only bytes below `count` are read.
@safe
struct JSONBytes: ~Copyable {
  /// Bytes from which on a chunk is worth handing over.
  private static let chunk = 1 << 18
  /// Bytes that one number or bracket takes at most, rounded up for whole-word stores.
  private static let slack = 64

  private var base: UnsafeMutableRawPointer
  private var capacity: Int
  private(set) var count = 0
  private let sink: any ByteSink
  /// What goes to the sink, in storage that is used again.
  private var handed: [UInt8] = []
  /// The sink's first error; nothing is handed to it any more.
  private(set) var failure: OutputError?

  init(_ sink: any ByteSink) {
    self.sink = sink
    capacity = Self.chunk + (1 << 12)
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
  }

  deinit {
    // Allocated by `init` or `grow`, and nobody else has the pointer.
    unsafe base.deallocate()
  }

  var isFull: Bool { count >= Self.chunk }

  /// Makes sure that `size` bytes and a whole-word store behind them fit.
  @inline(__always)
  private mutating func reserve(_ size: Int) {
    if size > capacity - count - Self.slack { grow(size) }
  }

  @inline(never)
  private mutating func grow(_ size: Int) {
    let larger = max(capacity * 2, count + size + Self.slack)
    withNewStorage(larger)
  }

  private mutating func withNewStorage(_ size: Int) {
    let storage = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
    // `size` is larger than `capacity`, and `count` bytes of the old storage are written.
    unsafe storage.copyMemory(from: base, byteCount: count)
    unsafe base.deallocate()
    unsafe base = storage
    capacity = size
  }

  mutating func append(_ byte: UInt8) {
    reserve(1)
    // `reserve` made room for the byte.
    unsafe base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  @inline(__always)
  mutating func append(_ text: StaticString) {
    let size = text.utf8CodeUnitCount
    reserve(size)
    // `reserve` made room; the text is a constant of the program.
    unsafe (base + count).copyMemory(from: text.utf8Start, byteCount: size)
    count += size
  }

  /// A constant that needs no escapes, in quotation marks.
  @inline(__always)
  mutating func append(quoted text: StaticString) {
    let size = text.utf8CodeUnitCount
    reserve(size + 2)
    // `reserve` made room; the text is a constant of the program.
    unsafe base.storeBytes(of: UInt8(ascii: "\""), toByteOffset: count, as: UInt8.self)
    unsafe (base + count + 1).copyMemory(from: text.utf8Start, byteCount: size)
    unsafe base.storeBytes(of: UInt8(ascii: "\""), toByteOffset: count + size + 1, as: UInt8.self)
    count += size + 2
  }

  mutating func append(_ bytes: [UInt8]) { append(bytes[...]) }

  mutating func append(_ bytes: ArraySlice<UInt8>) {
    reserve(bytes.count)
    // `reserve` made room for all bytes of the slice, which stay where they are during the call.
    unsafe bytes.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      unsafe (base + count).copyMemory(from: start, byteCount: source.count)
    }
    count += bytes.count
  }

  /// Text in quotation marks; `false`, and nothing appended, where a byte needs an escape.
  mutating func append(quotedIfPlain text: UnsafeRawBufferPointer) -> Bool {
    reserve(text.count + 2)
    guard unsafe text.allSatisfy(Escaping.isPlainJSON) else { return false }
    // `reserve` made room for the text and its quotation marks.
    unsafe base.storeBytes(of: UInt8(ascii: "\""), toByteOffset: count, as: UInt8.self)
    if let start = text.baseAddress {
      unsafe (base + count + 1).copyMemory(from: start, byteCount: text.count)
    }
    unsafe base.storeBytes(
      of: UInt8(ascii: "\""), toByteOffset: count + text.count + 1, as: UInt8.self)
    count += text.count + 2
    return true
  }

  mutating func append(spaces: Int) {
    reserve(spaces)
    // `reserve` made room for them.
    unsafe (base + count).initializeMemory(
      as: UInt8.self, repeating: UInt8(ascii: " "), count: spaces)
    count += spaces
  }

  /// `"0x…"` with as many digits as the value has.
  @inline(__always)
  mutating func append(hexadecimal value: UInt64) {
    reserve(0)
    // What the word takes is less than the slack that is always there.
    count += unsafe Self.store(hexadecimal: value, at: base + count)
  }

  /// Writes `"0x…"` where 3 bytes, two whole words for the digits and a quotation mark have room.
  ///
  /// - Returns: the bytes of it.
  @inline(__always)
  static func store(hexadecimal value: UInt64, at place: UnsafeMutableRawPointer) -> Int {
    let digits = max(1, (67 - value.leadingZeroBitCount) / 4)
    let aligned = value &<< UInt64(64 - 4 * digits)
    // All stores lie in what the caller made room for.
    unsafe place.storeBytes(of: UInt32(littleEndian: 0x0078_3022), as: UInt32.self)
    unsafe place.storeBytes(
      of: Self.digits(UInt32(truncatingIfNeeded: aligned >> 32)), toByteOffset: 3, as: UInt64.self)
    if digits > 8 {
      unsafe place.storeBytes(
        of: Self.digits(UInt32(truncatingIfNeeded: aligned)), toByteOffset: 11, as: UInt64.self)
    }
    unsafe place.storeBytes(of: UInt8(ascii: "\""), toByteOffset: 3 + digits, as: UInt8.self)
    return digits + 4
  }

  /// Eight digits as bytes, the highest first in memory.
  @inline(__always)
  private static func digits(_ value: UInt32) -> UInt64 {
    var nibbles = UInt64(value)
    nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff
    nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff
    nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f
    // 1 in each byte that is a letter, which stands 39 places behind its number's place.
    let letters = ((nibbles &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
    return (nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 39).bigEndian
  }

  mutating func append(decimal magnitude: some FixedWidthInteger, isNegative: Bool) {
    if isNegative { append(UInt8(ascii: "-")) }
    var rest = UInt64(clamping: magnitude)
    var size = 1
    var bound: UInt64 = 10
    while size < 20, rest >= bound {
      size += 1
      bound = size < 20 ? bound &* 10 : .max
    }
    // 20 digits are less than the slack that is always there.
    reserve(0)
    for place in stride(from: size - 1, through: 0, by: -1) {
      unsafe base.storeBytes(
        of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: count + place,
        as: UInt8.self)
      rest /= 10
    }
    count += size
  }

  /// Appends a flat row.
  ///
  /// - Parameter indent: blanks before each line of the row but its first.
  /// - Returns: the columns that the row takes on one line; `nil`, and nothing appended, where it
  ///   is larger than such rows are.
  @inline(__always)
  mutating func append(
    rowAt indent: Int, isSpread: Bool, _ members: (inout RowLine) -> Void
  ) -> Int? {
    reserve(RowLine.capacity)
    // `reserve` made room for the line's capacity from here on.
    var line = unsafe RowLine(at: base + count, indent: indent, isSpread: isSpread)
    members(&line)
    guard let size = line.finish() else { return nil }
    count += size
    return line.width
  }

  /// A copy of the bytes from `start` on.
  func bytes(from start: Int) -> [UInt8] {
    // `start` is a former `count`, so all bytes up to `count` are written.
    unsafe Array(UnsafeRawBufferPointer(start: base + start, count: count - start))
  }

  /// Puts the members of an object, which are the last bytes, on lines of their own: what stands
  /// between two of them is a comma and a blank.
  ///
  /// - Parameters:
  ///   - start: where the object's bracket is.
  ///   - count: members, at least one.
  ///   - indent: blanks before each of them.
  ///   - closing: blanks before the bracket behind the last one; `nil` if there is none.
  ///   - member: where a member begins and ends, counted from `start`.
  /// - Returns: where the last line begins.
  mutating func spread(
    from start: Int, count members: Int, indent: Int, closing: Int?,
    _ member: (Int) -> (start: Int, end: Int)
  ) -> Int {
    // The blank before a member becomes a line end; the first one has no blank.
    let growth = 1 + members * indent
    let added = growth + (closing.map { $0 + 1 } ?? 0)
    reserve(added)
    let end = count + added
    var lastLine = 0
    if let closing {
      // All stores below lie before `end`, for which `reserve` made room, and behind `start`; every
      // member moves to a higher place, the last one first, so nothing is overwritten before it moved.
      unsafe base.storeBytes(of: UInt8(ascii: "}"), toByteOffset: end - 1, as: UInt8.self)
      lastLine = end - 1 - closing
      newLine(at: lastLine - 1, indent: closing)
    }
    for index in (0..<members).reversed() {
      let place = member(index)
      let shift = 1 + (index + 1) * indent
      // The comma moves along.
      let length = place.end - place.start + (index == members - 1 ? 0 : 1)
      let target = start + place.start + shift
      // As above; the ranges may overlap, which this copy allows.
      unsafe (base + target).copyMemory(from: base + start + place.start, byteCount: length)
      newLine(at: target - indent - 1, indent: indent)
      if index == members - 1, closing == nil { lastLine = target - indent }
    }
    count = end
    return lastLine
  }

  /// A line end and blanks, over bytes that are there.
  @inline(__always)
  private mutating func newLine(at place: Int, indent: Int) {
    // The caller made room up to what follows the blanks.
    unsafe base.storeBytes(of: UInt8(ascii: "\n"), toByteOffset: place, as: UInt8.self)
    unsafe (base + place + 1).initializeMemory(
      as: UInt8.self, repeating: UInt8(ascii: " "), count: indent)
  }

  mutating func truncate(to size: Int) { count = size }

  /// Hands what lies before `start` to the sink; the rest moves to the front.
  mutating func flush(keepingFrom start: Int) {
    if failure == nil, start > 0 {
      handed.removeAll(keepingCapacity: true)
      // `start` is at most `count`: all bytes before it are written.
      unsafe handed.append(contentsOf: UnsafeRawBufferPointer(start: base, count: start))
      do { try sink.write(handed) } catch { failure = error }
    }
    // The ranges may overlap, which this copy allows; both lie inside the written bytes.
    unsafe base.copyMemory(from: base + start, byteCount: count - start)
    count -= start
  }
}
