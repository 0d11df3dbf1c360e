// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import TableCopy

/// Which devices a live update preserves, and what that means for each unit's tables.
///
/// Rules of the series "iommu: Add live update state preservation" (version 3 of 15 June 2026, and its
/// successor), drivers/iommu/intel/liveupdate.c and drivers/iommu/liveupdate.c; who is refused is in
/// `PreservationRules`. At shutdown `clear_unpreserve_context_entry_fn` zeroes the entries of every
/// other device and of all its aliases, also of devices that are no PCI functions, and clears PRE in the
/// entry of a preserved one, not in those of its aliases. A unit without a preserved device is switched
/// off, as in any other reboot.
///
/// Where the kernel has prepared an update, what it hands over says who is preserved, and the bitmap in it
/// which context tables stay.
struct LiveUpdateChoice {
  struct Candidate {
    var device: Device
    var outcome: LiveUpdateForecast.Outcome
    var reasons: [String]
    /// What the kernel hands over for it; `nil` where nothing was prepared.
    var prepared: Handover.Device? = nil

    /// Source ids that its requests may carry, its own first.
    var sourceIDs: [UInt16] { device.requesters.map(\.sourceID) }
  }

  var chosenBy: LiveUpdateForecast.Choice
  /// What the kernel has prepared, where that is what decides.
  var handover: Handover?
  /// Every device that a unit translates for, by device.
  var candidates: [Candidate] = []
  /// Names that were asked for, or are handed over, and that the kernel does not know.
  var unknown: [DeviceName] = []
  /// By name, of units with a preserved device.
  var updates: [String: InPlaceUpdate] = [:]

  init(_ state: RemappingState, facts: MachineFacts, asked: [DeviceName]?) {
    handover = asked == nil ? state.handovers.first { $0.stage == .outgoing } : nil
    chosenBy = asked != nil ? .byOption : handover != nil ? .byHandover : .byOwner
    let prepared = Dictionary(
      (handover?.devices ?? []).map { ($0.device, $0) }, uniquingKeysWith: { a, _ in a })
    let wanted = asked.map(Set.init) ?? handover.map { _ in Set(prepared.keys) }
    let known = Set(state.devices.map(\.device))
    unknown = (asked ?? prepared.keys.sorted()).filter { !known.contains($0) }
    let rules = PreservationRules(state, facts: facts)
    for device in state.devices {
      let isWanted = wanted?.contains(device.device) ?? rules.isOwned(device)
      guard device.unit != nil || isWanted else { continue }
      var candidate = Candidate(device: device, outcome: .dropped, reasons: [])
      if let prepared = prepared[device.device] {
        // The kernel has preserved it already.
        candidate.prepared = prepared
        candidate.outcome = .preserved
      } else if isWanted {
        candidate.reasons = rules.refusals(of: device)
        candidate.outcome = candidate.reasons.isEmpty ? .preserved : .refused
        if candidate.outcome == .preserved { candidate.reasons = rules.remarks(on: device) }
      }
      candidates.append(candidate)
    }
    candidates.sort { $0.device.device < $1.device.device }
    for unit in Set(candidates.filter { $0.outcome == .preserved }.compactMap(\.device.unit)) {
      var update = InPlaceUpdate()
      for candidate in candidates where candidate.device.unit == unit {
        if candidate.outcome == .preserved {
          if let own = candidate.sourceIDs.first { update.withoutPageRequests.insert(own) }
        } else {
          update.cleared.formUnion(candidate.sourceIDs)
        }
      }
      if let prepared = handover?.units.first(where: { $0.unit == unit }) {
        update.contextTables = Set(prepared.contextTables)
        update.rootTable = prepared.rootTable
      }
      updates[unit] = update
    }
  }

  /// Preserved devices of a unit.
  func preserved(on unit: String) -> [Candidate] {
    candidates.filter { $0.device.unit == unit && $0.outcome == .preserved }
  }
}
