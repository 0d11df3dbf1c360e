// SPDX-License-Identifier: Apache-2.0

internal import ELF
internal import Memory

/// The ranges of a LiME image: headers of 32 bytes, each followed by the bytes of its range.
///
///      0  magic     4, "EMiL"
///      4  version   4, 1
///      8  s_addr    8, first physical address
///     16  e_addr    8, last one, inclusive
///     24  reserved  8
///
/// Source: LiME, `src/lime.h`, `lime_mem_range_header`, and its README, "LiME Memory Range Header".
struct LimeImage {
  static let signature: [UInt8] = Array("EMiL".utf8)
  private static let headerCount: UInt64 = 32
  /// Real machines have a few dozen.
  private static let rangeLimit = 1 << 16

  var segments: [ELFSegment] = []
  /// What is wrong with the ranges, in sentences.
  var obstacles: [String] = []

  init(_ bytes: DumpBytes) throws(DumpError) {
    var position: UInt64 = 0
    while position < bytes.count, segments.count < Self.rangeLimit {
      guard let header = try? bytes.copy(at: position, length: Int(Self.headerCount)),
        header.starts(with: Self.signature),
        let version: UInt32 = try? header.littleEndian(at: 4),
        let first: UInt64 = try? header.littleEndian(at: 8),
        let last: UInt64 = try? header.littleEndian(at: 16)
      else {
        // Some tools pad the end.
        obstacles.append(
          "the LiME image has no range header at offset \(position.hexadecimal); what comes before "
            + "is used")
        break
      }
      guard version == 1 else {
        throw DumpError(
          bytes.name, .unsupported,
          "expected a LiME image of version 1, found version \(version); AVML's compressed form is "
            + "version 2, which avml-convert turns into version 1")
      }
      guard first <= last, last - first < 1 << 52 else {
        obstacles.append(
          "the LiME range at offset \(position.hexadecimal) goes from \(first.hexadecimal) to "
            + "\(last.hexadecimal); what comes before is used")
        break
      }
      let count = last - first + 1
      position += Self.headerCount
      segments.append(.stored(physical: first, offset: position, byteCount: count))
      position &+= count
    }
    guard !segments.isEmpty else {
      throw DumpError(
        bytes.name, .corrupt,
        "expected a range in the LiME image, found none; \(obstacles.first ?? "it is empty")")
    }
  }
}

extension ELFSegment {
  /// Memory whose bytes are all in the file.
  static func stored(physical: UInt64, offset: UInt64, byteCount: UInt64) -> ELFSegment {
    ELFSegment(
      type: Kind.load, offset: offset, physical: physical, fileSize: byteCount,
      memorySize: byteCount, alignment: 0)
  }
}
