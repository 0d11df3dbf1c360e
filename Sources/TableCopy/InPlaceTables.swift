// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState
public import VTd

/// What a live update does to one unit's tables where they stand.
public struct InPlaceUpdate: Hashable, Sendable {
  /// Source ids whose context entry is zeroed.
  public var cleared: Set<UInt16>
  /// Source ids whose context entry loses its page-request bit; counts in scalable mode alone.
  public var withoutPageRequests: Set<UInt16>
  /// Halves of the root table, bus × 2 + half, whose context table is handed over; the present ones
  /// that are missing are zeroed. `nil` for all that are present.
  public var contextTables: Set<Int>?
  /// The root table that the next kernel goes on with; `nil` for the unit's own. What is cleared is
  /// cleared in the unit's own.
  public var rootTable: PhysicalAddress?

  public init(
    cleared: Set<UInt16> = [], withoutPageRequests: Set<UInt16> = [],
    contextTables: Set<Int>? = nil, rootTable: PhysicalAddress? = nil
  ) {
    self.cleared = cleared
    self.withoutPageRequests = withoutPageRequests
    self.contextTables = contextTables
    self.rootTable = rootTable
  }
}

/// Tables that are taken over where they stand: nothing is copied.
extension TableCopier {
  /// Goes on with the tables as they are; every row is the same before and after.
  ///
  /// Source: message cover.1779265413 of the arm-smmu-v3 series "Fix device crash on kdump kernel"
  /// (2026), which keeps the crashed kernel's stream table; for VT-d no such code exists.
  public mutating func adopt(_ unit: TranslationTables) -> UnitCopy {
    takeOver(unit, InPlaceUpdate())
  }

  /// Clears what a live update does not keep, and goes on with the rest.
  ///
  /// The entries' addresses follow from the root table's words, as the kernel computes them, and the
  /// bits that may follow there are not looked at:
  /// - of a cleared entry 16 bytes are zeroed, in every mode: `context_clear_entry` knows two words, and
  ///   the upper two of a scalable entry are reserved;
  /// - of the entries of preserved devices bit 4 (PRE) is cleared, in scalable mode alone;
  /// - a root entry's upper word is looked at in scalable mode alone.
  ///
  /// Source: drivers/iommu/intel/liveupdate.c of the series "iommu: Add live update state preservation"
  /// (version 3 of 15 June 2026, patch 8, and its successor), functions
  /// `clear_unpreserved_context_entries` and `clear_unpreserved_context_root_entries`.
  public mutating func update(_ unit: TranslationTables, _ update: InPlaceUpdate) -> UnitCopy {
    takeOver(unit, update)
  }

  private mutating func takeOver(_ unit: TranslationTables, _ update: InPlaceUpdate) -> UnitCopy {
    var changes = TableEdits()
    for id in update.cleared.sorted() {
      guard let entry = unit.contextEntry(of: id) else { continue }
      changes.store(0, at: entry)
      changes.store(0, at: PhysicalAddress(entry.rawValue | 8))
    }
    if unit.mode == .scalable {
      for id in update.withoutPageRequests.subtracting(update.cleared).sorted() {
        guard let entry = unit.contextEntry(of: id), changes.word(at: entry) == nil,
          let word = unit.word(at: entry)
        else { continue }
        if word & Self.pageRequestEnable != 0 {
          changes.store(word & ~Self.pageRequestEnable, at: entry)
        }
      }
    }
    if let kept = update.contextTables {
      for half in 0..<512 where half & 1 == 0 || unit.mode == .scalable {
        let entry = PhysicalAddress(unit.rootTable.pageBase.rawValue | UInt64(half) << 3)
        guard !kept.contains(half), let word = unit.word(at: entry), word & 1 != 0 else { continue }
        changes.store(0, at: entry)
      }
    }
    for (address, word) in changes.words { edits.store(word, at: PhysicalAddress(address)) }
    return inPlace(unit, edited: edits, rootTable: update.rootTable)
  }

  /// Bit 4 of a scalable-mode context entry: page requests are let through.
  ///
  /// Source: VT-d specification, section 9.4.
  private static let pageRequestEnable: UInt64 = 1 << 4

  /// Pairs the rows of the tables before and after.
  private func inPlace(
    _ unit: TranslationTables, edited edits: TableEdits, rootTable: PhysicalAddress?
  ) -> UnitCopy {
    var copy = UnitCopy()
    let root = (rootTable ?? unit.rootTable).pageBase
    copy.rootTable = root
    copy.isInPlace = true
    let old = unit.read(budget)
    var after = unit
    after.memory = EditedMemory(edits, over: unit.memory)
    after.rootTable = root
    let new =
      edits.isEmpty && root == unit.rootTable.pageBase ? old : after.read(budget)
    note(old, in: &copy)

    var roots: [Int: UnitCopy.RootRow] = [:]
    for entry in old.roots {
      roots[Int(entry.bus) << 1 | (entry.half ?? 0)] = UnitCopy.RootRow(
        bus: entry.bus, half: entry.half, old: entry.words.first ?? 0, new: .exact(0))
    }
    for entry in new.roots {
      let key = Int(entry.bus) << 1 | (entry.half ?? 0)
      roots[key, default: .init(bus: entry.bus, half: entry.half, old: 0, new: .exact(0))].new =
        .exact(entry.words.first ?? 0)
    }
    copy.roots = roots.sorted { $0.key < $1.key }.map(\.value)

    copy.pair(old, new)
    copy.copied = new.contexts.map(\.sourceID).sorted()
    copy.domainIDs = Set(
      new.paths.lazy.compactMap(\.domainID).map(UInt32.init).filter {
        Int($0) < unit.capabilities.capability.domainCount
      }
    ).sorted()
    return copy
  }
}

extension TranslationTables {
  /// Where a source id's context entry is; `nil` where its bus, or half of it, has no context table.
  ///
  /// Source: drivers/iommu/intel/iommu.c, `iommu_context_addr`.
  public func contextEntry(of sourceID: UInt16) -> PhysicalAddress? {
    let bus = UInt64(sourceID >> 8)
    let devfn = UInt64(sourceID & 0xff)
    let hasHalves = mode != .legacy
    let half = hasHalves ? devfn >> 7 : 0
    let root = PhysicalAddress(rootTable.pageBase.rawValue | bus << 4 | half << 3)
    guard let word = word(at: root), word & 1 != 0 else { return nil }
    let slot = hasHalves ? (devfn & 0x7f) << 5 : devfn << 4
    return PhysicalAddress(word & ~0xfff | slot)
  }

  /// The word at an address that is a multiple of 8; `nil` where the dump has no such page.
  func word(at address: PhysicalAddress) -> UInt64? {
    guard let page = try? memory.pageOrAssumedZero(address.frame).page else { return nil }
    return page[word: address.pageOffset >> 3]
  }
}
