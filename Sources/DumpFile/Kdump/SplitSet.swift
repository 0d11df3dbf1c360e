// SPDX-License-Identifier: Apache-2.0

import Memory

/// The files of one kdump-compressed dump in the order of their frames, checked to belong together.
struct SplitSet: Sendable {
  /// At least one; ascending and disjoint by frames.
  let parts: [KdumpPart]
  let isSplit: Bool
  let obstacles: [String]

  init(_ given: [KdumpPart]) throws(DumpError) {
    guard let first = given.first else {
      throw DumpError("", .notADump, "expected the path of a dump, found none")
    }
    isSplit = given.contains { $0.header.splitFrames != nil }
    for part in given.dropFirst() {
      if let difference = first.header.difference(from: part.header) {
        throw DumpError(
          part.bytes.name, .mismatch,
          "expected a part of the same dump as \(first.bytes.name), found another \(difference); "
            + "name the parts of one dump only")
      }
    }
    if given.count > 1, let whole = given.first(where: { $0.header.splitFrames == nil }) {
      throw DumpError(
        whole.bytes.name, .mismatch,
        "expected parts of a split dump, found a whole dump; name it alone")
    }
    parts = given.sorted {
      ($0.frames.lowerBound, $0.frames.upperBound) < ($1.frames.lowerBound, $1.frames.upperBound)
    }

    var sentences: [String] = []
    var covered: UInt64 = 0
    for (index, part) in parts.enumerated() where isSplit {
      if index > 0, part.frames.lowerBound < covered {
        throw DumpError(
          part.bytes.name, .mismatch,
          "expected parts with different frames, found frames "
            + "\(part.frames.lowerBound.hexadecimal) to \(part.frames.upperBound.hexadecimal) "
            + "also in \(parts[index - 1].bytes.name); name each part once")
      }
      if part.frames.lowerBound > covered {
        sentences.append(Self.missing(covered..<part.frames.lowerBound))
      }
      covered = part.frames.upperBound
    }
    if isSplit, covered < first.header.identity.frameLimit {
      sentences.append(Self.missing(covered..<first.header.identity.frameLimit))
    }
    for part in given {
      sentences += part.obstacles.map { given.count > 1 ? "\(part.bytes.name): \($0)" : $0 }
    }
    obstacles = sentences
  }

  private static func missing(_ frames: Range<UInt64>) -> String {
    "the part of the split dump with frames \(frames.lowerBound.hexadecimal) to "
      + "\((frames.upperBound - 1).hexadecimal) was not given; its pages are missing"
  }
}

extension KdumpHeader {
  /// The first thing in which the headers of two parts differ, in words.
  fileprivate func difference(from other: Self) -> String? {
    let (mine, theirs) = (identity, other.identity)
    if mine.release != theirs.release || mine.systemVersion != theirs.systemVersion {
      return "kernel"
    }
    if mine.machine != theirs.machine { return "machine" }
    if mine.timestamp != theirs.timestamp { return "timestamp" }
    if mine.frameLimit != theirs.frameLimit || mine.bitmapBlocks != theirs.bitmapBlocks {
      return "size of memory"
    }
    if dumpLevel != other.dumpLevel { return "dump level" }
    if physicalBase != other.physicalBase { return "physical base" }
    return mine.version == theirs.version ? nil : "header version"
  }
}
