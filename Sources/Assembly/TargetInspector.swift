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
  /// The run that pays for the looking up: tables of a hostile dump can map the same memory over and
  /// over.
  let work: WorkBudget
  private(set) var observations: [Observation] = []

  /// Steps of all loops over runs and pages that are left to take.
  private var stepsLeft = 0
  /// Steps that the looking up of a page takes.
  private static let stepsOfPage = 16

  init(
    tables: TableInventory, pages: LinuxPages?, fixed: AddressRanges, memory: AddressRanges,
    work: WorkBudget
  ) {
    self.tables = tables
    self.pages = pages
    self.fixed = fixed
    self.memory = memory
    self.work = work
  }

  mutating func inspect(_ domains: [Domain]) {
    let frames = FrameIndex(tables.frames)
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

  /// What was found in one domain: how much, and where the first of it is.
  private struct Found: Sendable {
    var count = 0
    /// The run and the frame.
    var first: (run: Run, frame: UInt64)?

    mutating func add(_ run: Run, _ frame: UInt64) {
      if count == 0 { first = (run, frame) }
      count += 1
    }

    mutating func add(_ next: Found) {
      first = first ?? next.first
      count += next.count
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
    let (fixed, stepsLeft) = (fixed, stepsLeft)
    let ranges = Workers.ranges(of: runs.count)
    var parts = Workers.map(ranges.count) { number in
      var (found, steps) = (Found(), stepsLeft / ranges.count)
      Self.findTables(in: runs[ranges[number]], frames, fixed, &found, &steps)
      return (found: found, steps: stepsLeft / ranges.count - steps, isWhole: steps > 0)
    }
    if ranges.count > 1, !parts.allSatisfy(\.isWhole) {
      // Where it ends is a matter of order.
      var (found, steps) = (Found(), stepsLeft)
      Self.findTables(in: runs[...], frames, fixed, &found, &steps)
      parts = [(found, stepsLeft - steps, true)]
    }
    let found = parts.reduce(into: Found()) { $0.add($1.found) }
    self.stepsLeft -= parts.reduce(0) { $0 + $1.steps }
    guard let frame = found.first?.frame, let page = tables.page(frame),
      let observation = found.observation(.mapsTable, .tablePage(page), in: domain)
    else { return }
    observations.append(observation)
  }

  private static func findTables(
    in runs: ArraySlice<Run>, _ frames: FrameIndex, _ fixed: AddressRanges, _ found: inout Found,
    _ steps: inout Int
  ) {
    for run in runs {
      guard steps > 0 else { break }
      if isFixed(run, fixed) { continue }
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
  }

  private mutating func inspectPages(
    _ domain: Domain, _ runs: [Run], _ known: inout PageVerdicts
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
            steps -= Self.stepsOfPage
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

/// What is known of pages, two bits for each.
private struct PageVerdicts {
  private struct Chunk {
    var known: UInt64 = 0
    var free: UInt64 = 0
  }

  /// Of 64 pages each.
  private var chunks: [Chunk] = []
  /// Which chunk is that of a page, by its frame without the lowest six bits.
  private var numbers: [UInt64: Int] = [:]
  /// The chunk that was asked for last: neighbours are asked for one after another.
  private var last: (key: UInt64, number: Int)?

  private mutating func number(_ key: UInt64) -> Int {
    if let last, last.key == key { return last.number }
    let number = numbers[key] ?? chunks.count
    if number == chunks.count {
      chunks.append(Chunk())
      numbers[key] = number
    }
    last = (key, number)
    return number
  }

  subscript(frame: UInt64) -> Bool? {
    mutating get {
      let chunk = chunks[number(frame >> 6)]
      guard chunk.known >> (frame & 63) & 1 != 0 else { return nil }
      return chunk.free >> (frame & 63) & 1 != 0
    }
    set {
      guard let newValue else { return }
      let number = number(frame >> 6)
      let bit: UInt64 = 1 << (frame & 63)
      chunks[number].known |= bit
      if newValue { chunks[number].free |= bit }
    }
  }
}
