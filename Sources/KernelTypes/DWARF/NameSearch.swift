// SPDX-License-Identifier: Apache-2.0

internal import ELF

/// Finds the units that mention a name without decoding them.
///
/// A linked kernel keeps each name once in `.debug_str`, so an entry of that name holds the name's
/// offset there, as four bytes. Searching the section for these bytes reads it once, at the speed of
/// memory. What is found may be a coincidence; what is not found is not there.
final class NameSearch {
  private let sections: DWARFSections
  private let directory: UnitDirectory
  private static let chunk = 1 << 20
  /// Places of one name in the strings; linkers merge equal strings and tails of strings.
  private static let placeLimit = 16
  private static let nameLimit = 1024
  /// Bytes looked at to learn which byte values are rare.
  private static let sample = 1 << 14
  /// What was found of the names that were asked for; a name that nothing mentions is asked for twice.
  private var known: [[UInt8]: [[UInt8]]?] = [:]

  init(_ sections: DWARFSections, _ directory: UnitDirectory) {
    self.sections = sections
    self.directory = directory
  }

  /// Calls `body` with the index of each unit that mentions `name`, in the section's order, until it
  /// returns `false`.
  ///
  /// The patterns are those that find the name in the unit; none where only reading it tells.
  func forEachUnit(
    mentioning name: String, _ body: (Int, [BytePattern]) throws(TypeError) -> Bool
  ) throws(TypeError) {
    guard let text = Self.searchable(name) else { return }
    let needles: [[UInt8]]
    if let found = try self.needles(text) {
      needles = found
    } else {
      // Names by index, or more places than a linker leaves: ask every unit.
      for index in directory.units.indices {
        guard try body(index, []) else { return }
      }
      return
    }
    guard !needles.isEmpty else { return }
    var next = 0
    var buffer: [UInt8] = []
    let sample = try sections.info.prefix(at: 0, upTo: Self.sample)
    let patterns = needles.map { BytePattern($0, sample: sample[...]) }
    let overlap = needles.map(\.count).max().map { $0 - 1 } ?? 0
    var start = 0
    while start < sections.info.byteCount {
      let end = min(start + Self.chunk, sections.info.byteCount)
      try sections.info.read(start..<end, into: &buffer)
      var skipTo: Int?
      var place = 0
      while let hit = Self.first(patterns, in: buffer, from: place) {
        guard let index = directory.index(containing: start + hit) else { break }
        if index >= next {
          next = index + 1
          guard try body(index, patterns) else { return }
        }
        let unitEnd = directory.units[index].end
        guard unitEnd < end else {
          skipTo = unitEnd
          break
        }
        place = max(hit + 1, unitEnd - start)
      }
      // The next chunk repeats the last bytes, in which a needle may have begun.
      start = skipTo ?? (end == sections.info.byteCount ? end : end - overlap)
    }
  }

  /// Whether any entry can have this name.
  func isMentioned(_ name: String) throws(TypeError) -> Bool {
    guard let text = Self.searchable(name) else { return false }
    return try needles(text)?.isEmpty != true
  }

  /// The bytes of a name with the zero byte behind it; `nil` where it cannot be a name.
  private static func searchable(_ name: String) -> [UInt8]? {
    let text = Array(name.utf8) + [0]
    return text.count > 1 && text.count <= nameLimit && text.firstIndex(of: 0) == text.count - 1
      ? text : nil
  }

  /// The byte patterns by which entries can have this name (with its zero byte); `nil` where they
  /// cannot be told.
  private func needles(_ text: [UInt8]) throws(TypeError) -> [[UInt8]]? {
    if let known = known[text] { return known }
    let found = try findNeedles(text)
    known[text] = .some(found)
    return found
  }

  private func findNeedles(_ text: [UInt8]) throws(TypeError) -> [[UInt8]]? {
    guard sections.strings(".debug_str_offsets") == nil,
      !directory.units.contains(where: { $0.offsetByteCount == 8 })
    else { return nil }
    var needles: [[UInt8]] = []
    let strings = sections.strings(".debug_str")
    var tooMany = false
    try strings?.forEachPlace(of: text) { (place) throws(TypeError) in
      let offset = UInt32(truncatingIfNeeded: place)
      needles.append((0..<4).map { UInt8(truncatingIfNeeded: offset >> ($0 * 8)) })
      tooMany = needles.count > Self.placeLimit
      return !tooMany
    }
    guard !tooMany else { return nil }
    // Compilers write a name in place where an offset would not be shorter, and where strings are
    // not merged.
    if text.count <= 4 || (strings?.flags ?? 0) & ELFSectionHeader.Flag.merged == 0 {
      needles.append(text)
    }
    return needles
  }

  /// The first place of any needle at or after `start`.
  private static func first(_ needles: [BytePattern], in bytes: [UInt8], from start: Int) -> Int? {
    var best: Int?
    for needle in needles {
      if let hit = needle.first(in: bytes, from: start) { best = min(best ?? hit, hit) }
    }
    return best
  }
}
