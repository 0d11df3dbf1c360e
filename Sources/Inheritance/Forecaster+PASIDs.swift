// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import VTd

/// Requests with a PASID: their entries hang in a table that a copy of contexts leaves where it is, and
/// that an attach replaces.
extension Forecaster {
  func pasids(
    of device: DeviceFacts, _ plan: PolicyPlan, _ unit: SwitchedUnit?
  ) -> [PASIDForecast] {
    device.pasids.map { facts in
      let fates = fates(of: facts, device, plan, unit)
      return PASIDForecast(
        pasid: facts.pasid,
        at: .init(t1: fates[0].0, t2: fates[1].0, t3: fates[2].0, t4: fates[2].0),
        faultReason: .init(t1: fates[0].1, t2: fates[1].1, t3: fates[2].1, t4: fates[2].1),
        bytes: facts.space.map { spaces[$0].iova.bytes } ?? 0)
    }
  }

  /// At T1, T2 and T3.
  ///
  /// Requests with a PASID are taken for untranslated ones while translation is off, as QEMU's model of the
  /// unit treats them.
  private func fates(
    of facts: DeviceFacts.PASIDFacts, _ device: DeviceFacts, _ plan: PolicyPlan,
    _ unit: SwitchedUnit?
  ) -> [(Fate, Int?)] {
    if plan.resetsFirst, device.resetObstacle == nil {
      return Array(repeating: (.silent, nil), count: 3)
    }
    guard let unit, !unit.isOff else { return Array(repeating: (.physical, nil), count: 3) }
    let before: (Fate, Int?) =
      switch facts.situation {
      case .translated: (.translated, nil)
      case .passThrough: (.passThrough, nil)
      case .untranslated: (.physical, nil)
      case .refused, .noContext: (.blocked, facts.refusal ?? Self.missing(facts.pasid))
      }
    let id = device.function.sourceID
    let second: (Fate, Int?)
    if let reading = unit.pasidReadings[.init(sourceID: id, pasid: facts.pasid)] {
      second = (reading.fate, reading.faultReason)
    } else if unit.readings[id] != nil {
      second = (.blocked, unit.isSilent ? nil : Self.missing(facts.pasid))
    } else {
      let reading = unit.reading(of: id)
      second = (reading.fate, reading.faultReason)
    }
    let first: (Fate, Int?) =
      unit.isDisabledFirst ? (.physical, nil) : plan.blocksFirst ? second : before
    var third = second
    if device.attaches, !unit.neverAttaches {
      switch plan.attach {
      // The driver gives the device a PASID table of its own, with one entry: that of requests without
      // PASID. Source: drivers/iommu/intel/pasid.c, `intel_pasid_alloc_table`.
      case .newDomain: third = (.blocked, Self.missing(facts.pasid))
      case .inherit, .passThrough: break
      case .restore:
        if !unit.preserved.contains(id) { third = (.blocked, Self.missing(facts.pasid)) }
      }
    }
    return [first, second, third]
  }

  /// The fault of a PASID in a table that has nothing but the first 64 entries, and there not this one.
  private static func missing(_ pasid: UInt32) -> Int {
    (pasid >> 6 == 0
      ? FaultReason.pasidEntryNotPresent : FaultReason.pasidDirectoryEntryNotPresent).code
  }

  /// What is to be said where requests with PASIDs that were translated are cut off; `nil` if none are.
  static func lostRequests(_ pasids: [PASIDForecast]) -> String? {
    for moment in Moment.allCases {
      let lost = pasids.filter { $0.bytes > 0 && $0.at.all[moment.rawValue] == .blocked }
      guard !lost.isEmpty else { continue }
      let names = lost.prefix(4).map { "\($0.pasid)" }.joined(separator: ", ")
      let more = lost.count > 4 ? " and \(lost.count - 4) more" : ""
      return "requests with PASID \(names)\(more) are cut off from \(moment.name) on"
    }
    return nil
  }
}
