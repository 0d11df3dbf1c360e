// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import TableCopy
import VTd

/// Tables that the next kernel takes over where they stand.
extension Forecaster {
  func takeOverInPlace(
    _ unit: Unit, _ source: TranslationTables, _ plan: PolicyPlan, _ copier: inout TableCopier,
    _ row: inout UnitForecast, _ switched: inout SwitchedUnit
  ) -> UnitCopy {
    if plan.tables == .adopted, options.commandLine.turnsOff {
      row.outcome = .disabled
      row.reason =
        "the crash kernel's command line switches the driver off, and that switches translation off"
      switched.isDisabledFirst = true
      switched.isOff = true
      return UnitCopy()
    }
    if let refusal = adoptionRefusal(unit) {
      row.outcome = .refused
      row.reason = refusal
      switched.refusal = refusal
      switched.isDisabledFirst = true
      return UnitCopy()
    }
    row.outcome = .adopted
    guard plan.tables == .handedOver else { return copier.adopt(source) }
    guard let update = liveUpdate.updates[unit.name] else {
      row.outcome = .disabled
      row.reason =
        "none of its devices is preserved: the old kernel switches translation off, and the next one"
        + " starts with empty tables"
      switched.isDisabledFirst = true
      return UnitCopy()
    }
    var copy = copier.update(source, update)
    let preserved = liveUpdate.preserved(on: unit.name)
    switched.preserved = Set(preserved.flatMap(\.sourceIDs)).subtracting(update.cleared)
    copy.domainIDs = Set(preserved.compactMap(attachment)).sorted()
    let cleared = copy.contexts.count { $0.new == nil }
    row.reason =
      "\(copy.contexts.count - cleared) of \(copy.contexts.count) contexts stay in place, the others"
      + " are zeroed before the old kernel ends"
    if let root = update.rootTable, root.pageBase != source.rootTable.pageBase {
      row.reason =
        "the next kernel goes on with the root table \(root.pageBase) that is handed over, and the"
        + " unit's is \(source.rootTable.pageBase)"
    }
    // Of a source id that both kinds have, the preserved device's is told.
    let own = liveUpdate.candidates.filter { $0.device.unit == unit.name }
    for candidate in own where candidate.outcome != .preserved {
      remark(candidate, update, &switched)
    }
    for candidate in preserved { remark(candidate, update, &switched) }
    return copy
  }

  /// What becomes of source ids that a live update drops, or takes from under a preserved device.
  private func remark(
    _ candidate: LiveUpdateChoice.Candidate, _ update: InPlaceUpdate,
    _ switched: inout SwitchedUnit
  ) {
    if candidate.outcome == .preserved {
      let lost = candidate.sourceIDs.filter(update.cleared.contains)
      guard let own = candidate.sourceIDs.first, !lost.isEmpty else { return }
      switched.remarks[own] =
        "it is preserved, but requests under its source ids "
        + lost.map { PCIFunction(segment: 0, sourceID: $0).shortName }.joined(separator: ", ")
        + " fault: a device that is not preserved has them too"
    } else {
      let bytes = bytesReachable(candidate.device.device)
      for id in candidate.sourceIDs where bytes > 0 {
        switched.remarks[id] =
          "it is \(candidate.outcome.rawValue): its translations reached \(bytes) bytes, and each"
          + " request that is still under way to them faults"
      }
    }
  }

  /// Why a kernel could not go on with the old tables.
  ///
  /// The mode of the tables cannot be changed while translation is on.
  private func adoptionRefusal(_ unit: Unit) -> String? {
    if unit.ignored == true {
      return "the driver ignores the unit and switches its translation off"
    }
    guard let root = unit.rootTable, root.rawValue != 0 else { return "the root pointer is 0" }
    if let wants = options.commandLine.scalable, wants != (unit.tableMode == .scalable) {
      return "the tables are in \(unit.tableMode.rawValue) mode and the next kernel wants "
        + "\(wants ? "scalable" : "legacy") mode, which cannot be changed while translation is on"
    }
    guard (try? memory.pageOrAssumedZero(root.frame)) != nil else {
      return "the root table is not in the dump, so there is no forecast"
    }
    return nil
  }

  /// The id under which a device is attached: what is handed over, else the kernel's, else the one in its
  /// context.
  private func attachment(_ candidate: LiveUpdateChoice.Candidate) -> UInt32? {
    candidate.prepared?.domainID ?? candidate.device.domainID
      ?? primary(candidate.device)?.domainID
  }

  private func primary(_ device: Device) -> Context? {
    guard let function = device.requesters.first else { return nil }
    return state.contexts.first {
      $0.unit == device.unit && $0.device == function && $0.servesRequestsWithoutPASID
    }
  }

  private func bytesReachable(_ name: DeviceName) -> UInt64 {
    guard let device = devices.first(where: { $0.name == name }) else { return 0 }
    return Set(device.spaces).reduce(0) {
      let (sum, overflow) = $0.addingReportingOverflow(spaces[$1].iova.bytes)
      return overflow ? .max : sum
    }
  }

  // MARK: The price of an adoption

  /// What it costs to go on in the crashed kernel's memory.
  func adoptionPrice(_ units: [UnitForecast], _ forecasts: [DeviceForecast]) -> [String] {
    let adopted = Set(units.filter { $0.outcome == .adopted }.map(\.unit))
    guard !adopted.isEmpty else { return [] }
    var reasons: [String] = []
    let attaching = forecasts.filter { $0.attaches && adopted.contains($0.unit ?? "") }
    var pages: Set<UInt64> = []
    var fresh = 0
    for forecast in attaching {
      guard let function = forecast.device.function,
        let unit = state.units.first(where: { $0.name == forecast.unit }),
        let tables = TranslationTables(unit, memory)
      else { continue }
      if let entry = tables.contextEntry(of: function.sourceID) {
        pages.insert(entry.frame)
      } else {
        fresh += 1
        pages.insert(tables.rootTable.frame)
      }
    }
    if !attaching.isEmpty {
      reasons.append(
        "\(attaching.count) attaching driver\(attaching.count == 1 ? " writes" : "s write") into "
          + "\(pages.count) page\(pages.count == 1 ? "" : "s") of the old tables, so the dump shows"
          + " these as the crash kernel left them"
          + (fresh > 0 ? "; for \(fresh) of them a context table is hung into the old root" : ""))
    }
    let bytes = devices.filter { adopted.contains($0.unit ?? "") }.flatMap(\.spaces).reduce(
      0 as UInt64
    ) { max($0, spaces[$1].exposure.tables) }
    reasons.append(
      "\(oldTables.count) pages of tables stay in force in the crashed kernel's memory; "
        + (bytes > 0
          ? "a device can write \(bytes) bytes of them" : "no device's mapping reaches them"))
    return reasons
  }

  // MARK: The account of a live update

  func liveUpdateForecast(_ policy: PolicyForecast) -> LiveUpdateForecast {
    var result = LiveUpdateForecast(
      isKnown: facts.knownRoads.contains(.liveUpdate), chosenBy: liveUpdate.chosenBy,
      handover: liveUpdate.handover?.address, units: [], devices: [])
    var kept: [String: Set<PCIFunction>] = [:]
    var present: [String: Set<PCIFunction>] = [:]
    for row in policy.units {
      let claimed = Set(
        liveUpdate.candidates.filter { $0.device.unit == row.unit }.flatMap(\.sourceIDs))
      kept[row.unit] = Set(row.contexts.filter { $0.new != nil }.map(\.device))
      present[row.unit] = Set(row.contexts.map(\.device))
      let isPreserved = row.outcome == .adopted
      result.units.append(
        .init(
          unit: row.unit, isPreserved: isPreserved,
          contextTables: row.roots.count { $0.new != .exact(0) },
          clearedRoots: row.roots.filter { $0.new == .exact(0) }.map {
            .init(bus: $0.bus, half: $0.half)
          },
          cleared: row.contexts.filter { $0.new == nil }.map(\.device),
          withoutPageRequests: row.contexts.filter { context in
            guard let old = context.old?.first, let new = context.new?.first else { return false }
            return new != .exact(old.rawValue)
          }.map(\.device),
          unclaimed: row.contexts.filter {
            $0.new != nil && !claimed.contains($0.device.sourceID)
          }.map(\.device),
          domainIDs: isPreserved
            ? Set(liveUpdate.preserved(on: row.unit).compactMap(attachment)).sorted() : []))
    }
    for candidate in liveUpdate.candidates {
      result.devices.append(
        account(
          of: candidate, kept: kept[candidate.device.unit ?? ""] ?? [],
          present: present[candidate.device.unit ?? ""] ?? []))
    }
    for name in liveUpdate.unknown {
      result.devices.append(
        .init(
          device: name, unit: nil, outcome: .refused, reasons: ["the kernel knows no such device"],
          domainID: nil, pasidTable: nil, pasidBound: nil, lostPASIDs: [], aliases: [],
          bytesReachable: 0))
    }
    result.devices.sort { $0.device < $1.device }
    return result
  }

  private func account(
    of candidate: LiveUpdateChoice.Candidate, kept: Set<PCIFunction>, present: Set<PCIFunction>
  ) -> LiveUpdateForecast.Device {
    let device = candidate.device
    var row = LiveUpdateForecast.Device(
      device: device.device, unit: device.unit, outcome: candidate.outcome,
      reasons: candidate.reasons, domainID: nil, pasidTable: nil, pasidBound: nil, lostPASIDs: [],
      aliases: [], bytesReachable: bytesReachable(device.device))
    for alias in device.aliases.compactMap(\.function) {
      let others = liveUpdate.candidates.filter {
        $0.device.unit == device.unit && $0.sourceIDs.contains(alias.sourceID)
          && ($0.outcome == .preserved) != (candidate.outcome == .preserved)
      }.map(\.device.device)
      row.aliases.append(
        .init(
          device: alias,
          outcome: kept.contains(alias) ? .kept : present.contains(alias) ? .cleared : .absent,
          sharedWith: others))
    }
    guard candidate.outcome == .preserved else { return row }
    row.domainID = attachment(candidate)
    let own = device.requesters.first
    if let own, !kept.contains(own) {
      row.reasons.append(
        present.contains(own)
          ? "its context is zeroed: its context table is not handed over, or a device that is not"
            + " preserved has its source id for an alias"
          : "it has no context")
    }
    compareWithHandover(candidate, &row)
    readPASIDs(of: candidate, &row)
    return row
  }

  /// What is handed over for a device may lead to other tables than its context does.
  private func compareWithHandover(
    _ candidate: LiveUpdateChoice.Candidate, _ row: inout LiveUpdateForecast.Device
  ) {
    guard let prepared = candidate.prepared, let handover = liveUpdate.handover,
      let context = primary(candidate.device)
    else { return }
    let table = handover.domains.first { $0.address == prepared.domain }?.table
    if table != context.table {
      row.reasons.append(
        "the next kernel takes the tables at " + (table.map(\.description) ?? "no address")
          + " for its domain's, and its context leads to "
          + (context.table.map(\.description) ?? "none"))
    }
    if let id = context.domainID, id != prepared.domainID {
      row.reasons.append(
        "the next kernel takes domain-id \(prepared.domainID) for it, and its context has \(id)")
    }
  }

  /// The PASID table that goes along, and the PASIDs whose domains do not.
  private func readPASIDs(
    of candidate: LiveUpdateChoice.Candidate, _ row: inout LiveUpdateForecast.Device
  ) {
    guard let unit = state.units.first(where: { $0.name == candidate.device.unit }),
      unit.tableMode == .scalable, let function = candidate.device.requesters.first,
      let tables = TranslationTables(unit, memory),
      let entry = tables.contextEntry(of: function.sourceID),
      let page = try? memory.pageOrAssumedZero(entry.frame).page
    else { return }
    let words = (0..<4).map { page[word: entry.pageOffset >> 3 + $0] }
    let context = ScalableContextEntry(words: words)
    guard context.isPresent else { return }
    row.pasidTable = candidate.prepared.map(\.pasidTable) ?? context.pasidDirectory
    row.pasidBound =
      candidate.prepared?.pasidBound.map { Int(clamping: $0) }
      ?? context.pasidDirectoryEntryCount * 64
    if candidate.prepared != nil, row.pasidTable != context.pasidDirectory {
      row.reasons.append(
        "the PASID table that is handed over is not the one that its context leads to, which is at "
          + "\(context.pasidDirectory)")
    }
    let handedOver = Set(
      liveUpdate.candidates.filter { $0.outcome == .preserved }.compactMap {
        primary($0.device)?.domainKey
      })
    let tablesOfDomains = Set(liveUpdate.handover?.domains.map(\.table) ?? [])
    row.lostPASIDs = state.contexts.filter {
      $0.unit == unit.name && $0.device == function && !$0.servesRequestsWithoutPASID
        && !handedOver.contains($0.domainKey) && $0.table.map(tablesOfDomains.contains) != true
    }.compactMap(\.pasid)
    if !row.lostPASIDs.isEmpty {
      row.reasons.append(
        "\(row.lostPASIDs.count) of its PASIDs do not survive: their entries stay, but nobody hands"
          + " over the tables that they lead to or takes their domain-ids")
    }
  }
}

extension PCIFunction {
  fileprivate init(segment: UInt32, sourceID: UInt16) {
    self.init(
      segment: segment, bus: UInt8(sourceID >> 8), devfn: UInt8(truncatingIfNeeded: sourceID))
  }

  /// Without its segment.
  fileprivate var shortName: String { String(description.drop { $0 != ":" }.dropFirst()) }
}
