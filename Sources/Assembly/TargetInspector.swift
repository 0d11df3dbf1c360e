// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import VTd

/// Looks at what domains map: pages that are tables, and pages that are free.
///
/// Only domains whose mappings drivers or users asked for are looked at. Identity domains built of
/// tables map all of memory, and a process's tables map what the process may touch. A guest's pages
/// are not looked up one by one: there may be terabytes of them.
struct TargetInspector {
  let tables: TableInventory
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

  init(tables: TableInventory, pages: LinuxPages?, fixed: AddressRanges, memory: AddressRanges) {
    self.tables = tables
    self.pages = pages
    self.fixed = fixed
    self.memory = memory
  }

  mutating func inspect(_ domains: [Domain]) {
    let frames = FrameIndex(tables.frames)
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

  /// What was found in one domain: how much, and where the first of it is.
  private struct Found {
    var count = 0
    /// The run and the frame.
    var first: (run: Run, frame: UInt64)?

    mutating func add(_ run: Run, _ frame: UInt64) {
      if count == 0 { first = (run, frame) }
      count += 1
    }

    /// An observation about all of it, named by the first.
    func observation(
      _ kind: Observation.Kind, _ structure: Structure, in domain: Domain
    ) -> Observation? {
      guard let (run, frame) = first else { return nil }
      let offset = (frame << 12) &- run.targets.lowerBound
      var observation = Observation(
        kind, unit: domain.unit, device: domain.onlyDevice, domainID: domain.domainID,
        structure: structure, address: HexWord(frame << 12),
        detail: "IOVA \((run.iova.rawValue &+ offset).hexadecimal) maps it with access "
          + run.access.rawValue)
      observation.count = count
      return observation
    }
  }

  private mutating func inspectTables(_ domain: Domain, _ runs: [Run], _ frames: FrameIndex) {
    let fixed = fixed
    var steps = stepsLeft
    var found = Found()
    for run in runs {
      guard steps > 0 else { break }
      if Self.isFixed(run, fixed) { continue }
      steps -= 1
      let targets = run.targets
      let last = targets.upperBound >> 12
      var index = frames.first(atLeast: targets.lowerBound >> 12)
      while index < frames.sorted.count, frames.sorted[index] <= last, steps > 0 {
        steps -= 1
        found.add(run, frames.sorted[index])
        index += 1
      }
    }
    stepsLeft = steps
    guard let frame = found.first?.frame, let page = tables.page(frame),
      let observation = found.observation(.mapsTable, .tablePage(page), in: domain)
    else { return }
    observations.append(observation)
  }

  private mutating func inspectPages(
    _ domain: Domain, _ runs: [Run], _ known: inout [UInt64: Bool]
  ) {
    guard let pages else { return }
    let fixed = fixed
    var steps = stepsLeft
    var found = Found()
    var locator = RangeLocator(memory)
    walk: for run in runs {
      guard steps > 0 else { break }
      if Self.isFixed(run, fixed) { continue }
      steps -= 1
      let place = locator.place(of: run.targets)
      if place == .outside { continue }
      // Most runs lie in one range of memory, and need no list of parts.
      let parts = place == .inside ? [] : memory.parts(of: run.targets)
      for number in 0..<max(1, parts.count) {
        let part = parts.isEmpty ? run.targets : parts[number]
        for frame in part.lowerBound >> 12...part.upperBound >> 12 {
          steps -= 1
          guard steps > 0 else { break walk }
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
          if isFree { found.add(run, frame) }
        }
      }
    }
    stepsLeft = steps
    if let observation = found.observation(.freePage, .freePage, in: domain) {
      observations.append(observation)
    }
  }

  private static func isFixed(_ run: Run, _ fixed: AddressRanges) -> Bool {
    // What an ISA bridge gets is fixed even where the bridge's own structure could not be read.
    run.iova.rawValue == run.physical.rawValue
      && (fixed.covers(run.addresses) || Regions.isaWindow.contains(run.addresses.upperBound))
  }
}
