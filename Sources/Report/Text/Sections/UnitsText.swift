// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// One block per remapping unit.
struct UnitsText {
  let state: RemappingState

  init(_ state: RemappingState) { self.state = state }

  func write(to page: TextPage) throws(OutputError) {
    if state.units.isEmpty { try page.paragraph(Self.absence(state), indent: 2, hanging: 2) }
    for (index, unit) in state.units.prefix(page.shown(state.units.count)).enumerated() {
      if index > 0 { try page.blank() }
      try write(unit, to: page)
    }
    try page.cut(state.units.count, "units", indent: 2)
    for registers in state.registers ?? [] where registers.unit == nil {
      try page.blank()
      try page.paragraph(
        "registers of a unit that is not known here", indent: 2, hanging: 2, style: .bold)
      for (label, value) in RegistersText(registers: registers, unit: nil).fields {
        try page.field(label, value, indent: 4)
      }
    }
    try writeTranslationCaches(to: page)
    guard let log = state.startUp?.log, !log.isEmpty else { return }
    try page.blank()
    try page.paragraph("how they came up, in the kernel's words:", indent: 2, style: .bold)
    for line in log.prefix(page.shown(log.count)) {
      try page.paragraph(line, indent: 4, hanging: 2)
    }
    try page.cut(log.count, "lines of the log", indent: 4)
  }

  /// Why no unit is listed.
  static func absence(_ state: RemappingState) -> String {
    if let reason = state.reasonOfOtherUnits { return "none of VT-d; " + reason }
    // Source: drivers/iommu/intel/dmar.c, `dmar_free_unused_resources`.
    return state.hasNoUnit
      ? "none: the kernel's list is empty (no DMAR table of the firmware, or Linux dropped it)"
      : "none found"
  }

  /// What is in flight, where no unit is listed.
  static func inFlight(_ state: RemappingState) -> String {
    if state.otherUnits != nil { return "not known: tables of another driver's units are not read" }
    return state.hasNoUnit
      ? "nothing: for all that this kernel knows, every device reaches all of memory"
      : "not known: no unit was found"
  }

  /// What firmware says of ATS.
  private func writeTranslationCaches(to page: TextPage) throws(OutputError) {
    let scopes = state.translationCaches
    guard !scopes.isEmpty else { return }
    try page.blank()
    try page.paragraph(
      "who may cache translations (ATS), as firmware says:", indent: 2, style: .bold)
    for scope in scopes.prefix(page.shown(scopes.count)) {
      var text = scope.segment.map { "segment \($0): " } ?? ""
      switch scope.kind {
      case .atsr:
        text += "devices below "
        if scope.includeAll {
          text += "every root port"
        } else {
          text +=
            scope.devices.isEmpty ? "no root port" : page.list(scope.devices.map(\.description))
        }
      case .satc:
        text += scope.devices.isEmpty ? "none" : page.list(scope.devices.map(\.description))
        if scope.required == true { text += "; they need it" }
      }
      try page.field(scope.kind.rawValue.uppercased(), text, indent: 4)
    }
    try page.cut(scopes.count, "structures", indent: 4)
  }

  private func write(_ unit: Unit, to page: TextPage) throws(OutputError) {
    try page.paragraph("\(unit.name): \(headline(unit))", indent: 2, hanging: 2, style: .bold)
    func field(_ label: String, _ value: String) throws(OutputError) {
      try page.field(label, value, indent: 4)
    }
    // A root that was found by its shape, or given, tells nothing of its unit.
    let base = unit.registerBase.rawValue == 0 ? "not known" : "\(unit.registerBase)"
    try field("registers", "segment \(unit.segment), base \(base)")
    try field(
      "capabilities",
      unit.isHardwareKnown
        ? "CAP \(unit.capability), ECAP \(unit.extendedCapability)" : "not known")
    if unit.isHardwareKnown {
      for group in CapabilityWords(unit).groups {
        try field("  " + group.label, group.words.joined(separator: ", "))
      }
    }
    if let root = unit.rootTable {
      try field("root table", "\(root)" + (unit.rootFrom.map(origin) ?? ""))
    } else {
      try field("root table", "none")
    }
    try field("domain-ids", domainIDs(unit.domainIDs, page))
    if let levels = unit.levels { try field("second stage", "\(levels) levels") }
    if !unit.scope.isEmpty || unit.includeAll == true {
      var scope = unit.scope.map { $0?.description ?? "(absent device)" }
      if unit.includeAll == true { scope.append("every device of no other unit") }
      try field("scope", page.list(scope))
    }
    if let object = unit.kernelObject {
      let sequence = unit.sequence.map { ", sequence \($0)" } ?? ""
      try field("intel_iommu", "\(object)\(sequence)")
    }
    if let command = unit.globalCommand { try field("gcmd", "\(command)") }
    if unit.inherited == true {
      try field("inherited", "this kernel took the unit over with translation enabled")
    }
    if !unit.copiedContexts.isEmpty {
      try field("copied contexts", page.list(unit.copiedContexts.map(\.description)))
    }
    for registers in state.registers ?? [] where registers.unit == unit.name {
      for (label, value) in RegistersText(registers: registers, unit: unit).fields {
        try field(label, value)
      }
    }
  }

  private func headline(_ unit: Unit) -> String {
    var parts = [unit.tableWords]
    parts.append("translation \(state(unit.translationEnabled))")
    parts.append("interrupt remapping \(state(unit.interruptRemappingEnabled))")
    if unit.ignored == true { parts.append("ignored by Linux") }
    return parts.joined(separator: ", ")
  }

  private func state(_ flag: Bool?) -> String {
    switch flag {
    case true?: "on"
    case false?: "off"
    case nil: "unknown"
    }
  }

  private func origin(_ origin: RootOrigin) -> String {
    switch origin {
    case .kernel: " (from the kernel's intel_iommu)"
    case .carved: " (found by its shape in memory)"
    case .given: " (given by the user)"
    }
  }

  private func domainIDs(_ ids: DomainIDs, _ page: TextPage) -> String {
    guard let used = ids.used else {
      return ids.supported == 0
        ? "not known" : "\(ids.supported) supported, used ones unreadable"
    }
    return "\(used.count) of \(ids.supported) used: \(page.list(Quantity.ranges(used)))"
  }
}
