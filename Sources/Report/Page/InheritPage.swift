// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import Memory
public import RemappingState

/// What a crash kernel inherits, as a page.
public struct InheritPage {
  private let context: PageContext
  private let state: RemappingState?

  /// - Parameters:
  ///   - context: what is shown beside the document.
  ///   - state: of the crashed kernel, by which words are decoded and devices named.
  public init(context: PageContext = PageContext(), state: RemappingState? = nil) {
    self.context = context
    self.state = state
  }

  public func write(_ document: InheritDocument, to sink: any ByteSink) throws(OutputError) {
    let page = HTMLPage(sink, tables: context.tables)
    page.targets = PageTargets(context, devices: state?.devices ?? [])
    // Only to rows that are written for sure.
    let rows = document.forecast.policies.reduce(0) { $0 + 2 * $1.devices.count }
    for policy in document.forecast.policies where rows < 10_000 {
      let name = policy.policy.rawValue
      for (index, device) in policy.devices.enumerated() {
        page.targets.add(device: "\(device.device)", target: "\(name)-device-\(index)")
      }
      for (index, unit) in policy.units.enumerated() {
        page.targets.add(unit: unit.unit, target: "\(name)-unit-\(index)")
      }
    }
    let parts = InheritParts(page: page, forecast: document.forecast, state: state)
    var sections: [HTMLPage.Section] = [
      .init(id: "summary", title: "Will the crash kernel get through?", body: parts.summary),
      .init(id: "grid", title: "Devices under each policy", body: parts.grid),
    ]
    sections += document.forecast.policies.map { policy in
      .init(
        id: parts.id(of: policy.policy), title: parts.title(of: policy.policy),
        count: policy.verdict.rawValue, body: { parts.policy(policy) })
    }
    if document.forecast.liveUpdate != nil {
      sections.append(.init(id: "live", title: "The live update", body: parts.liveUpdate))
    }
    sections.append(.init(id: "kernel", title: "The crash kernel", body: parts.crashKernel))
    if let tables = TablePart(page: page, context: context).section { sections.append(tables) }
    let dump = document.dump
    try page.write(
      title: dump.file,
      subtitle: ["what a crash kernel inherits", dump.release, dump.panic].compactMap(\.self)
        .joined(separator: " \u{b7} "),
      tool: document.tool, schema: InheritDocument.outline.schema, sections: sections)
  }
}

struct InheritParts {
  let page: HTMLPage
  let forecast: Forecast
  let state: RemappingState?
  private var writer: HTMLWriter { page.writer }

  func id(of policy: Policy) -> StaticString {
    switch policy {
    case .linux: "policy-linux"
    case .fullCopy: "policy-full-copy"
    case .isolate: "policy-isolate"
    case .disable: "policy-disable"
    case .reset: "policy-reset"
    case .adopt: "policy-adopt"
    case .liveUpdate: "policy-live-update"
    }
  }

  func title(of policy: Policy) -> StaticString {
    switch policy {
    case .linux: "linux"
    case .fullCopy: "full-copy"
    case .isolate: "isolate"
    case .disable: "disable"
    case .reset: "reset"
    case .adopt: "adopt"
    case .liveUpdate: "live-update"
    }
  }

  func summary() {
    let outlook = forecast.outlook
    writer.open("p")
    page.tag(outlook.answer.rawValue, kind: outlook.answer.rawValue)
    writer.text(" A crash kernel that does what Linux does: \(outlook.answer.meaning)")
    writer.close("p")
    page.cards {
      for policy in forecast.policies {
        page.card(
          policy.verdict.rawValue, policy.policy.rawValue, kind: kind(of: policy.verdict),
          to: "\(id(of: policy.policy))")
      }
    }
    if !outlook.concerns.isEmpty {
      writer.element("h3", "What speaks against it")
      page.rows(
        outlook.concerns, "concerns", prefix: "concerns",
        columns: ["weight", "kind", "unit", "text", "devices"])
    }
    func drivers(_ title: String, _ rows: [Outlook.Driver], _ prefix: String) {
      guard !rows.isEmpty else { return }
      writer.element("h3", title)
      page.rows(rows, "drivers", prefix: prefix, columns: ["driver", "devices", "reason"])
    }
    drivers("A dump can be written through", outlook.writers, "writers")
    drivers("To leave out of its initramfs", outlook.leaveOut, "leave-out")
    if !outlook.add.isEmpty {
      writer.element("h3", "Words that belong on its command line")
      page.rows(outlook.add, "words", prefix: "add", columns: ["word", "reason"])
    }
    if !outlook.never.isEmpty {
      writer.element("h3", "Words that never belong there")
      page.rows(outlook.never, "words", prefix: "never", columns: ["word", "reason"])
    }
    writer.element("h3", "Recommendation")
    page.list(ShownField.fields(of: forecast.recommendation))
  }

  private func kind(of verdict: Verdict) -> String {
    switch verdict {
    case .safe: "ok"
    case .risky: "warning"
    case .unsafe: "error"
    }
  }

  /// One row a device, four moments a policy: what its old transfers meet.
  func grid() {
    page.paragraph(
      "What a device's old transfers meet at T1 (start-up of the driver), T2 (the new root pointer),"
        + " T3 (a driver attaches the device) and T4 (while the dump is saved).")
    writer.open("ul", [("class", "legend")])
    for fate in Fate.allCases {
      writer.open("li", [("class", "fate")])
      mark(fate, reason: nil)
      writer.text(" \(fate.rawValue): \(fate.meaning)")
      writer.close("li")
    }
    writer.close("ul")
    for policy in forecast.policies {
      writer.open("h3")
      writer.link(policy.policy.rawValue, to: "\(id(of: policy.policy))")
      writer.text(" ")
      page.tag(policy.verdict.rawValue, kind: policy.verdict.rawValue)
      writer.close("h3")
      let columns: [HTMLPage.Column] =
        [.init(title: "device"), .init(title: "driver")]
        + ["T1", "T2", "T3", "T4"].map { .init(title: $0) }
        + [
          .init(title: "can write into", isNumeric: true), .init(title: "verdict"),
          .init(title: "why"),
        ]
      let name = policy.policy.rawValue
      page.table(
        "devices under \(name)", columns, count: policy.devices.count,
        prefix: "\(name)-device"
      ) { index in
        let device = policy.devices[index]
        page.cell(.text("\(device.device)"), of: "device")
        page.cell(device.driver ?? "-")
        for (fate, reason) in zip(device.at.all, device.faultReason.all) {
          writer.element("td", [("class", "fate")]) { mark(fate, reason: reason) }
        }
        page.cell(bytes: device.exposure.memory)
        writer.element("td") { page.tag(device.verdict.rawValue, kind: device.verdict.rawValue) }
        page.cell(.text(device.reason), of: "reason")
      }
    }
  }

  private func mark(_ fate: Fate, reason: Int?) {
    let symbol =
      switch fate {
      case .translated: "\u{2192}"
      case .remapped: "\u{21c4}"
      case .blocked: "\u{2715}"
      case .physical: "!"
      case .passThrough: "="
      case .silent: "\u{b7}"
      }
    let words =
      "\(fate.rawValue)" + (reason.map { ", fault reason 0x" + String($0, radix: 16) } ?? "")
    writer.element("span", [("class", "f \(fate.rawValue)"), ("title", words)]) {
      writer.element("span", [("aria-hidden", "true")], symbol + " ")
      writer.text(fate.rawValue)
      if let reason { writer.text(" 0x" + String(reason, radix: 16)) }
    }
  }

  func policy(_ policy: PolicyForecast) {
    page.paragraph("\(policy.policy.meaning)")
    for reason in policy.reasons { page.paragraph(reason) }
    let name = policy.policy.rawValue
    page.rows(
      policy.units, "units", prefix: "\(name)-unit",
      columns: ["unit", "outcome", "reason", "problems"]
    ) { index in
      let unit = policy.units[index]
      guard let mode = state?.units.first(where: { $0.name == unit.unit })?.tableMode else {
        return
      }
      ForecastWordsPart(page: page, unit: unit, mode: mode, prefix: "\(name)-words-\(index)")
        .write()
    }
    page.rows(
      policy.devices, "devices", prefix: "\(name)-row",
      columns: ["device", "driver", "attaches", "inFlight", "verdict", "firmwareRegions", "reason"])
    writer.open("details")
    writer.element("summary", "Memory of the new tables, and what changes while the dump is saved")
    page.list(
      ShownField.fields(of: policy).filter {
        ["memory", "dumpStable", "changing"].contains("\($0.name)")
      })
    writer.close("details")
  }

  func liveUpdate() {
    guard let update = forecast.liveUpdate else { return }
    page.list(ShownField.fields(of: update))
  }

  func crashKernel() {
    page.list(ShownField.fields(of: forecast.crashKernel))
    if let observed = forecast.observed {
      writer.element("h3", "What a crash kernel has really done")
      page.list(ShownField.fields(of: observed))
    }
    writer.element("h3", "Pages that may have changed after the panic")
    page.list(ShownField.fields(of: forecast.changedAfterPanic))
  }
}
