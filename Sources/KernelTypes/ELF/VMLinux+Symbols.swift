// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import ELF
import Memory

/// One entry of a symbol table.
public struct Symbol: Hashable, Sendable {
  public var name: String
  /// As linked: the kernel may have been loaded elsewhere.
  public var address: UInt64
  /// 0 where the table does not tell.
  public var byteCount: UInt64
  public var kind: Kind

  public enum Kind: Hashable, Sendable {
    case function
    case object
    case other
  }

  public init(name: String, address: UInt64, byteCount: UInt64, kind: Kind) {
    self.name = name
    self.address = address
    self.byteCount = byteCount
    self.kind = kind
  }
}

extension VMLinux {
  /// The symbols of each wanted name, in the table's order.
  ///
  /// Static symbols of different files may share a name, so all are kept. A name that does not
  /// exist is missing from the answer; a file without a symbol table has none. One pass over the
  /// table serves all names.
  public func symbols(named wanted: Set<String>) throws(TypeError) -> [String: [Symbol]] {
    var found: [String: [Symbol]] = [:]
    // A quarter of a million names are compared by their first bytes; few of them match.
    var byPrefix: [UInt64: [(name: String, bytes: [UInt8])]] = [:]
    for name in wanted where !name.isEmpty {
      let bytes = Array(name.utf8) + [0]
      byPrefix[Self.prefix(bytes, 0), default: []].append((name, bytes))
    }
    var filter = [Bool](repeating: false, count: 1 << 12)
    for prefix in byPrefix.keys { filter[Self.slot(prefix)] = true }
    try forEachSymbol { entry, names in
      let prefix = Self.prefix(names, entry.name)
      guard filter[Self.slot(prefix)], let candidates = byPrefix[prefix] else { return }
      for candidate in candidates
      where names[entry.name...].prefix(candidate.bytes.count).elementsEqual(candidate.bytes) {
        found[candidate.name, default: []].append(entry.symbol(candidate.name))
      }
    }
    return found
  }

  /// The addresses of each wanted name, as linked and in the table's order.
  public func addresses(of wanted: Set<String>) throws(TypeError) -> [String: [UInt64]] {
    try symbols(named: wanted).mapValues { $0.map(\.address) }
  }

  /// The symbol that each address lies in, among those with a size, or that starts there.
  ///
  /// Of several the one that starts last is taken, and then the first in the table. An address in no
  /// symbol is missing from the answer.
  public func symbols(containing addresses: Set<UInt64>) throws(TypeError) -> [UInt64: Symbol] {
    let sorted = addresses.sorted()
    var found: [UInt64: SymbolEntry] = [:]
    var names: [UInt64: Symbol] = [:]
    try forEachSymbol { entry, strings in
      // The first wanted address that is not below the symbol.
      let first = sorted.partitioningIndex { $0 >= entry.address }
      for address in sorted[first...] {
        guard address - entry.address < max(1, entry.byteCount) else { break }
        if found[address].map({ $0.address < entry.address }) ?? true {
          found[address] = entry
          names[address] = entry.symbol(Self.text(strings, entry.name))
        }
      }
    }
    return names
  }

  // MARK: The table

  /// One `Elf64_Sym`; its name is an offset into the names, inside them.
  private struct SymbolEntry {
    var name: Int
    var address: UInt64
    var byteCount: UInt64
    var type: UInt8

    func symbol(_ name: String) -> Symbol {
      Symbol(
        name: name, address: address, byteCount: byteCount,
        kind: type == 2 ? .function : type == 1 ? .object : .other)
    }
  }

  /// Calls `body` for each defined symbol of all symbol tables with the bytes of all names, which
  /// end with a zero byte.
  ///
  /// Source: System V ABI, "Symbol Table": `st_name` 4 bytes, `st_info`, `st_other`, `st_shndx` 2,
  /// `st_value` 8, `st_size` 8.
  private func forEachSymbol(_ body: (SymbolEntry, [UInt8]) -> Void) throws(TypeError) {
    for table in sections
    where table.type == ELFSectionHeader.Kind.symbolTable && !table.range.isEmpty {
      guard sections.indices.contains(table.link) else {
        throw TypeError("\(path): \(table.name) has no table of names")
      }
      let names = try sections[table.link].read() + [0]
      var chunk: [UInt8] = []
      let step = 24 << 13
      let whole = table.byteCount / 24 * 24
      for start in stride(from: 0, to: whole, by: step) {
        try table.read(start..<start + min(step, whole - start), into: &chunk)
        for offset in stride(from: 0, to: chunk.count, by: 24) {
          guard let name = try? chunk.littleEndian(at: offset, as: UInt32.self),
            let section = try? chunk.littleEndian(at: offset + 6, as: UInt16.self),
            let address = try? chunk.littleEndian(at: offset + 8, as: UInt64.self),
            let size = try? chunk.littleEndian(at: offset + 16, as: UInt64.self)
          else { continue }
          let type = chunk[offset + 4] & 15
          // Undefined ones have no address; sections (3) and source files (4) are no symbols.
          guard section != 0, type != 3, type != 4, name != 0, Int(name) < names.count - 1 else {
            continue
          }
          body(
            SymbolEntry(name: Int(name), address: address, byteCount: size, type: type), names)
        }
      }
    }
  }

  /// The first eight bytes of a name as an integer, zero after its end.
  private static func prefix(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    if let word = try? bytes.littleEndian(at: offset, as: UInt64.self) {
      // The lowest zero byte and all above it are not part of the name.
      let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
      guard zeros != 0 else { return word }
      return word & (((zeros & (0 &- zeros)) >> 7) &- 1)
    }
    var word: UInt64 = 0
    for (index, byte) in bytes[offset...].prefix(8).enumerated() {
      if byte == 0 { break }
      word |= UInt64(byte) << UInt64(index * 8)
    }
    return word
  }

  private static func slot(_ prefix: UInt64) -> Int {
    Int(truncatingIfNeeded: (prefix &* 0x9e37_79b9_7f4a_7c15) >> 52)
  }

  private static func text(_ bytes: [UInt8], _ offset: Int) -> String {
    let rest = bytes[offset...].prefix(1024)
    return String(decoding: rest.prefix { $0 != 0 }, as: UTF8.self)
  }
}
