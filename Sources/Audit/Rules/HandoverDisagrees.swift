// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What a live update hands over is what the hardware's tables say.
///
/// Compared are the root table, the bitmap of context tables, the domain-id of each preserved device
/// and the top table and depth of its domain. A context table that is missing from the bitmap is a
/// warning: its root entry is zeroed when the old kernel ends.
///
/// Source: drivers/iommu/intel/liveupdate.c of the series "iommu: Add live update state preservation"
/// (2026), `intel_iommu_preserve`, `intel_iommu_preserve_device`. Severity: error; the next kernel goes
/// on with tables or ids that are not the devices'.
struct HandoverDisagrees: AuditRule {
  static let id = "handover.disagrees"
  static let severity = Finding.Severity.error

  func check(_ state: RemappingState) -> [Finding] {
    guard !state.handovers.isEmpty else { return [] }
    let index = StateIndex(state)
    return state.handovers.flatMap { handover in
      let domains = Dictionary(
        handover.domains.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
      return handover.units.flatMap { check($0, handover, state) }
        + handover.devices.flatMap { check($0, handover, domains[$0.domain], state, index) }
    }
  }

  private func check(
    _ row: Handover.Unit, _ handover: Handover, _ state: RemappingState
  ) -> [Finding] {
    let evidence = [Evidence(what: "struct iommu_hw_ser", address: HexWord(row.address.rawValue))]
    guard let unit = state.units.first(where: { $0.name == row.unit }) else {
      return [
        finding(.unknownUnit(row.registerBase), evidence: evidence)
      ]
    }
    var findings: [Finding] = []
    if unit.rootTable != row.rootTable {
      findings.append(
        finding(
          .otherRoot(row.rootTable, unit.rootTable), unit: unit.name, evidence: evidence))
    }
    if let present = row.presentTables {
      let handed = Set(row.contextTables)
      for half in handed.subtracting(present).sorted() {
        findings.append(
          finding(.absentTable(half), unit: unit.name, evidence: evidence))
      }
      for half in present where !handed.contains(half) {
        findings.append(
          finding(
            .leftOut(half, handover.stage), severity: .warning, unit: unit.name,
            evidence: evidence))
      }
    }
    return findings
  }

  private func check(
    _ row: Handover.Device, _ handover: Handover, _ domain: Handover.Domain?,
    _ state: RemappingState, _ index: StateIndex
  ) -> [Finding] {
    let evidence = [
      Evidence(what: "struct iommu_device_ser", address: HexWord(row.address.rawValue))
    ]
    func report(_ message: Finding.Message, unit: String? = nil) -> Finding {
      finding(message, unit: unit, device: row.device, evidence: evidence)
    }
    guard let unit = handover.units.first(where: { $0.address == row.unit }) else {
      return [report(.noUnit(row.unit))]
    }
    var findings: [Finding] = []
    if domain == nil { findings.append(report(.noDomain(row.domain), unit: unit.unit)) }
    guard let name = unit.unit else { return findings }
    if handover.stage == .incoming,
      let used = state.units.first(where: { $0.name == name })?.domainIDs.used,
      !used.contains(row.domainID)
    {
      findings.append(report(.notTaken(row.domainID), unit: name))
    }
    let context = row.device.function.flatMap { index.requestContext(of: $0, on: name) }
    guard let context else { return findings + [report(.noContext, unit: name)] }
    if let id = context.domainID, id != row.domainID {
      findings.append(report(.otherID(row.domainID, id), unit: name))
    }
    if let domain {
      if context.table != domain.table {
        findings.append(report(.otherTable(domain.table, context.table), unit: name))
      } else if let levels = context.levels, levels != domain.levels {
        findings.append(report(.otherDepth(domain.levels, levels), unit: name))
      }
    }
    return findings
  }
}

extension Finding.Message {
  private static func place(_ half: Int) -> String {
    "the \(half & 1 == 0 ? "lower" : "upper") context table of bus \(String(half >> 1, radix: 16))"
  }

  private static func text(_ address: PhysicalAddress?) -> String {
    address.map { "\($0)" } ?? "none"
  }

  fileprivate static func unknownUnit(_ base: PhysicalAddress) -> Self {
    "a live update hands over a unit at \(base), and this kernel has none there"
  }

  fileprivate static func otherRoot(_ ours: PhysicalAddress, _ theirs: PhysicalAddress?) -> Self {
    "a live update hands over the root table \(ours), and the unit's is \(text(theirs))"
  }

  fileprivate static func absentTable(_ half: Int) -> Self {
    "a live update hands over \(place(half)), which the root table does not have"
  }

  fileprivate static func leftOut(_ half: Int, _ stage: Handover.Stage) -> Self {
    "\(place(half)) is in force and not handed over"
      + (stage == .outgoing
        ? ": its root entry is zeroed when this kernel ends" : ": it is this kernel's own")
  }

  fileprivate static func noUnit(_ address: PhysicalAddress) -> Self {
    "the handed-over device names a unit at \(address), which is not handed over"
  }

  fileprivate static func noDomain(_ address: PhysicalAddress) -> Self {
    "the handed-over device names a domain at \(address), which is not handed over"
  }

  fileprivate static func notTaken(_ id: UInt32) -> Self {
    "the handed-over device has domain-id \(id), which the kernel's allocator holds for free"
  }

  fileprivate static var noContext: Self {
    "a live update hands over the device, and no context translates its requests without PASID"
  }

  fileprivate static func otherID(_ ours: UInt32, _ theirs: UInt32) -> Self {
    "a live update hands over domain-id \(ours), and the device's context has \(theirs)"
  }

  fileprivate static func otherTable(
    _ ours: PhysicalAddress, _ theirs: PhysicalAddress?
  ) -> Self {
    "a live update hands over the table \(ours), and the device's context has \(text(theirs))"
  }

  fileprivate static func otherDepth(_ ours: Int, _ theirs: Int) -> Self {
    "a live update hands over a table of \(ours) levels, and the device's context walks \(theirs)"
  }
}
