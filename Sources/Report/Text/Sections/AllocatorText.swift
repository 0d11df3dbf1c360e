// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What the kernel's IOVA allocators hold, by state, and what is mapped in spite of them.
struct AllocatorText {
  private let domains: [(domain: Domain, space: IOVASpace)]

  init(_ state: RemappingState) {
    domains = state.domains.compactMap { domain in domain.iova.map { (domain, $0) } }
  }

  func write(to page: TextPage) throws(OutputError) {
    if domains.isEmpty { try page.paragraph("no domain has one", indent: 2) }
    for (index, (domain, space)) in domains.prefix(page.shown(domains.count)).enumerated() {
      if index > 0 { try page.blank() }
      try page.paragraph(domain.label, indent: 2, hanging: 2, style: .bold)
      try write(space, to: page)
    }
    try page.cut(domains.count, "allocators", indent: 2)
  }

  /// `12 ranges: 10 live, 2 reserved`.
  static func account(_ space: IOVASpace) -> String {
    let states = IOVARange.State.allCases.compactMap { state -> String? in
      let count = space.allocated.count { $0.state == state }
      return count > 0 ? "\(count) \(state.rawValue)" : nil
    }
    var text = Quantity.count(space.allocated.count, "range")
    if !states.isEmpty { text += ": " + states.joined(separator: ", ") }
    guard let unallocated = space.unallocated else { return text + "; not all could be read" }
    if !unallocated.isEmpty { text += "; \(unallocated.count) mapped but not allocated" }
    if let doubt = doubt(about: space) { text += "; " + doubt }
    return text
  }

  /// What of the states is not certain; `nil` if all of it is.
  private static func doubt(about space: IOVASpace) -> String? {
    guard let last = space.uncertain.last else { return nil }
    let others = space.uncertain.dropLast().map(\.rawValue).joined(separator: ", ")
    return "which are " + (others.isEmpty ? "" : others + " or ") + last.rawValue
      + " could not be read everywhere"
  }

  private func write(_ space: IOVASpace, to page: TextPage) throws(OutputError) {
    let states = IOVARange.State.allCases.filter { state in
      space.allocated.contains { $0.state == state }
    }
    if space.unallocated == nil {
      try page.paragraph(
        "not all of its ranges could be read: what is mapped in none of them is not known",
        indent: 4, style: .yellow)
    } else if states.isEmpty {
      try page.paragraph("nothing allocated", indent: 4)
    }
    if let doubt = Self.doubt(about: space) {
      try page.paragraph(doubt, indent: 4, style: .yellow)
    }
    try page.table(
      [.left("state"), .right("ranges"), .right("bytes"), .right("size"), .left("meaning")],
      count: states.count, what: "states", indent: 4
    ) { index in
      let ranges = space.allocated.filter { $0.state == states[index] }
      let bytes = ranges.reduce(0 as UInt64) { sum, range in
        sum.addingClamped(Quantity.length(range.start, range.end) ?? 0)
      }
      return [
        states[index].rawValue, "\(ranges.count)", "\(bytes)", Quantity.iec(bytes) ?? "",
        meaning(states[index]),
      ]
    }
    // The ranges that a device may still reach behind the kernel's back.
    let pending = space.allocated.filter { $0.state == .pending }
    try list(pending.map { ($0.start, $0.end) }, "waiting for their flush", to: page)
    try list(
      (space.unallocated ?? []).map { ($0.start, $0.end) }, "mapped but not allocated", to: page)
  }

  private func list(
    _ ranges: [(start: IOVirtualAddress, end: IOVirtualAddress)], _ title: String,
    to page: TextPage
  ) throws(OutputError) {
    guard !ranges.isEmpty else { return }
    try page.blank()
    try page.paragraph(title, indent: 4, style: .bold)
    try page.table(
      [.right("start"), .right("end"), .right("bytes"), .right("size")], count: ranges.count,
      what: "ranges", indent: 6
    ) { index in
      let length = Quantity.length(ranges[index].start, ranges[index].end)
      return [
        ranges[index].start.description, ranges[index].end.description, TextPage.text(length),
        length.flatMap(Quantity.iec) ?? "",
      ]
    }
  }

  private func meaning(_ state: IOVARange.State) -> String {
    switch state {
    case .live: "mapped, a device may use it"
    case .unmapped: "allocated, not mapped"
    case .cached: "freed into a per-CPU cache"
    case .pending: "unmapped, the IOTLB may still hold it"
    case .flushed: "unmapped and flushed, not yet free"
    case .reserved: "host bridge, MSI or a fixed region"
    }
  }
}
