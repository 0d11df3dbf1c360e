// SPDX-License-Identifier: Apache-2.0

internal import Files
internal import Memory
internal import RemappingState
internal import Report
internal import VTd

/// Registers that were read beside a dump, from a file.
///
/// Two forms: a report of this program with `registers`, such as capture writes; and QEMU's, one object
/// of offsets and values, both `"0x…"`, of one unit.
enum RegisterFile {
  private static let limit = 1 << 28

  /// - Returns: as they stand there; which units they are of is for whoever knows the units.
  static func registers(_ path: String) throws(CommandFailure) -> [UnitRegisters] {
    let bytes = try CommandFiles.bytes(path, limit: limit)
    if let words = words(bytes) { return [UnitRegisters(words: words, of: nil)] }
    do {
      guard let registers = try ReportReader.document(bytes).state.registers else {
        throw CommandFailure("\(path): a report without registers; capture --registers reads them")
      }
      return registers
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(
        "\(path): neither a report with registers nor offsets and values such as \"0x20\": "
          + "\"0x283c000\" (\(error))")
    }
  }

  /// One object of hexadecimal numbers in text; `nil` for everything else.
  static func words(_ bytes: [UInt8]) -> [UInt64: UInt64]? {
    var texts: [UInt64] = []
    // Text and what is between texts take turns.
    for (index, piece) in bytes.split(separator: 0x22, omittingEmptySubsequences: false)
      .enumerated()
    {
      guard index % 2 == 1 else {
        guard piece.allSatisfy({ " \t\r\n{}:,".utf8.contains($0) }) else { return nil }
        continue
      }
      guard piece.count <= 18,
        let number = UInt64(hexadecimal: String(decoding: piece, as: UTF8.self))
      else { return nil }
      texts.append(number)
    }
    guard !texts.isEmpty, texts.count % 2 == 0, texts.count < 1 << 13 else { return nil }
    var words: [UInt64: UInt64] = [:]
    for index in stride(from: 0, to: texts.count, by: 2) { words[texts[index]] = texts[index + 1] }
    return words
  }

  /// Reads the registers of every unit out of this machine, which is the crash kernel's.
  ///
  /// - Returns: those of the units that could be read.
  static func live(_ units: [Unit], warn: (String) -> Void) -> [UnitRegisters] {
    var result: [UnitRegisters] = []
    for unit in units {
      let base = unit.registerBase.rawValue
      // Of a root table that was found by its shape, nobody knows the unit; at 0 the BIOS has its vectors.
      guard base != 0 else {
        warn("\(unit.name): its registers cannot be read: nothing tells where they are")
        continue
      }
      do {
        var words = try DeviceMemory.words(at: base, count: 64)
        let capability = Capability(words[RegisterOffset.capability] ?? 0)
        let first = UInt64(capability.faultRecordOffset)
        // Beyond the page that every unit has, the records are where CAP says.
        if words[RegisterOffset.capability] != .max, first + 16 <= 1 << 14 {
          let count = min(2 * capability.faultRecordCount, 512)
          for (offset, word) in try DeviceMemory.words(at: base + first, count: count) {
            words[first + offset] = word
          }
        }
        result.append(UnitRegisters(words: words, of: unit))
      } catch {
        warn("\(unit.name): its registers cannot be read: \(error)")
      }
    }
    return result
  }
}
