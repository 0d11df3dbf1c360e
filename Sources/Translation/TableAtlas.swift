// SPDX-License-Identifier: Apache-2.0

public import Evidence
public import Memory
internal import RemappingState
internal import VTd

/// Every page of memory that the evidence's units read, by its address.
///
/// Where a page serves twice, the first use counts: tables that lead to contexts before page tables,
/// units in the state's order.
public struct TableAtlas {
  /// What a page is, and what its entries are decoded by.
  struct Place {
    var page: TablePage
    var unit: String
    var segment: UInt32
    var mode: TableMode
    var pointedToBy: PhysicalAddress?
    /// Of context tables.
    var bus: UInt8?
    /// Of context tables outside of legacy mode: 1 for devices 16 to 31.
    var half = 0
    /// Of PASID directories and tables, interrupt remapping tables and queues: the number of the first entry.
    var first = 0
    /// Of queues: bytes of a descriptor.
    var entryBytes = 16
    /// Of page tables.
    var space: Int?
    var level: Int?
    var iova: IOVirtualAddress?
    /// Whether no other page table points here.
    var isTop = false
  }

  /// An address space with those who come there.
  struct Space {
    var stage: Stage
    var top: PhysicalAddress
    var domainID: UInt32?
    var devices: [DeviceName]
    /// Whether what its entries point to is guest-physical.
    var isGuest = false
  }

  let evidence: DumpEvidence
  private(set) var places: [UInt64: Place] = [:]
  private(set) var spaces: [Space] = []
  private let cutsBefore: Set<Cut>
  /// Frames in the order in which they were met.
  private var order: [UInt64] = []
  /// What entries above the page tables point to.
  private(set) var targets: [PhysicalAddress: PhysicalAddress] = [:]

  public init(_ evidence: DumpEvidence) {
    self.evidence = evidence
    cutsBefore = Set(evidence.cuts)
    var known: Set<PhysicalAddress> = []
    for unit in evidence.state.units { add(unit, &known) }
    addKernelTables(beyond: known)
  }

  private mutating func add(
    _ address: PhysicalAddress?, pages: Int = 1, entriesPerPage: Int = 0, _ place: Place
  ) {
    guard let address else { return }
    for number in 0..<max(0, pages) {
      let frame = address.frame &+ UInt64(number)
      guard places[frame] == nil else { continue }
      var place = place
      place.first += number * entriesPerPage
      places[frame] = place
      order.append(frame)
    }
  }

  private mutating func add(_ unit: Unit, _ known: inout Set<PhysicalAddress>) {
    func place(_ page: TablePage) -> Place {
      Place(page: page, unit: unit.name, segment: unit.segment, mode: unit.tableMode)
    }
    if let remapping = unit.interruptRemapping {
      let entries = max(0, min(remapping.entries, 65536))
      add(
        remapping.table, pages: (entries + 255) / 256, entriesPerPage: 256,
        place(.interruptRemapping(unit: unit.name)))
    }
    if let queue = unit.invalidationQueue, queue.descriptorSize == 16 || queue.descriptorSize == 32
    {
      var place = place(.invalidationQueue(unit: unit.name))
      place.entryBytes = queue.descriptorSize
      let bytes = max(0, min(queue.entries, 4096)) * queue.descriptorSize
      add(
        queue.base, pages: max(1, (bytes + Page.size - 1) / Page.size),
        entriesPerPage: Page.size / queue.descriptorSize, place)
    }
    guard let tables = evidence.tables(of: unit) else { return }
    let reading = tables.read()
    if let part = reading.exhausted {
      evidence.work.cut(part.work, "the search for context tables", unit: unit.name)
    }
    add(tables.rootTable, place(.table(.rootTable, unit: unit.name)))
    for root in reading.roots {
      targets[root.entry] = root.contextTable
      var place = place(.table(.contextTable, unit: unit.name))
      place.pointedToBy = root.entry
      place.bus = root.bus
      place.half = root.half ?? 0
      add(root.contextTable, place)
    }
    if tables.mode == .scalable {
      for context in reading.contexts {
        let entry = ScalableContextEntry(words: context.words)
        targets[context.entry] = entry.pasidDirectory
        var place = place(.table(.pasidDirectory, unit: unit.name))
        place.pointedToBy = context.entry
        add(
          entry.pasidDirectory,
          pages: max(1, entry.pasidDirectoryEntryCount / Page.wordCount),
          entriesPerPage: Page.wordCount, place)
      }
    }
    for entry in reading.directoryEntries {
      let table = PASIDDirectoryEntry(rawValue: entry.word).pasidTable
      targets[entry.entry] = table
      var place = place(.table(.pasidTable, unit: unit.name))
      place.pointedToBy = entry.entry
      place.first = entry.index * 64
      add(table, place)
    }
    var found: [AddressSpace: Int] = [:]
    for path in reading.paths {
      if let table = path.secondStage?.table ?? path.table { targets[path.entry] = table }
      guard let walk = evidence.walk(path, unit: unit) else { continue }
      let device = DeviceName.pci(
        PCIFunction(segment: unit.segment, bus: path.bus, devfn: path.devfn))
      if let space = found[walk.space] {
        if spaces[space].devices.last != device { spaces[space].devices.append(device) }
        continue
      }
      found[walk.space] = spaces.count
      let root = walk.space.root.table.pageBase
      let domainID = path.domainID.map(UInt32.init)
      let isGuest = walk.space.nesting != nil
      add(
        walk,
        Space(
          stage: walk.space.stage, top: root, domainID: domainID, devices: [device],
          isGuest: isGuest),
        unit: unit, pointedToBy: path.entry)
      let host = walk.space.hostTables
      known.insert(host.root.table.pageBase)
      guard isGuest else { continue }
      add(
        PageTableWalk(
          memory: evidence.memory, space: host, unit: unit.knownCapabilities, work: evidence.work),
        Space(
          stage: host.stage, top: host.root.table.pageBase, domainID: domainID, devices: [device]),
        unit: unit, pointedToBy: path.entry)
    }
  }

  /// Tables that no context names, but a domain of the kernel.
  private mutating func addKernelTables(beyond known: Set<PhysicalAddress>) {
    var known = known
    for domain in evidence.state.domains where domain.mapping != nil {
      guard let table = domain.table?.pageBase, let levels = domain.levels,
        let stage = domain.stage, known.insert(table).inserted
      else { continue }
      let unit = domain.unit.flatMap { evidence.unit($0) }
      let walk = PageTableWalk(
        memory: evidence.memory,
        space: AddressSpace(stage: stage, root: StageRoot(table: table, levels: levels)),
        unit: unit?.knownCapabilities, work: evidence.work)
      add(
        walk,
        Space(stage: stage, top: table, domainID: domain.domainID, devices: domain.devices),
        unit: unit, pointedToBy: nil)
    }
  }

  private mutating func add(
    _ walk: PageTableWalk, _ space: Space, unit: Unit?, pointedToBy entry: PhysicalAddress?
  ) {
    let owner = TableOwner(unit: unit?.name, domainID: space.domainID, kernelObject: nil)
    var visitor = TableVisitor()
    let statistics = walk.run(&visitor)
    evidence.work.note(statistics, "the search for tables of \(owner)", unit: unit?.name)
    for table in visitor.tables {
      add(
        table.address,
        Place(
          page: .pageTable(level: table.level, of: owner), unit: unit?.name ?? "",
          segment: unit?.segment ?? 0, mode: unit?.tableMode ?? .legacy,
          pointedToBy: table.entry ?? entry, space: spaces.count, level: table.level,
          iova: table.iova, isTop: table.entry == nil))
    }
    spaces.append(space)
  }

  /// Tables of a walk, without what those of 4 KiB pages map.
  private struct TableVisitor: PagingVisitor {
    struct Table {
      var address: PhysicalAddress
      var level: Int
      var iova: IOVirtualAddress
      var entry: PhysicalAddress?
    }

    var tables: [Table] = []

    mutating func enter(_ table: PagingTable) -> WalkDecision {
      if !table.isRevisit {
        tables.append(
          Table(
            address: table.address, level: table.level, iova: table.iova, entry: table.entry))
      }
      return table.level == 1 || table.isRevisit ? .skip : .enter
    }
  }
}

extension TableAtlas {
  /// Pages to be shown beside a report, as many as have `rows` entries in all.
  ///
  /// - Parameters:
  ///   - named: physical addresses whose pages come before all others.
  ///   - device: without page tables that only others come to, unless they are named.
  public func excerpt(
    naming named: [PhysicalAddress] = [], of device: DeviceName? = nil, rows: Int
  ) -> TableExcerpt {
    var rank: [UInt64: Int] = [:]
    for address in named where places[address.frame] != nil { rank[address.frame] = -1 }
    for frame in order where rank[frame] == nil {
      if let device, let space = places[frame]?.space, !spaces[space].devices.contains(device) {
        continue
      }
      rank[frame] = depth(frame)
    }
    let ranked = order.enumerated().filter { rank[$0.element] != nil }.sorted {
      (rank[$0.element] ?? 0, $0.offset) < (rank[$1.element] ?? 0, $1.offset)
    }
    var pages: [TableContents] = []
    var room = rows
    var empty = 0
    for (_, frame) in ranked where room > 0 {
      let page = contents(at: PhysicalAddress(frame << 12))
      // Interrupt tables of a thousand pages hold a handful of entries.
      if page.entries.isEmpty, page.obstacle == nil, depth(frame) == Self.aside {
        empty += 1
        continue
      }
      room -= max(1, page.entries.count)
      pages.append(page)
    }
    // In the order of the way down, whichever came first.
    let sorted = pages.enumerated().sorted {
      (depth($0.element.address.frame), $0.offset) < (depth($1.element.address.frame), $1.offset)
    }
    return TableExcerpt(
      pages: sorted.map(\.element), left: ranked.count - pages.count - empty,
      cuts: evidence.cuts.filter { !cutsBefore.contains($0) })
  }

  /// The depth of what is beside the way down.
  private static let aside = 20

  /// Page tables from the top down behind what leads to contexts, then interrupts and queues.
  private func depth(_ frame: UInt64) -> Int {
    switch places[frame]?.page {
    case .table: 0
    case .pageTable(let level, _): 10 - level
    case .interruptRemapping, .invalidationQueue, nil: Self.aside
    }
  }
}
