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
  private(set) var observations: [Observation] = []

  /// Pages that are looked up in one state; one costs a few reads of the dump.
  private static let pageLimit = 1 << 20
  /// Steps of all loops over runs and pages of one state: tables of a hostile dump can map the same
  /// memory over and over.
  private var stepsLeft = 1 << 23

  init(tables: TableRegistry, pages: LinuxPages?, fixed: AddressRanges, memory: AddressRanges) {
    self.tables = tables
    self.pages = pages
    self.fixed = fixed
    self.memory = memory
  }

  mutating func inspect(_ domains: [Domain]) {
    let frames = tables.frames
    var known: [UInt64: Bool] = [:]
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
    _ domain: Domain, _ runs: [Run], _ known: inout [UInt64: Bool]
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
            guard known.count < Self.pageLimit else {
              observations.append(
                Observation(
                  .budget, unit: domain.unit, domainID: domain.domainID, structure: .structPage,
                  detail:
                    "more than \(Self.pageLimit) pages are mapped; whether the rest is free was"
                    + " not looked up"))
              break walk
            }
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
