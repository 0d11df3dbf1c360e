// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import RemappingState
import VTd

/// Answers what a device can reach through its address spaces.
///
/// Yes rests on a mapping, which is named. No rests on all tables having been read. Everything else
/// is not known, and says why.
struct ReachReader {
  private let state: RemappingState
  private let work: WorkBudget
  private let device: DeviceName
  private let pageStates: PageClassifier
  private let runs: [Run]
  /// Why the device reaches all of memory; `nil` where tables say what it reaches.
  private let everything: String?
  /// Why it may reach more than was seen; `nil` where all was seen.
  private let doubt: String?
  /// Why it reaches nothing at all.
  private let nothing: String?

  init(
    _ evidence: DumpEvidence, of device: DeviceName, spaces: [DeviceView.Space], domains: [Domain],
    unit: Unit?,
    sourceIDs: [DeviceView.SourceID]
  ) {
    state = evidence.state
    work = evidence.work
    self.device = device
    pageStates = PageClassifier(evidence)
    runs = domains.flatMap { $0.mapping?.runs ?? [] }
    if unit?.translationEnabled == false {
      everything = "\(unit?.name ?? "the unit") does not translate, so every address is reached"
    } else if let space = spaces.first(where: \.isPassThrough) {
      everything =
        "\(space.unit ?? "the unit") lets its requests pass untranslated, so every address is reached"
    } else {
      everything = nil
    }
    if unit == nil {
      doubt = "which unit the device is behind is not known"
    } else if sourceIDs.contains(where: { $0.context == .notKnown }) {
      doubt = "not all context tables could be read"
    } else if let space = spaces.first(where: { !$0.isWhole }) {
      doubt =
        "some tables of domain-id \(space.domainID.map { "\($0)" } ?? "unknown") could not be read"
    } else {
      doubt = nil
    }
    nothing =
      spaces.isEmpty && doubt == nil
      ? "no present context leads its requests anywhere, so every one of them faults" : nil
  }

  func answers() -> (reach: [DeviceView.Reach], pages: [DeviceView.PageCount]) {
    let census = everything == nil ? PageCensus(runs, pageStates, work) : nil
    if census?.isCut == true {
      work.cut(.entries, "the looking up of pages that the device reaches", device: device)
    }
    return (
      [
        region(.kernelText, .kernelText, "the kernel's code"),
        region(.kernelData, .kernelData, "the kernel's data"),
        pages(.pageTables, .pageTable, "a page table", census),
        tables(),
        region(.crashKernel, .crashKernel, "memory of the crash kernel"),
        pages(.freePages, .free, "a free page", census),
      ], census?.counts ?? []
    )
  }

  /// What holds whatever is asked; `nil` where mappings tell.
  private func general(_ subject: DeviceView.Reach.Subject) -> DeviceView.Reach? {
    if let everything { return .init(subject, .yes, isWritable: true, reason: everything) }
    if let nothing { return .init(subject, .no, reason: nothing) }
    return nil
  }

  private func region(
    _ subject: DeviceView.Reach.Subject, _ kind: MemoryRegion.Kind, _ what: String
  ) -> DeviceView.Reach {
    let regions = state.memoryMap.filter { $0.kind == kind && $0.start <= $0.end }
    if kind == .crashKernel, !state.memoryMap.isEmpty, regions.isEmpty {
      return .init(subject, .no, reason: "no memory is set aside for a crash kernel")
    }
    if let general = general(subject) { return general }
    guard !regions.isEmpty else {
      return .init(
        subject, .notKnown, reason: "the kernel's map of memory does not say where \(what) is")
    }
    let ranges = AddressRanges(regions.map { $0.start.rawValue...$0.end.rawValue })
    let hits = runs.filter { ranges.overlaps($0.targets) }
    let place = regions.count == 1 ? "\(regions[0].start) to \(regions[0].end)" : what
    guard let first = hits.first(where: { $0.access != .read }) ?? hits.first else {
      return absent(subject, "no mapping leads to \(place)")
    }
    return .init(
      subject, .yes, isWritable: first.access != .read,
      reason: mapping(first, to: ranges.overlap(first.targets)?.lowerBound))
  }

  private func tables() -> DeviceView.Reach {
    let subject = DeviceView.Reach.Subject.remappingTables
    if let general = general(subject) { return general }
    let frames = pageStates.tables.frames
    guard !frames.isEmpty else {
      return .init(subject, .notKnown, reason: "no table of a unit is known")
    }
    let ranges = AddressRanges(frames.lazy.map { $0 << 12...$0 << 12 | 0xfff })
    let hits = runs.filter { ranges.overlaps($0.targets) }
    guard let run = hits.first(where: { $0.access != .read }) ?? hits.first,
      let byte = ranges.overlap(run.targets)?.lowerBound
    else {
      return absent(
        subject, "no mapping leads to one of the \(frames.count) pages of the units' tables")
    }
    let what = pageStates.tables.words(byte >> 12) ?? "a table"
    return .init(
      subject, .yes, isWritable: run.access != .read, reason: mapping(run, to: byte) + ", \(what)")
  }

  private func pages(
    _ subject: DeviceView.Reach.Subject, _ kind: PageState.Kind, _ what: String,
    _ census: PageCensus?
  ) -> DeviceView.Reach {
    if let general = general(subject) { return general }
    guard let census else { return .init(subject, .notKnown, reason: "no page was looked up") }
    if let found = census.first[kind] {
      return .init(
        subject, .yes, isWritable: found.isWritable,
        reason: "\(mapping(found.run, to: found.frame << 12)), \(what)")
    }
    if let problem = census.problem {
      return .init(subject, .notKnown, reason: problem)
    }
    return absent(subject, "none of the \(census.looked) pages that it can reach is \(what)")
  }

  private func absent(
    _ subject: DeviceView.Reach.Subject, _ reason: String
  ) -> DeviceView.Reach {
    if let doubt { return .init(subject, .notKnown, reason: "\(reason), but \(doubt)") }
    return .init(subject, .no, reason: reason)
  }

  /// `IOVA 0x1000 maps physical 0x5000 (rw)`.
  private func mapping(_ run: Run, to byte: UInt64?) -> String {
    let target = max(byte ?? run.targets.lowerBound, run.targets.lowerBound)
    let iova = run.iova.rawValue &+ (target - run.targets.lowerBound)
    return "IOVA \(iova.hexadecimal) maps physical \(target.hexadecimal) (\(run.access.rawValue))"
  }
}

/// What the pages are that some runs lead to, each page once.
struct PageCensus {
  private(set) var counts: [DeviceView.PageCount] = []
  /// Of each kind the first page, one that can be written if there is one.
  private(set) var first: [PageState.Kind: (frame: UInt64, run: Run, isWritable: Bool)] = [:]
  /// Pages that were looked up.
  private(set) var looked = 0
  /// Why some pages are not among the counts.
  private(set) var problem: String?
  /// Whether what the run may do was spent before all pages were looked up.
  private(set) var isCut = false

  /// A page costs a few reads of the dump: its descriptor, and whom it belongs to.
  private static let entriesOfPage = 64
  /// Pages that are paid for at once.
  private static let step = 256

  init(_ runs: [Run], _ pages: PageClassifier, _ work: WorkBudget) {
    let writable = AddressRanges(runs.lazy.filter { $0.access != .read }.map(\.targets))
    let distinct = AddressRanges(
      runs.lazy.map { ($0.targets.lowerBound & ~0xfff)...($0.targets.upperBound | 0xfff) })
    var byKind: [PageState.Kind: (pages: Int, writable: Int)] = [:]
    walk: for range in distinct.ranges {
      for frame in range.lowerBound >> 12...range.upperBound >> 12 {
        if looked % Self.step == 0 {
          guard work.spend(.entries, Self.step * Self.entriesOfPage) else {
            isCut = true
            problem = "only \(looked) of the pages that it can reach were looked up (--max-entries)"
            break walk
          }
        }
        looked += 1
        let state = pages.state(frame)
        let isWritable = writable.overlaps(frame << 12...frame << 12 | 0xfff)
        byKind[state.kind, default: (0, 0)].pages += 1
        if isWritable { byKind[state.kind, default: (0, 0)].writable += 1 }
        if state.kind == .unknown, problem == nil {
          problem =
            "the kernel's descriptors of some pages that it can reach could not be read"
            + (state.detail.map { ": \($0)" } ?? "")
        }
        let isBetter = first[state.kind].map { isWritable && !$0.isWritable } ?? true
        if isBetter, let run = Self.run(to: frame, of: runs, isWritable: isWritable) {
          first[state.kind] = (frame, run, isWritable)
        }
      }
    }
    counts = byKind.map {
      DeviceView.PageCount(kind: $0.key, pages: $0.value.pages, writable: $0.value.writable)
    }.sorted { ($1.pages, $0.kind.rawValue) < ($0.pages, $1.kind.rawValue) }
  }

  private static func run(to frame: UInt64, of runs: [Run], isWritable: Bool) -> Run? {
    let page = frame << 12...frame << 12 | 0xfff
    return runs.first {
      $0.targets.overlaps(page) && (!isWritable || $0.access != .read)
    }
  }
}
