// SPDX-License-Identifier: Apache-2.0

public import Evidence
internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import VTd

/// Goes through a dump's tables as the kernel's own debugfs files do.
///
/// Unlike the hardware's walk, it believes every entry that looks present, and it follows the order
/// of the kernel's lists.
///
/// Source: drivers/iommu/intel/debugfs.c.
public struct DebugfsReader {
  public let evidence: DumpEvidence
  public let generation: DebugfsGeneration
  private let index: DebugfsIndex
  /// What types and release say where they contradict each other and nobody chose.
  public let contradiction: (types: DebugfsGeneration, release: DebugfsGeneration)?

  /// - Parameter generation: of the form that is wanted; by default the one of the dump's kernel.
  public init(_ evidence: DumpEvidence, generation: DebugfsGeneration? = nil) {
    self.evidence = evidence
    index = DebugfsIndex(evidence)
    let own = DebugfsGeneration.of(evidence)
    self.generation = generation ?? own.generation
    contradiction = generation == nil ? own.contradiction : nil
  }

  /// Calls `body` for each row of the file, in its order, as it is read.
  public func forEachRow<E: Error>(
    of file: DebugfsFile, _ body: (DebugfsRow) throws(E) -> Void
  ) throws(E) {
    switch file {
    case .dmarTranslation: try forEachContext(body)
    case .domainTranslation: try forEachDomain(body)
    case .interruptRemapping: try forEachInterrupt(body)
    case .invalidationQueue: try forEachDescriptor(body)
    }
  }

  /// The units that the kernel goes through: those in use.
  private var units: [Unit] {
    let active = evidence.state.units.filter { $0.ignored != true && $0.rootTable != nil }
    // In the order of the kernel's list.
    guard let kernel = evidence.kernel?.structures else { return active }
    let order = Dictionary(
      kernel.units.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    return active.sorted { order[$0.name] ?? .max < order[$1.name] ?? .max }
  }

  private func page(_ address: PhysicalAddress) -> Page? {
    try? evidence.memory.pageOrAssumedZero(address.frame).page
  }

  // MARK: dmar_translation_struct

  private func forEachContext<E: Error>(_ body: (DebugfsRow) throws(E) -> Void) throws(E) {
    for unit in units {
      guard unit.translationEnabled != false else {
        try body(.translationOff(unit: unit.name))
        continue
      }
      guard let tables = evidence.tables(of: unit) else { continue }
      try body(.contexts(unit: unit.name, rootTable: tables.rootTable))
      if let root = page(tables.rootTable) {
        for bus in UInt8.min ... .max {
          try forEachContext(on: bus, root: root, tables, body)
        }
      } else {
        try body(.missing(.rootTable(tables.rootTable)))
      }
      try body(.end)
    }
  }

  private func forEachContext<E: Error>(
    on bus: UInt8, root: Page, _ tables: TranslationTables,
    _ body: (DebugfsRow) throws(E) -> Void
  ) throws(E) {
    let low = root[word: 2 * Int(bus)]
    let high = root[word: 2 * Int(bus) + 1]
    let isScalable = tables.mode == .scalable
    for half in 0..<2 {
      let word = isScalable && half == 1 ? high : low
      // The kernel gives up on a bus at the first half that is not there.
      guard word & 1 != 0 else { return }
      let address = PhysicalAddress(word & ~0xfff)
      guard let page = page(address) else {
        try body(.missing(.contextTable(address)))
        continue
      }
      for slot in 0..<128 {
        let devfn = UInt8(half << 7 | slot)
        let first = isScalable ? 4 * slot : 2 * Int(devfn)
        guard page[word: first] & 1 != 0 else { continue }
        let row = DebugfsRow.Context(
          bus: bus, devfn: devfn, root: (low, high),
          entry: (page[word: first], page[word: first + 1]))
        if isScalable {
          try forEachPASID(of: ScalableContextEntry(page: page, word: first), row, body)
        } else {
          try body(.context(row))
        }
      }
    }
  }

  private func forEachPASID<E: Error>(
    of context: ScalableContextEntry, _ row: DebugfsRow.Context,
    _ body: (DebugfsRow) throws(E) -> Void
  ) throws(E) {
    let count = context.pasidDirectoryEntryCount
    for first in stride(from: 0, to: count, by: Page.wordCount) {
      // Contexts may share a directory, and directories their tables.
      guard pay(for: context.pasidDirectory) else {
        try body(.missing(.rest(context.pasidDirectory)))
        return
      }
      guard let base = context.pasidDirectory.advanced(by: UInt64(first) * 8),
        let directory = page(base)
      else {
        try body(.missing(.pasidDirectory(context.pasidDirectory)))
        return
      }
      for index in 0..<min(Page.wordCount, count - first) {
        let entry = PASIDDirectoryEntry(rawValue: directory[word: index])
        guard entry.isPresent else { continue }
        guard pay(for: entry.pasidTable) else {
          try body(.missing(.rest(entry.pasidTable)))
          return
        }
        guard let table = page(entry.pasidTable) else {
          try body(.missing(.pasidTable(entry.pasidTable)))
          continue
        }
        for slot in 0..<64 where table[word: 8 * slot] & 1 != 0 {
          var row = row
          row.pasid = (
            (first + index) * 64 + slot,
            (table[word: 8 * slot], table[word: 8 * slot + 1], table[word: 8 * slot + 2])
          )
          try body(.context(row))
        }
      }
    }
  }

  /// Takes the entries of one page from what the run may look at.
  private func pay(for table: PhysicalAddress) -> Bool {
    guard evidence.work.spend(.entries, Page.wordCount) else {
      evidence.work.cut(.entries, "the rows of PASID entries at \(table)")
      return false
    }
    return true
  }

  // MARK: domain_translation_struct

  /// What the kernel calls a device's domain: its top table and levels.
  private struct DomainTable {
    var table: PhysicalAddress
    var levels: Int

    init(table: PhysicalAddress, levels: Int) {
      self.table = table
      self.levels = levels
    }

    /// The table that a present entry names, with the levels that its AW has: also of a first stage,
    /// and the second stage where both are there.
    init?(_ context: Context) {
      let words = context.raw.map(\.rawValue)
      switch context.translation {
      case .secondStage where words.count == 2:
        let entry = ContextEntry(words: words)
        self.init(table: entry.secondStageTable, levels: entry.levels)
      case .firstStage, .secondStage, .nested:
        let entry = PASIDEntry(words: words)
        self.init(
          table: context.translation == .firstStage
            ? entry.firstStageTable : entry.secondStageTable,
          levels: entry.secondStageLevels)
      case .passThrough, .none: return nil
      }
    }
  }

  private func forEachDomain<E: Error>(_ body: (DebugfsRow) throws(E) -> Void) throws(E) {
    // The order of the bus is that of discovery, which is by number.
    for device in evidence.state.devices {
      guard case .pci(let function) = device.device, let group = device.group else { continue }
      let named: Device
      switch generation {
      case .withPASID, .ownDomain: named = device
      case .firstOfGroup:
        // The domain of the group's first device stands for all.
        named = index.firstOfGroup[group] ?? device
      case .filePerSpace:
        try forEachSpace(of: function, body)
        continue
      }
      guard let domain = domainTable(of: named) else { continue }
      try write(
        domain, device: named.device, pasid: generation == .withPASID ? 0 : nil, body)
    }
  }

  private func write<E: Error>(
    _ domain: DomainTable, device: DeviceName, pasid: UInt32?,
    _ body: (DebugfsRow) throws(E) -> Void
  ) throws(E) {
    try body(.domain(device: device, pasid: pasid, table: domain.table))
    var path = [UInt64](repeating: 0, count: 6)
    var seen: Set<PhysicalAddress> = []
    var isCut = false
    try forEachLeaf(
      of: domain.table, level: domain.levels, start: 0, path: &path, seen: &seen, isCut: &isCut,
      body)
    if isCut {
      evidence.work.cut(
        .entries, "the rows of the tables at \(domain.table)", device: device)
      try body(.missing(.rest(domain.table)))
    }
    try body(.end)
  }

  /// The files of one device: of its requests without PASID, then of each PASID that is attached.
  ///
  /// The kernel asks the first unit of the segment that has a context for the device.
  private func forEachSpace<E: Error>(
    of function: PCIFunction, _ body: (DebugfsRow) throws(E) -> Void
  ) throws(E) {
    let attached =
      index.kernelDevices[function]?.pasidDomains.keys.sorted() ?? []
    for pasid in [0] + attached.filter({ $0 != 0 }) {
      for unit in units where unit.segment == function.segment {
        guard unit.translationEnabled != false else {
          try body(.translationOff(unit: unit.name))
          continue
        }
        let context = index.contexts[function]?.first {
          $0.unit == unit.name && ($0.pasid ?? pasid) == pasid
        }
        guard let context, let domain = DomainTable(context) else { continue }
        try write(
          domain, device: .pci(function), pasid: unit.tableMode == .scalable ? pasid : nil, body)
        break
      }
    }
  }

  private func domainTable(of device: Device) -> DomainTable? {
    if let object = device.domain,
      let domain = index.kernelDomains[object]
    {
      return domain.table.flatMap { table in
        domain.levels.map { DomainTable(table: table, levels: $0) }
      }
    }
    guard let function = device.device.function,
      let context = index.contexts[function]?.first(where: \.servesRequestsWithoutPASID),
      let table = context.table, let levels = context.levels
    else { return nil }
    return DomainTable(table: table, levels: levels)
  }

  /// As the kernel walks: every entry with a right counts, whatever else is in it.
  private func forEachLeaf<E: Error>(
    of table: PhysicalAddress, level: Int, start: UInt64, path: inout [UInt64],
    seen: inout Set<PhysicalAddress>, isCut: inout Bool,
    _ body: (DebugfsRow) throws(E) -> Void
  ) throws(E) {
    guard (1...5).contains(level), !isCut else { return }
    let isNew = seen.insert(table).inserted
    guard evidence.work.spend(.entries, Page.wordCount), isNew || evidence.work.spend(.revisits)
    else {
      isCut = true
      return
    }
    guard let page = page(table) else {
      try body(.missing(.pageTable(table)))
      return
    }
    let shift = UInt64(PagingRules.shift(level: level))
    for index in 0..<Page.wordCount {
      let word = page[word: index]
      guard word & 3 != 0 else { continue }
      let iova = start &+ UInt64(index) << shift
      path[level] = word
      if word & 0x80 != 0 || level == 1 {
        try body(.leaf(DebugfsRow.Leaf(page: iova >> 12, level: level, path: path)))
      } else {
        try forEachLeaf(
          of: PhysicalAddress(word & 0xf_ffff_ffff_f000), level: level - 1, start: iova,
          path: &path, seen: &seen, isCut: &isCut, body)
      }
      path[level] = 0
    }
  }

  // MARK: ir_translation_struct

  private func forEachInterrupt<E: Error>(_ body: (DebugfsRow) throws(E) -> Void) throws(E) {
    for unit in units where ExtendedCapability(unit.extendedCapability.rawValue).interruptRemapping
    {
      let isOn = unit.interruptRemappingEnabled != false
      try forEachInterrupt(of: unit, isPosted: false, isOn: isOn, body)
    }
    try body(.interruptsDivider)
    for unit in units where Capability(unit.capability.rawValue).postedInterrupts {
      try forEachInterrupt(of: unit, isPosted: true, isOn: true, body)
    }
  }

  private func forEachInterrupt<E: Error>(
    of unit: Unit, isPosted: Bool, isOn: Bool, _ body: (DebugfsRow) throws(E) -> Void
  ) throws(E) {
    let table = isOn ? unit.interruptRemapping?.table : nil
    try body(.interrupts(unit: unit.name, isPosted: isPosted, table: table))
    if table != nil {
      var entries: [(Int, InterruptRemapEntry)] = []
      let missing = TableLister(evidence).forEachInterrupt(of: unit) { index, entry, _ in
        if entry.isPosted == isPosted { entries.append((index, entry)) }
      }
      for (index, entry) in entries { try body(.interrupt(index: index, entry)) }
      if missing > 0 { try body(.missing(.interruptPages(missing))) }
    }
    try body(.end)
  }

  // MARK: invalidation_queue

  private func forEachDescriptor<E: Error>(_ body: (DebugfsRow) throws(E) -> Void) throws(E) {
    for unit in units {
      guard let queue = unit.invalidationQueue, let base = queue.base,
        queue.descriptorSize == 16 || queue.descriptorSize == 32,
        ExtendedCapability(unit.extendedCapability.rawValue).queuedInvalidation
      else { continue }
      let status =
        evidence.kernel?.structures.units.first { $0.name == unit.name }?.invalidationQueue?.status
      let words = queue.descriptorSize / 8
      try body(.queue(unit: unit.name, base: base, words: words))
      for index in 0..<max(0, min(queue.entries, 4096)) {
        guard let address = base.advanced(by: UInt64(index * queue.descriptorSize)),
          address.pageOffset + queue.descriptorSize <= Page.size, let page = page(address)
        else {
          try body(.missing(.descriptor(index)))
          continue
        }
        try body(
          .descriptor(
            index: index,
            words: (0..<words).map { page[word: address.pageOffset / 8 + $0] },
            status: status.flatMap { index < $0.count ? $0[index] : nil }))
      }
      try body(.end)
    }
  }
}
