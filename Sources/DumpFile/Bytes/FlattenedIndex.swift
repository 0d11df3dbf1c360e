// SPDX-License-Identifier: Apache-2.0

internal import Files
import Memory

/// Where the bytes of a dump lie inside makedumpfile's flattened stream.
///
/// The stream is what `makedumpfile -F` and QEMU write when they cannot seek:
///
///     0x0000  "makedumpfile" and 4 zero bytes, type (8 bytes, 1), version (8 bytes, 1)
///     0x1000  record: offset in the dump (8 bytes), length (8 bytes), then `length` bytes
///             …
///             end mark: offset −1, length −1
///
/// All numbers are big-endian. A record may overwrite what an earlier one wrote. Building the index
/// reads the record headers alone.
///
/// Source: makedumpfile, `IMPLEMENTATION`, "The flattened format"; `makedumpfile.h`, `struct
/// makedumpfile_header` and `struct makedumpfile_data_header`.
struct FlattenedIndex: Sendable {
  static let signature: [UInt8] = Array("makedumpfile".utf8) + [0, 0, 0, 0]
  private static let headerCount = 4096
  private static let recordHeaderCount = 16
  /// More records than this are not indexed: QEMU writes the shortest ones, of 16 KiB, so this
  /// covers 256 GiB of its output, and it bounds the index at 400 MiB.
  private static let recordLimit = 1 << 24

  /// From dump offsets to file offsets.
  var map: ExtentMap
  /// Why the stream ends early, or `nil` if its end mark was found.
  var obstacle: String?

  /// - Throws: only for a type or version that is not known.
  init(_ file: FileMapping) throws(DumpError) {
    func word(_ offset: Int) -> Int64? {
      guard offset <= file.byteCount - 8, file.isReadable(at: offset, length: 8) else {
        return nil
      }
      // Eight bytes at `offset` are inside the file, so the load cannot fail.
      return file.withBytes(at: offset, length: 8) { bytes in
        (try? bytes.littleEndian(at: 0, as: Int64.self))?.byteSwapped
      }
    }
    guard let type = word(16), let version = word(24), type == 1, version == 1 else {
      throw DumpError(
        file.name, .unsupported,
        "expected a flattened dump of type 1 and version 1, "
          + "found type \(word(16) ?? 0) and version \(word(24) ?? 0)")
    }

    var records: [Extent] = []
    var position = Self.headerCount
    obstacle = "its end mark is missing"
    while position <= file.byteCount - Self.recordHeaderCount,
      let start = word(position), let length = word(position + 8)
    {
      if start == -1 {
        obstacle = nil
        break
      }
      guard start >= 0, length > 0, let target = Int(exactly: length) else {
        obstacle =
          "the record at file offset \(UInt64(position).hexadecimal) is damaged "
          + "(offset \(start), length \(length))"
        break
      }
      guard records.count < Self.recordLimit else {
        obstacle = "it has more than \(Self.recordLimit) records"
        break
      }
      position += Self.recordHeaderCount
      let there = min(target, file.byteCount - position)
      // Both terms are below 2⁶³, so their sum fits.
      let extent = Extent(
        start: UInt64(start), end: UInt64(start) + UInt64(there), target: UInt64(position))
      if there > 0 { records.append(extent) }
      guard there == target else {
        obstacle = "its last record is cut"
        break
      }
      position += there
    }
    if let cause = obstacle {
      obstacle =
        "the flattened stream ends early at file offset \(UInt64(position).hexadecimal): "
        + "\(cause); what comes before is used"
    }
    map = ExtentMap(records, winner: .last)
  }
}
