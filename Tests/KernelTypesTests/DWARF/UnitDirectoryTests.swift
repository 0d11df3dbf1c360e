// SPDX-License-Identifier: Apache-2.0

import Files
import Testing

@testable import KernelTypes

/// Units of a kernel, of which only headers and the bytes behind them are read.
struct UnitDirectoryTests {
  private static let strings = Array("\0/k/drivers/other.c\0/k/drivers/wanted.c\0".utf8)
  /// Where the path of the wanted source begins.
  private static let wanted: UInt32 = 20

  private static func section(_ name: String, _ bytes: [UInt8]) throws -> ELFSection {
    ELFSection(
      name: name, type: 1, flags: 0, link: 0, info: 0, alignment: 1,
      file: try InputFile(memory: bytes, for: name), range: 0..<bytes.count)
  }

  /// A unit of DWARF 5 with this behind its header.
  private static func unit(_ entry: [UInt8]) -> [UInt8] {
    let length = UInt32(8 + entry.count)
    // Version, DW_UT_compile, bytes of an address, abbreviations.
    return word(length) + [5, 0, 1, 8] + word(0) + entry
  }

  private static func word(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  /// - Parameters:
  ///   - names: in `.debug_str`.
  ///   - paths: in `.debug_line_str`, where that exists.
  private static func directory(
    _ units: [[UInt8]], names: [UInt8] = [0], paths: [UInt8]? = strings
  ) throws -> UnitDirectory {
    try UnitDirectory(
      DWARFSections(
        info: section(".debug_info", units.flatMap(\.self)),
        abbreviations: section(".debug_abbrev", [0]),
        strings: [section(".debug_str", names)]
          + [paths].compactMap(\.self).map { try section(".debug_line_str", $0) }))
  }

  /// The place of the path is found wherever in the first bytes it is, and not behind them.
  @Test func unitsOfASourceAreFoundByTheirFirstBytes() throws {
    let path = Self.word(Self.wanted)
    var units = (0..<70).map { _ in Self.unit([1] + Self.word(1) + [0]) }
    units[3] = Self.unit([1] + path + [UInt8](repeating: 0xee, count: 200))
    units[9] = Self.unit([UInt8](repeating: 0xee, count: 60) + path)
    units[12] = Self.unit([UInt8](repeating: 0xee, count: 61) + path)
    // No room for a place.
    units[20] = Self.unit([1])
    units[21] = Self.unit([])
    units[69] = Self.unit(path)
    let directory = try Self.directory(units)
    #expect(directory.units.count == 70)
    #expect(directory.units[20].headerByteCount == 12)
    #expect(try directory.candidates(ofSources: ["wanted.c"]) == [3, 9, 69])
    #expect(try directory.candidates(ofSources: ["missing.c"]) == [])
    #expect(try directory.candidates(ofSources: ["other.c"]).count == 64)
  }

  /// Where paths are apart from names, only there; elsewhere among the names.
  @Test func pathsApartAreLookedForAlone() throws {
    var units = (0..<70).map { _ in Self.unit([1, 2]) }
    units[5] = Self.unit(Self.word(Self.wanted))
    let sources = ["missing.c", "wanted.c"]
    let names = Array("\0missing.c\0".utf8)
    units[6] = Self.unit(Self.word(1))
    #expect(try Self.directory(units, names: names).candidates(ofSources: sources) == [5])
    #expect(
      try Self.directory(units, names: names, paths: [0]).candidates(ofSources: sources) == [6])
    #expect(
      try Self.directory(units, names: Self.strings, paths: nil).candidates(ofSources: sources)
        == [5])
  }

  /// What stands behind the end of a unit is the next one's.
  @Test func theNextUnitsBytesAreNotTaken() throws {
    var units = (0..<70).map { _ in Self.unit([]) }
    units[30] = Self.unit(Self.word(Self.wanted))
    #expect(try Self.directory(units).candidates(ofSources: ["wanted.c"]) == [30])
  }

  @Test func aUnitThatIsCutOffIsTold() throws {
    var units = (0..<70).map { _ in Self.unit([1, 2, 3]) }
    units[69].removeLast(2)
    #expect(throws: TypeError.self) { try Self.directory(units) }
    units[69] = Array(units[69].prefix(5))
    #expect(throws: TypeError.self) { try Self.directory(units) }
  }
}
