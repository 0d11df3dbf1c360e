// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import TableCopy
import VTd

/// What requests meet in the tables that are in force after the switch.
extension Forecaster {
  /// Reads the new tables as hardware would and compares each way with the old one.
  func read(
    _ copy: UnitCopy, _ source: TranslationTables, _ copier: TableCopier,
    _ switched: inout SwitchedUnit, _ proof: UnitForecast.Proof?
  ) {
    guard let root = copy.rootTable else { return }
    let old = source.read(budget)
    let new = TranslationTables(
      memory: copy.isInPlace
        ? EditedMemory(copier.edits, over: memory) : ArenaOverlay(copier.arena, over: memory),
      rootTable: root, mode: source.mode,
      capabilities: source.capabilities
    ).read(budget)
    for entry in new.roots {
      switched.presentHalves.insert(Int(entry.bus) << 1 | (entry.half ?? 0))
    }
    let copied = Set(copy.spaces.map { CopiedSpace(sourceID: $0.sourceID, space: $0.new) })
    var oldPaths: [UInt16: ContextPath] = [:]
    var oldPASIDs: [RequesterPASID: ContextPath] = [:]
    for path in old.paths {
      if path.servesRequestsWithoutPASID {
        if oldPaths[path.sourceID] == nil { oldPaths[path.sourceID] = path }
      } else if let pasid = path.pasid {
        oldPASIDs[.init(sourceID: path.sourceID, pasid: pasid)] = path
      }
    }
    let differing = Set((proof?.differences ?? []).compactMap { $0.device?.sourceID })
    let isScalable = source.mode == .scalable
    var seen: Set<UInt16> = []
    for path in new.paths {
      let id = path.sourceID
      if let pasid = path.pasid, !path.servesRequestsWithoutPASID {
        let key = RequesterPASID(sourceID: id, pasid: pasid)
        switched.pasidReadings[key] = meeting(
          path, before: oldPASIDs[key], isScalable: isScalable, copied: copied)
      }
      guard path.servesRequestsWithoutPASID, path.kind != .none else {
        // A context without the PASID that its own requests are looked up under.
        if seen.insert(id).inserted || path.kind == .none {
          if switched.readings[id] == nil {
            switched.readings[id] = .init(
              fate: .blocked,
              faultReason: path.faultsSuppressed
                ? nil
                : (path.refusal?.faultReason(isScalable: isScalable)
                  ?? (isScalable
                    ? .pasidEntryNotPresent : .contextEntryInvalid(isScalable: false)))
                  .code)
          }
        }
        continue
      }
      var reading = meeting(
        path, before: oldPaths[id], isScalable: isScalable, copied: copied)
      if reading.fate == .translated, differing.contains(id) {
        reading.remark = "the copy of its tables is not identical"
      }
      switched.readings[id] = reading
    }
  }

  /// What requests meet that are looked up under one entry of the new tables.
  ///
  /// - Parameter before: the old tables' entry for the same requests.
  private func meeting(
    _ path: ContextPath, before: ContextPath?, isScalable: Bool, copied: Set<CopiedSpace>
  ) -> SwitchedUnit.Reading {
    var reading = SwitchedUnit.Reading(fate: .blocked)
    switch path.kind {
    case .passThrough:
      reading.fate = .passThrough
      if before?.kind != .passThrough { reading.remark = "it gets another device's context" }
    case .none:
      reading.faultReason =
        path.faultsSuppressed
        ? nil
        : (path.refusal?.faultReason(isScalable: isScalable)
          ?? .lastEntryInvalid(isScalable: isScalable)).code
    case .secondStage, .firstStage, .nested:
      if path.addressSpace == nil || path.refusal != nil {
        reading.faultReason =
          path.faultsSuppressed
          ? nil
          : (path.refusal?.faultReason(isScalable: isScalable)
            ?? .lastEntryInvalid(isScalable: isScalable)).code
      } else if let space = path.addressSpace,
        space == before?.addressSpace
          || copied.contains(CopiedSpace(sourceID: path.sourceID, space: space))
      {
        reading.fate = .translated
      } else {
        reading.fate = .remapped
        reading.remark = "it gets another device's table"
      }
    }
    return reading
  }
}

/// A space of the new tables and whose it is.
private struct CopiedSpace: Hashable {
  var sourceID: UInt16
  var space: AddressSpace?
}

extension UnitCopy.Space {
  fileprivate var sourceID: UInt16 { UInt16(bus) << 8 | UInt16(devfn) }
}
