// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// One entry that a look-up read on its way from the root table to an address space.
public struct ContextStep: Hashable, Sendable {
  public var structure: ContextObstacle.Structure
  /// Host-physical address of the entry.
  public var entry: PhysicalAddress
  /// The entry as read, lowest word first.
  public var words: [UInt64]
  /// The fields of such an entry in the unit's mode.
  public var fields: [BitField]
  /// The table was a hole of an ELF dump and was taken for zeros.
  public var isAssumedZero: Bool
}

/// Where the way of a request to its address space ended.
public enum ContextEnding: Hashable, Sendable {
  /// A present context entry or PASID entry; see its `refusal`.
  case path(ContextPath)
  /// The entry is not present.
  case notPresent(ContextObstacle.Structure)
  /// Hardware refuses an entry above the last one.
  case refused(ContextRefusal)
  /// The PASID lies beyond a directory for so many PASIDs.
  case beyondDirectory(pasids: Int)
  /// A request with PASID, but the unit or the context serves none.
  case pasidsOff
  /// The table is not in the dump.
  case unreadable(ContextObstacle.Structure, MemoryError)
}

/// The way of one request from the root table to its address space.
public struct ContextTrace: Hashable, Sendable {
  public var steps: [ContextStep]
  public var ending: ContextEnding

  /// The address space's entry; `nil` if the way ended before.
  public var path: ContextPath? {
    if case .path(let path) = ending { path } else { nil }
  }
}

extension TranslationTables {
  /// Follows one request to its address space, entry by entry.
  ///
  /// - Parameters:
  ///   - devfn: device in bits 7:3, function in bits 2:0.
  ///   - pasid: 20 bits; `nil` for a request without PASID.
  /// - Returns: the entries that were read, and where the way ended; never throws. At most four
  ///   pages are read.
  public func lookUp(bus: UInt8, devfn: UInt8, pasid: UInt32? = nil) -> ContextTrace {
    var finder = ContextFinder(tables: self)
    let ending = finder.find(bus: bus, devfn: devfn, pasid: pasid)
    return ContextTrace(steps: finder.steps, ending: ending)
  }
}

/// One look-up.
private struct ContextFinder {
  let tables: TranslationTables
  var steps: [ContextStep] = []

  /// What ends a look-up; thrown, so that the way reads as a straight line.
  private struct Stop: Error {
    var ending: ContextEnding
  }

  mutating func find(bus: UInt8, devfn: UInt8, pasid: UInt32?) -> ContextEnding {
    do throws(Stop) {
      switch tables.mode {
      case .legacy: return try legacy(bus: bus, devfn: devfn, pasid: pasid)
      case .extended, .scalable: return try scalable(bus: bus, devfn: devfn, pasid: pasid)
      }
    } catch {
      return error.ending
    }
  }

  private mutating func legacy(
    bus: UInt8, devfn: UInt8, pasid: UInt32?
  ) throws(Stop) -> ContextEnding {
    let root: RootEntry = try read(
      .rootTable, .rootEntry, tables.rootTable.pageBase, slot: Int(bus))
    guard root.isPresent else { return .notPresent(.rootEntry) }
    try check(ContextRefusal(.rootEntry, reserved: root.reservedBits(tables.capabilities)))
    let context: ContextEntry = try read(
      .contextTable, .contextEntry, root.contextTable, slot: Int(devfn))
    guard context.isPresent else { return .notPresent(.contextEntry) }
    guard pasid == nil else { return .pasidsOff }
    return .path(
      ContextPath(bus: bus, devfn: devfn, context, at: lastEntry, unit: tables.capabilities))
  }

  private mutating func scalable(
    bus: UInt8, devfn: UInt8, pasid: UInt32?
  ) throws(Stop) -> ContextEnding {
    let root: ScalableRootEntry = try read(
      .rootTable, .rootEntry, tables.rootTable.pageBase, slot: Int(bus))
    let isUpper = devfn >= 0x80
    guard isUpper ? root.isUpperPresent : root.isLowerPresent else {
      return .notPresent(.rootEntry)
    }
    try check(
      ContextRefusal(.rootEntry, reserved: root.reservedBits(tables.capabilities, devfn: devfn)))
    let table = isUpper ? root.upperContextTable : root.lowerContextTable
    let slot = Int(devfn & 0x7f)
    if tables.mode == .extended {
      let context: ExtendedContextEntry = try read(.contextTable, .contextEntry, table, slot: slot)
      guard context.isPresent else { return .notPresent(.contextEntry) }
      guard pasid == nil else { return .pasidsOff }
      return .path(
        ContextPath(bus: bus, devfn: devfn, context, at: lastEntry, unit: tables.capabilities))
    }
    let context: ScalableContextEntry = try read(.contextTable, .contextEntry, table, slot: slot)
    guard context.isPresent else { return .notPresent(.contextEntry) }
    try check(ContextRefusal(context, unit: tables.capabilities))
    if pasid != nil, !context.pasidEnable { return .pasidsOff }
    let number = pasid ?? context.requesterPASID(tables.capabilities)
    let pasids = context.pasidDirectoryEntryCount * 64
    guard Int(number) < pasids else { return .beyondDirectory(pasids: pasids) }
    let directoryEntry: PASIDDirectoryEntry = try read(
      .pasidDirectory, .pasidDirectoryEntry, context.pasidDirectory, slot: Int(number >> 6))
    guard directoryEntry.isPresent else { return .notPresent(.pasidDirectoryEntry) }
    try check(
      ContextRefusal(
        .pasidDirectoryEntry, reserved: directoryEntry.reservedBits(tables.capabilities)))
    let entry: PASIDEntry = try read(
      .pasidTable, .pasidEntry, directoryEntry.pasidTable, slot: Int(number & 63))
    guard entry.isPresent else { return .notPresent(.pasidEntry) }
    return .path(
      ContextPath(
        bus: bus, devfn: devfn, pasid: number, entry, at: lastEntry, below: context,
        directoryEntry: directoryEntry, unit: tables.capabilities))
  }

  private var lastEntry: PhysicalAddress { steps.last?.entry ?? PhysicalAddress(0) }

  /// Reads entry `slot` of a table that may be larger than a page.
  private mutating func read<Entry: TableEntry>(
    _ table: ContextObstacle.Structure, _ structure: ContextObstacle.Structure,
    _ base: PhysicalAddress, slot: Int
  ) throws(Stop) -> Entry {
    let offset = UInt64(slot * Entry.byteCount)
    guard let address = base.advanced(by: offset) else {
      throw Stop(ending: .unreadable(table, MemoryError(at: base, .notInDump)))
    }
    do {
      let (page, isAssumed) = try tables.memory.pageOrAssumedZero(address.frame)
      let entry = Entry(page: page, word: address.pageOffset / 8)
      steps.append(
        ContextStep(
          structure: structure, entry: address, words: entry.words, fields: Entry.layout,
          isAssumedZero: isAssumed))
      return entry
    } catch {
      throw Stop(ending: .unreadable(table, error))
    }
  }

  private func check(_ refusal: ContextRefusal?) throws(Stop) {
    if let refusal { throw Stop(ending: .refused(refusal)) }
  }
}
