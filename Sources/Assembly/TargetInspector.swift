// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import LinuxIOMMU
internal import Memory
internal import RemappingState

/// Looks at what domains map: pages that are tables, and pages that are free.
///
/// Only domains whose mappings drivers or users asked for are looked at. Identity domains built of
/// tables map all of memory, and a process's tables map what the process may touch. A guest's pages
/// are not looked up one by one: there may be terabytes of them.
struct TargetInspector {
  let tables: TableRegistry
  let pages: LinuxPages?
  /// Ranges that are mapped for firmware.
  let fixed: AddressRanges
  /// Memory that the dump describes; nothing else has a `struct page` worth looking at.
  let memory: AddressRanges
  /// The run that pays for the looking up: tables of a hostile dump can map the same memory over and
  /// over.
  let work: WorkBudget
  private(set) var observations: [Observation] = []

  /// Steps of all loops over runs and pages that are left to take.
  private var stepsLeft = 0
  /// Steps that the looking up of a page takes.
  private static let stepsOfPage = 16

  init(
    tables: TableRegistry, pages: LinuxPages?, fixed: AddressRanges, memory: AddressRanges,
    work: WorkBudget
  ) {
    self.tables = tables
    self.pages = pages
    self.fixed = fixed
    self.memory = memory
    self.work = work
  }

  mutating func inspect(_ domains: [Domain]) {
    let frames = tables.frames
    let steps = work.left(.entries)
    stepsLeft = steps
    defer { work.spend(.entries, steps - max(0, stepsLeft)) }
    var known = PageVerdicts()
    var seen: Set<PhysicalAddress> = []
    for domain in domains {
      guard [.dma, .dmaFQ, .unmanaged, .unknown].contains(domain.type),
        let runs = domain.mapping?.runs
      else { continue }
      // A domain on two units is two rows with one table.
      if let table = domain.table, !seen.insert(table).inserted { continue }
      inspectTables(domain, runs, frames)
      if domain.type != .unmanaged { inspectPages(domain, runs, &known) }
    }
    if stepsLeft <= 0 {
      work.cut(.entries, "the looking up of what is mapped")
      observations.append(
        Observation(
          .budget, structure: .targets,
          detail: "too much is mapped; whether the rest is tables or free pages was not looked up"))
    }
  }

  private mutating func inspectTables(_ domain: Domain, _ runs: [Run], _ frames: [UInt64]) {
    var count = 0
    var first: Observation?
    for run in runs where stepsLeft > 0 && !isFixed(run) {
      stepsLeft -= 1
      let last = run.targets.upperBound >> 12
      let lowest = run.targets.lowerBound >> 12
      var index = frames.partitioningIndex { $0 >= lowest }
      while index < frames.count, frames[index] <= last, stepsLeft > 0 {
        stepsLeft -= 1
        count += 1
        let frame = frames[index]
        if first == nil, let page = tables.page(frame) {
          let offset = (frame << 12) &- run.targets.lowerBound
          first = Observation(
            .mapsTable, unit: domain.unit, device: domain.onlyDevice, domainID: domain.domainID,
            structure: .tablePage(page), address: HexWord(frame << 12),
            detail: "IOVA \((run.iova.rawValue &+ offset).hexadecimal) maps it with access "
              + run.access.rawValue)
        }
        index += 1
      }
    }
    if var first {
      first.count = count
      observations.append(first)
    }
  }

  private mutating func inspectPages(
    _ domain: Domain, _ runs: [Run], _ known: inout PageVerdicts
  ) {
    guard let pages else { return }
    var count = 0
    var first: Observation?
    walk: for run in runs where stepsLeft > 0 && !isFixed(run) {
      stepsLeft -= 1
      for part in memory.parts(of: run.targets) {
        for frame in part.lowerBound >> 12...part.upperBound >> 12 {
          stepsLeft -= 1
          guard stepsLeft > 0 else { break walk }
          let isFree: Bool
          if let answer = known[frame] {
            isFree = answer
          } else {
            stepsLeft -= Self.stepsOfPage
            isFree = pages.isFree(frame) ?? false
            known[frame] = isFree
          }
          guard isFree else { continue }
          count += 1
          if first == nil {
            let offset = (frame << 12) &- run.targets.lowerBound
            first = Observation(
              .freePage, unit: domain.unit, device: domain.onlyDevice, domainID: domain.domainID,
              structure: .freePage, address: HexWord(frame << 12),
              detail: "IOVA \((run.iova.rawValue &+ offset).hexadecimal) maps it with access "
                + run.access.rawValue)
          }
        }
      }
    }
    if var first {
      first.count = count
      observations.append(first)
    }
  }

  private func isFixed(_ run: Run) -> Bool {
    // What an ISA bridge gets is fixed even where the bridge's own structure could not be read.
    run.iova.rawValue == run.physical.rawValue
      && (fixed.gaps(in: run.addresses).isEmpty
        || Regions.isaWindow.contains(run.addresses.upperBound))
  }
}

/// What is known of pages, two bits for each.
private struct PageVerdicts {
  private struct Chunk {
    var known: UInt64 = 0
    var free: UInt64 = 0
  }

  /// By frames of 64 pages.
  private var chunks: [UInt64: Chunk] = [:]

  subscript(frame: UInt64) -> Bool? {
    get {
      guard let chunk = chunks[frame >> 6], chunk.known >> (frame & 63) & 1 != 0 else {
        return nil
      }
      return chunk.free >> (frame & 63) & 1 != 0
    }
    set {
      guard let newValue else { return }
      let bit: UInt64 = 1 << (frame & 63)
      chunks[frame >> 6, default: Chunk()].known |= bit
      if newValue { chunks[frame >> 6, default: Chunk()].free |= bit }
    }
  }
}
