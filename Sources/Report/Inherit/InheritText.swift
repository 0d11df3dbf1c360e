// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import RemappingState

/// The forecast for a reader at a terminal: 100 columns of ASCII, the decision first.
public struct InheritText {
  /// Rows per list; `nil` for all.
  public var limit: Int?
  public var color: Bool
  /// The answer, what kernels do and a comparison with what none does, on two screens.
  public var isBrief: Bool

  public init(limit: Int? = 20, color: Bool = false, isBrief: Bool = false) {
    self.limit = limit
    self.color = color
    self.isBrief = isBrief && limit != nil
  }

  public func write(_ document: InheritDocument, to sink: any ByteSink) throws(OutputError) {
    let page = TextPage(sink, limit: limit, color: color)
    let forecast = document.forecast
    try OutlookText(page: page).write(forecast.outlook)
    try page.blank()
    try page.heading("What this was worked out from")
    try writeSummary(document, to: page)
    try writeChanged(forecast.changedAfterPanic, to: page)
    // What kernels do comes first, what none does after it.
    let order =
      forecast.policies.filter { $0.policy == .linux }
      + forecast.policies.filter { $0.policy != .linux }
    for policy in isBrief ? Array(order.prefix(1)) : order {
      try page.blank()
      try page.heading(
        "Policy \(policy.policy.rawValue)\(Self.remark(policy.policy)): \(policy.verdict.rawValue)")
      try write(policy, to: page)
      if policy.policy == .liveUpdate, let update = forecast.liveUpdate {
        try LiveUpdateText(page: page).write(update)
      }
    }
    if forecast.policies.count > 1 {
      try page.blank()
      try page.heading("Policies compared")
      try writeComparison(forecast, to: page)
    }
    try page.finish(document.cuts)
  }

  private static func remark(_ policy: Policy) -> String {
    policy == .linux ? ", what kernels do" : ""
  }

  // MARK: Summary and comparison

  private func writeSummary(
    _ document: InheritDocument, to page: TextPage
  ) throws(OutputError) {
    let forecast = document.forecast
    let kernel = forecast.crashKernel
    try page.field("dump", "\(document.dump.file) (\(document.dump.format))")
    try page.field("crashed kernel", document.dump.release ?? "unknown release")
    var code = "copies tables as \(kernel.variant.rawValue) (\(meaning(kernel.variant))), "
    code += kernel.variantFrom == "types" ? "by the crashed kernel's types" : "as given"
    if kernel.isAmbiguous { code += "; v2b looks the same" }
    if kernel.strict { code += "; strict, without its quirks" }
    try page.field("crash kernel", code)
    if !kernel.commandLine.isEmpty { try page.field("command line", kernel.commandLine) }
    for effect in kernel.effects { try page.field("", "\(effect.word): \(effect.effect)") }
    if !kernel.notModelled.isEmpty {
      try page.field("", "not taken into account: " + page.list(kernel.notModelled))
    }
    try page.field(
      "its drivers", kernel.drivers.map { page.list($0) } ?? "those of the crashed kernel")
    if kernel.reservations.isEmpty {
      try page.field("reservation", "none known")
    }
    for reservation in kernel.reservations {
      try page.field(
        "reservation",
        "\(reservation.start)-\(reservation.end), \(Quantity.bytes(reservation.bytes)), "
          + reservation.kind.rawValue)
    }
    for gap in kernel.gaps { try page.field("not known", gap) }
    if !forecast.inherited.isEmpty {
      let by = forecast.inherited.contains { $0.by == "bitmap" } ? "copied_tables" : "bit 67"
      try page.field(
        "inherited",
        "this kernel was itself a crash kernel: \(Quantity.count(forecast.inherited.count, "context")) "
          + "still of the one before it (by \(by)): "
          + page.list(forecast.inherited.map { "\($0.device)" }))
    }
    if let observed = forecast.observed { try write(observed, to: page) }
  }

  private func writeChanged(_ changed: ChangedPages, to page: TextPage) throws(OutputError) {
    var text = "\(changed.pages) pages in \(Quantity.count(changed.ranges.count, "range"))"
    if !changed.anywhere.isEmpty {
      text += ", and any page by \(short(changed.anywhere.map(\.description)))"
    }
    try page.field("may be newer", "\(text): devices could write there after the panic")
  }

  /// A list that is cut early where two screens are all the room.
  private func short(_ items: [String]) -> String {
    guard isBrief, items.count > 4 else { return items.joined(separator: ", ") }
    return items.prefix(3).joined(separator: ", ") + " and \(items.count - 3) more"
  }

  /// An image of the whole machine holds the crash kernel too: what it really did.
  private func write(_ observed: ObservedTakeover, to page: TextPage) throws(OutputError) {
    try page.field(
      "second kernel",
      "a crash kernel, \(observed.release ?? "of unknown release"), is in this image as well"
        + (observed.units.isEmpty ? "; none of its units can be held against the forecast" : ""))
    for unit in observed.units {
      var text = "\(unit.unit): root table \(TextPage.text(unit.rootTable)), "
      text += "\(Quantity.count(unit.copied.count, "inherited context"))"
      if let by = unit.by { text += " (by its \(by))" }
      if !unit.replaced.isEmpty {
        text += ", replaced since: \(page.list(unit.replaced.map(\.description)))"
      }
      text +=
        unit.differences.isEmpty
        ? "; all \(unit.words) words are as forecast"
        : "; \(unit.differences.count) of \(unit.words) words are NOT as forecast"
      if let interrupts = unit.interrupts {
        text +=
          "; interrupt entries: \(interrupts.same) inherited, \(interrupts.different) "
          + "changed, \(interrupts.added) new"
      }
      try page.field("", text)
      for difference in unit.differences.prefix(page.shown(unit.differences.count)) {
        try page.field("", difference)
      }
    }
  }

  private func meaning(_ variant: CopyVariant) -> String {
    switch variant {
    case .v0: "not at all"
    case .v1: "bit 67 marks copied entries"
    case .v2a: "a bitmap marks copied entries; buses with only an upper table are misplaced"
    case .v2b: "a bitmap marks copied entries"
    }
  }

  private func writeComparison(_ forecast: Forecast, to page: TextPage) throws(OutputError) {
    let rows = forecast.policies
    try page.table(
      [
        .left("policy"), .left("verdict"), .right("unsafe"), .right("risky"), .right("safe"),
        .right("crash memory open"), .right("tables"), .left("dump stable"), .left("units"),
      ], count: rows.count, what: "policies"
    ) { index in
      let row = rows[index]
      func count(_ verdict: Verdict) -> String {
        String(row.devices.count { $0.verdict == verdict })
      }
      let crash = row.devices.map(\.exposure.crash).max()
      let outcomes = Set(row.units.map(\.outcome.rawValue)).sorted().joined(separator: ", ")
      return [
        row.policy.rawValue, row.verdict.rawValue, count(.unsafe), count(.risky), count(.safe),
        crash.map { Quantity.iec($0) ?? "\($0)" } ?? "not known",
        Quantity.iec(row.memory.bytes) ?? "\(row.memory.bytes)",
        row.dumpStable ? "yes" : "no", outcomes,
      ]
    }
    try page.paragraph(
      "crash memory open: how much of the crash kernel's memory some device could write at some "
        + "moment. dump stable: no device can change memory while the dump is saved.", indent: 2,
      style: .cyan)
    let recommendation = forecast.recommendation
    let others = recommendation.notWeighed.map(\.rawValue)
    if !others.isEmpty {
      try page.paragraph(
        "\(others.joined(separator: " and ")): not weighed, because no type of this kernel says that "
          + "it can do \(others.count == 1 ? "it" : "them").", indent: 2, hanging: 2)
    }
    guard let best = recommendation.policy else {
      for reason in recommendation.reasons {
        try page.paragraph("- " + reason, indent: 2, hanging: 2)
      }
      return
    }
    let verdict = rows.first { $0.policy == best }?.verdict
    var text = "\(best.rawValue) leaves least open"
    if verdict != .safe { text += ", and is \(verdict?.rawValue ?? "not safe") all the same" }
    if recommendation.available != best {
      text +=
        ". No released kernel does it"
        + (recommendation.available.map { "; of what kernels do, \($0.rawValue) leaves least open" }
          ?? "")
    }
    try page.paragraph(text + ".", indent: 2, hanging: 2)
    if isBrief {
      try page.paragraph(
        "--policy NAME shows one of them in full, --policy all or --limit 0 everything", indent: 2,
        style: .cyan)
    }
  }

  // MARK: One policy

  private func write(_ policy: PolicyForecast, to page: TextPage) throws(OutputError) {
    for reason in policy.reasons.prefix(page.shown(policy.reasons.count)) {
      try page.paragraph("- " + reason, indent: 2, hanging: 2)
    }
    try page.cut(policy.reasons.count, "reasons", indent: 2)
    let units = isBrief ? min(policy.units.count, 2) : page.shown(policy.units.count)
    for unit in policy.units.prefix(units) {
      try page.blank()
      try write(unit, to: page)
    }
    if policy.units.count > units {
      try page.paragraph(
        "... \(policy.units.count - units) more of \(policy.units.count) units; --policy "
          + "\(policy.policy.rawValue) or --limit 0 shows all", indent: 2, style: .cyan)
    }
    guard !policy.devices.isEmpty else { return }
    try page.blank()
    try page.paragraph("What old transfers of each device meet at four moments:", indent: 2)
    try page.field("T1", "the crash kernel's IOMMU driver starts", indent: 4, labelWidth: 4)
    try page.field("T2", "the new root pointer is in force", indent: 4, labelWidth: 4)
    try page.field(
      "T3", "a driver attaches the device; without one nothing happens then", indent: 4,
      labelWidth: 4)
    try page.field("T4", "the dump is being saved", indent: 4, labelWidth: 4)
    try page.table(
      [
        .left("device"), .left("driver"), .left("T1"), .left("T2"), .left("T3"), .left("T4"),
        .left("fault"), .left("verdict"),
      ], count: policy.devices.count, what: "devices"
    ) { index in
      let device = policy.devices[index]
      return [
        device.device.description, device.driver ?? TextPage.unknown,
        device.at.t1.rawValue, device.at.t2.rawValue, device.at.t3.rawValue, device.at.t4.rawValue,
        device.faultReason.all.compactMap { $0 }.first.map { fault($0) } ?? TextPage.unknown,
        device.verdict.rawValue,
      ]
    }
    try writeFates(policy, to: page)
    try page.blank()
    try writeReasons(policy, to: page)
    if !isBrief { try writeAddresses(policy, to: page) }
  }

  /// What the words in the table mean, of those that stand there.
  private func writeFates(_ policy: PolicyForecast, to page: TextPage) throws(OutputError) {
    let shown = policy.devices.prefix(page.shown(policy.devices.count))
    let met = Set(shown.flatMap(\.at.all))
    let words = Fate.allCases.filter(met.contains).map { "\($0.rawValue): \($0.meaning)" }
    try page.paragraph(words.joined(separator: " "), indent: 2, style: .cyan)
  }

  private func fault(_ code: Int) -> String {
    let digits = String(code, radix: 16)
    return (digits.count < 2 ? "0" : "") + digits + "h"
  }

  /// The devices' sentences, those that share one together.
  private func writeReasons(_ policy: PolicyForecast, to page: TextPage) throws(OutputError) {
    var order: [String] = []
    var devices: [String: [String]] = [:]
    for device in policy.devices {
      let sentence = "\(device.verdict.rawValue): \(device.reason)"
      if devices[sentence] == nil { order.append(sentence) }
      devices[sentence, default: []].append(device.device.description)
    }
    let count = isBrief ? min(order.count, 8) : page.shown(order.count)
    for sentence in order.prefix(count) {
      try page.paragraph(
        short(devices[sentence] ?? []) + ": " + sentence, indent: 2, hanging: 2)
    }
    if order.count > count {
      try page.paragraph(
        "... \(order.count - count) more of \(order.count) reasons; --policy "
          + "\(policy.policy.rawValue) or --limit 0 shows all", indent: 2, style: .cyan)
    }
  }

  private func writeAddresses(_ policy: PolicyForecast, to page: TextPage) throws(OutputError) {
    let rows = policy.devices.filter { $0.iova != nil }
    guard !rows.isEmpty else { return }
    try page.blank()
    try page.table(
      [
        .left("addresses"), .right("left"), .left("largest below 4 GiB"), .left("first given out"),
        .right("live there"),
      ], count: rows.count, what: "devices"
    ) { index in
      let iova = rows[index].iova
      func text(_ range: ForecastRange?) -> String {
        range.map { "\($0.start)-\($0.end)" } ?? "none"
      }
      return [
        rows[index].device.description, Quantity.iec(iova?.left ?? 0) ?? "0",
        text(iova?.largestBelow4GiB), text(iova?.firstHandedOut), String(iova?.stillLive ?? 0),
      ]
    }
  }

  private func write(_ unit: UnitForecast, to page: TextPage) throws(OutputError) {
    var title = "\(unit.unit): \(unit.outcome.rawValue)"
    if let reason = unit.reason { title += ", \(reason)" }
    try page.paragraph(title, indent: 2, hanging: 2, style: .bold)
    func field(_ label: String, _ value: String) throws(OutputError) {
      try page.field(label, value, indent: 4)
    }
    if let ambiguity = unit.ambiguity { try field("not decided", ambiguity) }
    if let new = unit.rootTable.new {
      let roots = unit.roots.count { $0.new != .exact(0) }
      let contexts = unit.contexts.count { $0.new != nil }
      try field(
        "root table",
        (unit.outcome == .adopted
          ? "\(new) stays in place; "
          : "\(TextPage.text(unit.rootTable.old)) becomes \(new) in new memory; ")
          + "\(Quantity.count(roots, "root entry", "root entries")), "
          + Quantity.count(contexts, "context")
          + (unit.pasids.isEmpty ? "" : ", " + Quantity.count(unit.pasids.count, "PASID")))
    }
    let ids = unit.domainIDs
    var text = page.list(Quantity.ranges(ids.reserved)) + " reserved, \(ids.remaining) left"
    text += ids.firstFree.map { ", the next one is \($0)" } ?? ", none is free"
    if !ids.lost.isEmpty { text += "; not reserved: " + page.list(Quantity.ranges(ids.lost)) }
    try field("domain-ids", text)
    switch unit.interruptRemapping.outcome {
    case .copied:
      try field("interrupts", "copied, \(unit.interruptRemapping.entries) present entries")
    case .empty: try field("interrupts", "an empty table")
    case .off: try field("interrupts", "not remapped")
    }
    if unit.memory.pages > 0 {
      try field(
        "new tables",
        "\(Quantity.bytes(unit.memory.bytes)): "
          + unit.memory.levels.map { "\($0.kind) \($0.pages)" }.joined(separator: ", "))
    }
    if let proof = unit.proof {
      try field(
        "proof",
        proof.identical
          ? "identical: \(proof.contexts) contexts, \(proof.spaces) address spaces, "
            + "\(proof.runs) runs, \(proof.leaves) leaves compared"
          : "NOT identical")
      for difference in proof.differences.prefix(page.shown(proof.differences.count)) {
        let device = difference.device.map { "\($0) " } ?? ""
        let place = difference.iova.map { "at \($0): " } ?? ""
        try field("", device + place + difference.what)
      }
    }
    for problem in unit.problems.prefix(page.shown(unit.problems.count)) {
      let device = problem.device.map { "\($0): " } ?? ""
      try field(problem.check, "\(device)\(problem.detail) (\(problem.outcome))")
    }
    try page.cut(unit.problems.count, "problems", indent: 4)
  }
}
