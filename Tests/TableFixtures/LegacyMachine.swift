// SPDX-License-Identifier: Apache-2.0

import Memory
public import MemoryFixtures
import RemappingState
public import TableCopy
public import VTd

/// One unit in legacy mode: the root table at 0x1000, the context table of bus n at 0x2000 + n pages,
/// page tables from 0x100000 on.
public struct LegacyMachine {
  public let memory = SyntheticMemory()
  /// 256 domain-ids, 4 and 5 levels, 48 bits, 2 MiB and 1 GiB pages.
  public static let capabilities = UnitCapabilities(
    capability: Capability(2 | 0b1110 << 8 | 47 << 16 | 0b11 << 34),
    extendedCapability: ExtendedCapability(1 << 6))
  private var nextPage: UInt64 = 0x10_0000

  public init() {
    memory.addPage(0x1000)
  }

  public var unit: TranslationTables {
    TranslationTables(
      memory: memory, rootTable: PhysicalAddress(0x1000), mode: .legacy,
      capabilities: Self.capabilities)
  }

  public mutating func page() -> UInt64 {
    defer { nextPage += 0x1000 }
    memory.addPage(nextPage)
    return nextPage
  }

  /// Adds a context and returns the address of its entry.
  @discardableResult
  public func context(
    bus: UInt64 = 0, devfn: UInt64, table: UInt64, levels: UInt64 = 4, domainID: UInt64 = 5,
    low: UInt64 = 1
  ) -> UInt64 {
    let contexts = 0x2000 + bus << 12
    memory.addPage(contexts)
    memory[0x1000 + bus * 16] = contexts | 1
    memory[contexts + devfn * 16] = table | low
    memory[contexts + devfn * 16 + 8] = domainID << 8 | (levels - 2)
    return contexts + devfn * 16
  }

  /// Maps one page of `4096 << 9 × (level − 1)` bytes, building the tables above it.
  public mutating func map(
    _ iova: UInt64, to physical: UInt64, in table: UInt64, levels: Int = 4, level: Int = 1,
    rights: UInt64 = 3
  ) {
    var table = table
    for step in stride(from: levels, to: level, by: -1) {
      let entry = table + (iova >> UInt64(3 + 9 * step) & 511) * 8
      if memory[entry] & 3 == 0 { memory[entry] = page() | 3 }
      table = memory[entry] & ~0xfff
    }
    memory[table + (iova >> UInt64(3 + 9 * level) & 511) * 8] =
      physical | rights | (level > 1 ? 0x80 : 0)
  }
}

/// Copies everything and proves it.
public func copyAndProve(
  _ unit: TranslationTables, budget: CopyBudget = CopyBudget()
) -> (copier: TableCopier, copy: UnitCopy, proof: CopyProof) {
  var copier = TableCopier(base: PhysicalAddress(1 << 40), budget: budget)
  let copy = copier.copyAll(unit)
  var verifier = CopyVerifier(copier.arena, original: unit, budget: budget)
  return (copier, copy, verifier.verify(copy))
}
