// SPDX-License-Identifier: Apache-2.0

internal import Files
import Memory

/// Bytes that should be in a dump lie beyond its end, or cannot be read.
struct Truncation: Error, Hashable, Sendable {
  /// Offset in the dump of the first byte asked for.
  var offset: UInt64
  /// Whether they were there when the dump was opened.
  var isUnreadable = false

  var absence: Absence {
    isUnreadable
      ? .corrupt(fileOffset: offset, "the file became shorter, or the system cannot read it there")
      : .truncated(fileOffset: offset)
  }
}

/// The bytes of one dump file as its format sees them: mapped, and unflattened where necessary.
///
/// Offsets count in the dump; in a flattened file that is the dump which `makedumpfile -R` would
/// write. Nothing is read before it is asked for.
final class DumpBytes: Sendable {
  private let file: FileMapping
  private let flattened: FlattenedIndex?
  /// One past the last byte of the dump.
  let count: UInt64

  init(_ file: FileMapping) throws(DumpError) {
    self.file = file
    let signature = FlattenedIndex.signature
    let isFlattened =
      file.byteCount >= signature.count && file.isReadable(at: 0, length: signature.count)
      && file.withBytes(at: 0, length: signature.count) { bytes in
        (try? bytes.copy(at: 0, count: signature.count)) == signature
      }
    if isFlattened {
      let index = try FlattenedIndex(file)
      flattened = index
      count = index.map.end
    } else {
      flattened = nil
      count = UInt64(file.byteCount)
    }
  }

  /// The file as the caller named it.
  var name: String { file.name }
  var isFlattened: Bool { flattened != nil }
  /// Bytes in the file itself: the bound for everything that is sized by a number from the dump.
  /// (A flattened dump can claim any size; a short record far out is enough.)
  var fileByteCount: UInt64 { UInt64(file.byteCount) }
  /// Why the stream ends early, or `nil`.
  var obstacle: String? { flattened?.obstacle }

  /// The first of `length` bytes at `offset` that the file does not hold, or `nil`.
  func missing(at offset: UInt64, length: UInt64) -> UInt64? {
    let (end, overflow) = offset.addingReportingOverflow(length)
    guard !overflow, end <= count else { return max(offset, count) }
    // Parts that no record wrote are zeros in a complete stream, as they would be in the
    // rearranged file; in a stream that ends early their records may have been still to come.
    guard let flattened, flattened.obstacle != nil else { return nil }
    var position = offset
    var index = flattened.map.index(endingAfter: offset)
    while position < end {
      guard index < flattened.map.extents.count, flattened.map.extents[index].start <= position
      else { return position }
      position = flattened.map.extents[index].end
      index += 1
    }
    return nil
  }

  /// Calls `body` with `length` bytes at `offset`; they are copied only if they lie scattered.
  ///
  /// The caller bounds `length`, because scattered bytes are gathered in a buffer.
  func withBytes<R>(
    at offset: UInt64, length: Int, _ body: (RawSpan) -> R
  ) throws(Truncation) -> R {
    guard length >= 0, missing(at: offset, length: UInt64(length)) == nil else {
      throw Truncation(offset: offset)
    }
    if let place = place(of: offset, length: length) {
      guard file.isReadable(at: place, length: length) else {
        throw Truncation(offset: offset, isUnreadable: true)
      }
      return file.withBytes(at: place, length: length, body)
    }
    let gathered = try gather(at: offset, length: length)
    // The array outlives the call, and its bytes are not changed meanwhile.
    return unsafe gathered.withUnsafeBytes { unsafe body($0.bytes) }
  }

  /// A copy of `length` bytes at `offset`.
  func copy(at offset: UInt64, length: Int) throws(Truncation) -> [UInt8] {
    try withBytes(at: offset, length: length) { bytes in
      // The span has exactly `length` bytes.
      (try? bytes.copy(at: 0, count: length)) ?? []
    }
  }

  /// The little-endian integer at `offset`.
  func littleEndian<T>(at offset: UInt64, as type: T.Type = T.self) throws(Truncation) -> T
  where T: FixedWidthInteger & BitwiseCopyable {
    let value: T? = try withBytes(at: offset, length: MemoryLayout<T>.size) { bytes in
      try? bytes.littleEndian(at: 0)
    }
    guard let value else { throw Truncation(offset: offset) }
    return value
  }

  /// The 4096 bytes at `offset` as a page: without a copy where they are contiguous in the file.
  func page(at offset: UInt64) throws(Truncation) -> Page {
    guard missing(at: offset, length: UInt64(Page.size)) == nil else {
      throw Truncation(offset: offset)
    }
    if let place = place(of: offset, length: Page.size) {
      guard file.isReadable(at: place, length: Page.size) else {
        throw Truncation(offset: offset, isUnreadable: true)
      }
      return file.page(at: place)
    }
    return Page(try gather(at: offset, length: Page.size))
  }

  /// Says that bytes were looked through and will hardly be asked for again.
  func relax(at offset: UInt64, length: UInt64) {
    guard length <= UInt64(file.byteCount), missing(at: offset, length: length) == nil,
      let place = place(of: offset, length: Int(length))
    else { return }
    file.relax(at: place, length: Int(length))
  }

  /// Where `length` bytes lie contiguously in the file, or `nil` if they are scattered.
  private func place(of offset: UInt64, length: Int) -> Int? {
    guard let flattened else { return Int(exactly: offset) }
    let index = flattened.map.index(endingAfter: offset)
    guard index < flattened.map.extents.count else { return nil }
    let extent = flattened.map.extents[index]
    guard extent.start <= offset, extent.end - offset >= UInt64(length) else { return nil }
    return Int(exactly: extent.target(of: offset))
  }

  /// The bytes of several records, with zeros where no record wrote; all are known to be there.
  private func gather(at offset: UInt64, length: Int) throws(Truncation) -> [UInt8] {
    guard let flattened else { return [] }
    var result = [UInt8](repeating: 0, count: length)
    let end = offset + UInt64(length)
    for extent in flattened.map.extents[flattened.map.index(endingAfter: offset)...] {
      guard extent.start < end else { break }
      let first = max(extent.start, offset)
      let part = Int(min(extent.end, end) - first)
      guard let place = Int(exactly: extent.target(of: first)) else { continue }
      guard file.isReadable(at: place, length: part) else {
        throw Truncation(offset: first, isUnreadable: true)
      }
      let bytes = file.withBytes(at: place, length: part) { bytes in
        (try? bytes.copy(at: 0, count: part)) ?? []
      }
      let start = Int(first - offset)
      result.replaceSubrange(start..<start + bytes.count, with: bytes)
    }
    return result
  }
}
