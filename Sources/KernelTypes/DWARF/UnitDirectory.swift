// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import Files
import Memory

/// All units of `.debug_info`, found by hopping from header to header.
///
/// A kernel has some 3,000 units. Reading only their headers and the first bytes behind them takes a few
/// milliseconds, where libdw, which looks at each unit's first entry through a mapping of the whole section,
/// takes 0.3 s and 195 MiB. So libdw only ever sees units that are wanted.
///
/// Source: DWARF 5, section 7.5.1 (unit headers); DWARF 4, section 7.5.1.
struct UnitDirectory {
  /// In the section's order.
  let units: [CompileUnit]
  /// What stands behind each unit's header, `entryBytes` of it, zeros where the unit is shorter: a second read
  /// of each place would cost as much as the first.
  private let entries: [UInt8]
  private let sections: DWARFSections

  /// More than any kernel; headers of damaged files may claim millions.
  private static let unitLimit = 1 << 18
  /// The longest header.
  private static let headerBytes = 40
  /// Of a unit's first entry, enough to hold where its path is.
  private static let entryBytes = 64

  init(_ sections: DWARFSections) throws(TypeError) {
    var units: [CompileUnit] = []
    var entries: [UInt8] = []
    var offset = 0
    let info = sections.info
    var bytes: [UInt8] = []
    while offset < info.byteCount {
      guard units.count < Self.unitLimit else {
        throw TypeError("\(info.file.path) has more than \(Self.unitLimit) DWARF units")
      }
      let end = min(offset + Self.headerBytes + Self.entryBytes, info.byteCount)
      try info.read(offset..<end, into: &bytes)
      let unit: CompileUnit?
      do throws(BoundsError) {
        unit = try Self.unit(bytes, at: offset)
      } catch {
        throw TypeError("\(info.file.path): DWARF unit at \(offset) is cut off: \(error)")
      }
      guard let unit, unit.byteCount <= info.byteCount - offset else {
        throw TypeError(
          "\(info.file.path): DWARF unit at \(offset) of \(info.byteCount) has an impossible "
            + "header; the file is damaged or its DWARF is neither version 2 to 5")
      }
      units.append(unit)
      let entry = bytes.prefix(unit.byteCount).dropFirst(unit.headerByteCount)
      entries += entry.prefix(Self.entryBytes)
      entries += repeatElement(0, count: units.count * Self.entryBytes - entries.count)
      offset = unit.end
    }
    self.units = units
    self.entries = entries
    self.sections = sections
  }

  /// Decodes a unit header; `nil` where it cannot be one.
  private static func unit(_ bytes: [UInt8], at offset: Int) throws(BoundsError) -> CompileUnit? {
    let first: UInt32 = try bytes.littleEndian(at: 0)
    let isWide = first == 0xffff_ffff
    guard isWide || first < 0xffff_fff0 else { return nil }
    let word = isWide ? 8 : 4
    let start = isWide ? 12 : 4
    let length = isWide ? try bytes.littleEndian(at: 4, as: UInt64.self) : UInt64(first)
    guard let length = Int(exactly: length), length <= Int.max - start else { return nil }
    let version = Int(try bytes.littleEndian(at: start, as: UInt16.self))
    // Version 5: unit type, address size, abbreviations. Before: abbreviations, address size.
    let place = start + (version >= 5 ? 4 : 2)
    let abbreviations =
      isWide
      ? try bytes.littleEndian(at: place, as: UInt64.self)
      : UInt64(try bytes.littleEndian(at: place, as: UInt32.self))
    var header = place + word + (version >= 5 ? 0 : 1)
    var signature: UInt64?
    var type: UInt64 = 0
    if version >= 5 {
      switch bytes[start + 2] {
      case 2, 6:  // DW_UT_type, DW_UT_split_type: signature and type offset
        signature = try bytes.littleEndian(at: header, as: UInt64.self)
        type =
          isWide
          ? try bytes.littleEndian(at: header + 8)
          : UInt64(try bytes.littleEndian(at: header + 8, as: UInt32.self))
        header += 8 + word
      case 4, 5: header += 8  // DW_UT_skeleton, DW_UT_split_compile: unit identifier
      default: break
      }
    }
    guard 2...5 ~= version, length >= header - start,
      let abbreviations = Int(exactly: abbreviations)
    else { return nil }
    return CompileUnit(
      offset: offset, byteCount: start + length, headerByteCount: header, version: version,
      offsetByteCount: word, abbreviations: abbreviations, signature: signature, type: type)
  }

  /// The unit that holds the byte at `offset` of `.debug_info`, by its index.
  func index(containing offset: Int) -> Int? {
    let index = units.partitioningIndex { $0.end > offset }
    return index < units.count && units[index].offset <= offset ? index : nil
  }

  /// Units that may be made from a source file whose path ends in one of `suffixes`.
  ///
  /// The abbreviation of a unit's first entry can be anywhere in its table, so the entry is not
  /// decoded: it holds the path's place in a string section, and any word of its first bytes that
  /// is such a place makes a candidate. `UnitImage` tells whether it is right.
  func candidates(ofSources suffixes: [String]) throws(TypeError) -> [Int] {
    // An object file may hold its strings in place; it has few units.
    guard units.count > 64 else { return suffixes.isEmpty ? [] : Array(units.indices) }
    var places: [Range<UInt32>] = []
    // DWARF 5 of gcc keeps paths apart from names; the large section is for all others, not for the files that
    // this kernel does not have.
    for section in [".debug_line_str", ".debug_str"].compactMap(sections.strings) {
      for suffix in suffixes {
        try section.forEachPlace(of: Array(suffix.utf8) + [0]) { (place) throws(TypeError) in
          // The path may start earlier, after the zero byte that ends the string before it.
          let before = try section.prefix(at: max(0, place - 256), upTo: min(place, 256))
          let start = place - before.reversed().prefix { $0 != 0 }.count
          places.append(UInt32(clamping: start)..<UInt32(clamping: place + 1))
          return places.count < 1024
        }
      }
      if !places.isEmpty { break }
    }
    guard !places.isEmpty else { return [] }
    places.sort { $0.lowerBound < $1.lowerBound }
    let first = places[0].lowerBound
    let last = places.reduce(0) { max($0, $1.upperBound) }
    var found: [Int] = []
    for (index, unit) in units.enumerated() {
      let entry = entries.dropFirst(index * Self.entryBytes)
        .prefix(min(Self.entryBytes, unit.byteCount - unit.headerByteCount))
      var word = entry.prefix(3).reduce(0 as UInt32) { $0 >> 8 | UInt32($1) << 24 }
      for byte in entry.dropFirst(3) {
        word = word >> 8 | UInt32(byte) << 24
        // Most words are no offset into the strings at all.
        if word >= first, word < last, places.contains(where: { $0.contains(word) }) {
          found.append(index)
          break
        }
      }
    }
    return found
  }
}
