// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Memory
internal import RemappingState
internal import Translation
internal import VTd

/// Messages that hold entries of tables: what they were, and what they are in the dump.
extension UnitExplainer {
  // MARK: Already set

  func explainEntry(
    _ page: UInt64, _ old: UInt64, _ new: UInt64, _ result: inout UnitExplanation
  ) {
    result.kind = .alreadySet
    result.severity = .error
    let (iova, overflow) = page.multipliedReportingOverflow(by: 4096)
    guard !overflow else {
      result.meaning = "a mapping met an entry that was set, for a page number of more than 52 bits"
      return
    }
    result.iova = IOVirtualAddress(iova)
    result.entries = [
      entry("entry that stood there", old, iova), entry("entry to be written", new, iova),
    ]
    let oldTarget = Self.target(old)
    let newTarget = Self.target(new)
    let region = evidence.state.reservedRegions.first {
      $0.kind != .msi && $0.base.rawValue <= iova | 0xfff && iova <= $0.end.rawValue
    }
    let what = "\(IOVirtualAddress(iova)) was mapped to \(oldTarget) when it was to be mapped to "
    let how = "\(what)\(newTarget): "
    if old == new {
      result.meaning =
        how + "the same page again. It was mapped twice without an unmap between, or an unmap left "
        + "its entry behind"
    } else if oldTarget.rawValue == iova, let region {
      result.meaning =
        how
        + "a firmware region (\(region.kind.rawValue) \(region.base) to \(region.end)) is mapped "
        + "there, and the allocator gave its addresses to a buffer all the same: the region is not "
        + "set aside in the allocator of this domain"
    } else if oldTarget.rawValue == iova {
      result.meaning =
        how + "the old entry maps the address to itself, as firmware regions and identity domains "
        + "do: two owners of one address"
    } else {
      result.meaning =
        how
        + "an unmap left the old entry behind, two allocators share the domain, or the entry was "
        + "corrupt. The device may write into the old page"
    }
    result.evidence += holders(of: iova, old: oldTarget, new: newTarget)
    result.next =
      "iommuscope owners \(oldTarget.pageBase) tells what the old page is used for now"
  }

  private static func target(_ word: UInt64) -> PhysicalAddress {
    PhysicalAddress(word & 0x000f_ffff_ffff_f000)
  }

  private func entry(_ name: String, _ word: UInt64, _ iova: UInt64) -> UnitExplanation.Entry {
    let stage = mapping(iova)?.stage ?? .second
    let layout = stage == .first ? FirstStageEntry.layout : SecondStageEntry.layout
    return .init(
      name, logged: [word],
      fields: layout.reversed().filter { $0.value(in: [word]) != 0 }.map {
        DecodedField($0, in: [word])
      })
  }

  private func mapping(_ iova: UInt64) -> Domain? {
    evidence.state.domains.first { run(in: $0, iova) != nil }
  }

  private func run(in domain: Domain, _ iova: UInt64) -> Run? {
    let (below, _) = FaultExplainer.neighbours(domain.mapping?.runs ?? [], of: iova)
    guard let below, let last = FaultFacts.last(below), last >= iova else { return nil }
    return below
  }

  /// Which domains have the address now, and as what.
  private func holders(
    of iova: UInt64, old: PhysicalAddress, new: PhysicalAddress
  ) -> [String] {
    var lines: [String] = []
    for domain in evidence.state.domains {
      let node = domain.iova.flatMap { FaultFacts.node($0.allocated, iova) }
      let run = run(in: domain, iova)
      // In the spaces of other devices the same number is another address.
      let isHeld = node.map { [.live, .unmapped, .pending].contains($0.state) } ?? false
      guard run != nil || isHeld else { continue }
      var text = domain.domainID.map { "domain-id \($0)" } ?? "a domain without id"
      if let unit = domain.unit { text += " of \(unit)" }
      let devices = domain.devices.prefix(4).map(\.description).joined(separator: ", ")
      if !devices.isEmpty { text += " (\(devices))" }
      if let run {
        let physical = PhysicalAddress(run.physical.rawValue &+ (iova - run.iova.rawValue))
        text += " maps it to \(physical), \(run.access.rawValue)"
        if physical == old { text += ": the old page still" }
        if physical == new { text += ": the new page" }
      } else {
        text += " does not map it"
      }
      if let node { text += "; allocator: \(node.start) to \(node.end), \(node.state.rawValue)" }
      lines.append(text)
    }
    guard !lines.isEmpty else { return ["no domain of the dump maps or holds the address now"] }
    return Array(lines.prefix(16)) + (lines.count > 16 ? ["and \(lines.count - 16) more"] : [])
  }

  // MARK: Dumped tables

  func explainTables(_ record: UnitRecord, _ result: inout UnitExplanation) {
    result.kind = .tables
    result.severity = .info
    guard case .start(let iova) = record.tables.first else {
      result.meaning = "a line of a request's tables, whose head is missing"
      return
    }
    result.iova = IOVirtualAddress(iova)
    var steps: [DecodedEntry] = []
    if let fault = record.fault, fault.kind != .interrupt {
      result.device = fault.device
      steps =
        Translator(evidence).translate(
          fault.device, pasid: fault.pasid, iova: IOVirtualAddress(iova)
        ).entries
    }
    for line in record.tables.dropFirst() {
      if let entry = compared(line, steps) { result.entries.append(entry) }
    }
    let changed = result.entries.filter { entry in entry.now.map { $0 != entry.logged } ?? false }
    let compared = result.entries.count { $0.now != nil }
    result.meaning =
      "the tables of the request, as the kernel printed them when it was refused"
      + (result.device.map { ", for \($0)" } ?? "")
    if record.fault == nil {
      result.evidence.append(
        "the line of the fault is missing, so that the device is not known and nothing is compared")
    } else if compared == 0 {
      result.evidence.append("the dump has none of these entries to compare")
    } else if changed.isEmpty {
      result.evidence.append("all \(compared) entries are the same in the dump")
    } else {
      result.evidence.append(
        "changed since: " + changed.map(\.name).joined(separator: ", ")
          + "; what the dump says of the way is not what the device met")
    }
  }

  private func compared(
    _ line: UnitMessage.TableLine, _ steps: [DecodedEntry]
  ) -> UnitExplanation.Entry? {
    func words(_ structure: ContextObstacle.Structure) -> [UInt64]? {
      steps.first { $0.structure == structure.rawValue }.map { $0.raw.map(\.rawValue) }
    }
    switch line {
    case .start, .missing: return nil
    case .root(let low, let high):
      let logged = [low] + (high.map { [$0] } ?? [])
      return .init(
        "root entry", logged: logged, now: words(.rootEntry).map { Array($0.prefix(logged.count)) })
    case .context(let low, let high):
      return .init(
        "context entry", logged: [low, high], now: words(.contextEntry).map { Array($0.prefix(2)) })
    case .pasidDirectory(let word):
      return .init("PASID directory entry", logged: [word], now: words(.pasidDirectoryEntry))
    case .pasidTable(let index, let word):
      guard let position = Int(exactly: index), position < 8 else { return nil }
      let now = words(.pasidEntry).flatMap { $0.count > position ? [$0[position]] : nil }
      return .init("PASID entry, word \(position)", logged: [word], now: now)
    case .paging(let level, let word):
      let now = steps.first { $0.level.map { UInt64($0) } == level }?.raw.map(\.rawValue)
      return .init("paging entry, level \(level)", logged: [word], now: now)
    }
  }
}
