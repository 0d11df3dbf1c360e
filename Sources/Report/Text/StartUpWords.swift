// SPDX-License-Identifier: Apache-2.0

import RemappingState

/// How remapping came up, in words: from the types of the kernel's domains, which hold whatever the
/// log has lost, and from the log's own lines.
struct StartUpWords {
  private let state: RemappingState

  init(_ state: RemappingState) { self.state = state }

  /// One sentence; `nil` where nothing is known.
  var policy: String? {
    guard state.otherUnits == nil else { return "another driver than VT-d's remaps DMA" }
    var parts: [String] = []
    if let domains { parts.append(domains) }
    if let mode = absence ?? mode { parts.append(mode) }
    parts += remarks
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  /// By default domains, which the kernel makes by its policy; those that users replaced do not count.
  private var domains: String? {
    let types = state.devices.compactMap(\.defaultDomainType)
    guard !types.isEmpty else { return nil }
    let lazy = "lazy (unmapped addresses are flushed later)"
    let plain =
      switch state.dmaIsStrict {
      case true?: "strict (unmapped addresses are flushed at once)"
      case false?: lazy
      case nil: "translated (nothing tells whether lazy or strict)"
      }
    let words: [(DomainType, String)] = [
      (.dmaFQ, lazy), (.dma, plain), (.identity, "pass-through"),
    ]
    let counted = words.map { type, name in (types.count { $0 == type }, name) }
      .filter { $0.0 > 0 }
    guard let first = counted.first else { return nil }
    if counted.count == 1, first.0 == types.count { return "\(first.1) for every device" }
    return counted.map { "\($0.1) for \(Quantity.count($0.0, "device"))" }
      .joined(separator: ", ")
  }

  /// That nothing is translated, held against what the command line asks for; `nil` where a unit does, or
  /// may do so.
  private var absence: String? {
    guard state.hasNoUnit || !state.units.isEmpty,
      state.units.allSatisfy({ $0.translationEnabled == false })
    else { return nil }
    let asked =
      switch state.startUp?.asksForTranslation {
      case true?: ", though the command line asks for it"
      case false?: ", as the command line asks for"
      case nil: ""
      }
    return
      (state.hasNoUnit ? "there is no unit that would translate DMA" : "no unit translates DMA")
      + asked
  }

  private var mode: String? {
    let units = state.units.filter(\.isModeKnown)
    let scalable = units.count { $0.tableMode == .scalable }
    guard !units.isEmpty else { return nil }
    let stages = Set(
      state.domains.filter { $0.unit != nil && !$0.devices.isEmpty }.compactMap(\.stage))
    let stage = stages.count == 1 ? stages.first.map { ", \($0.rawValue) stage" } ?? "" : ""
    if scalable == units.count { return "scalable mode\(stage)" }
    return scalable == 0
      ? "legacy mode\(stage)" : "scalable mode on \(scalable) of \(units.count) units"
  }

  /// What the log tells that no structure does.
  private var remarks: [String] {
    let log = state.startUp?.log ?? []
    func has(_ text: String) -> Bool { log.contains { $0.contains(text) } }
    var remarks: [String] = []
    if has("platform opt in") { remarks.append("switched on because firmware opts in") }
    if has("(set via kernel command line)") { remarks.append("set on the command line") }
    // The kernel says that remapping has no X2APIC mode also where it has no remapping at all.
    if has("in xapic mode")
      || has("X2APIC mode") && state.units.contains(where: { $0.interruptRemappingEnabled == true })
    {
      remarks.append("interrupt remapping without x2APIC")
    } else if has("in x2apic mode") {
      remarks.append("interrupt remapping with x2APIC")
    }
    if has("opt out") { remarks.append("firmware asks not to use x2APIC") }
    if has("trying to copy translation structures") {
      remarks.append("took over the tables of the kernel that ran before")
    }
    return remarks
  }
}
