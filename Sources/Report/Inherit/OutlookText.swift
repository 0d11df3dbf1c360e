// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory

/// The answer that `inherit` begins with: does a dump get written, and what helps.
struct OutlookText {
  let page: TextPage

  func write(_ outlook: Outlook) throws(OutputError) {
    try page.paragraph(
      "Will the crash kernel get through? \(Self.word(outlook))",
      style: outlook.answer == .probably ? .bold : outlook.answer == .no ? .red : .yellow)
    if outlook.usesCommandLine == false {
      try page.paragraph("Do not use this command line.", indent: 2, style: .red)
    }
    if outlook.concerns.isEmpty {
      try page.paragraph("- nothing that was looked at speaks against it", indent: 2, hanging: 2)
    }
    for concern in outlook.concerns.prefix(page.shown(outlook.concerns.count)) {
      let devices = Self.names(concern.devices)
      try page.paragraph(
        "- " + (devices.isEmpty ? "" : devices + ": ") + concern.text
          + (concern.weight == .note ? "" : " (\(concern.weight.rawValue))"),
        indent: 2, hanging: 2, style: concern.weight == .note ? .plain : .yellow)
    }
    try page.cut(outlook.concerns.count, "concerns", indent: 2)
    try page.blank()
    try page.heading("What to do")
    if !outlook.writers.isEmpty {
      try page.field(
        "load",
        "only the driver that the dump goes through: "
          + outlook.writers.map { "\($0.driver) (\(Self.names($0.devices)))" }
          .joined(separator: outlook.writers.count == 2 ? " or " : ", "))
    }
    for driver in outlook.leaveOut.prefix(page.shown(outlook.leaveOut.count)) {
      try page.field(
        "leave out", "\(driver.driver) (\(Self.names(driver.devices))): \(driver.reason)")
    }
    try page.cut(outlook.leaveOut.count, "drivers", indent: 2)
    try words("add", outlook.add)
    try words("never use", outlook.never)
    try writePlaces(outlook)
    if outlook.writers.isEmpty, outlook.leaveOut.isEmpty, outlook.add.isEmpty, outlook.never.isEmpty
    {
      try page.paragraph("nothing: no driver and no word makes a difference", indent: 2)
    }
  }

  /// Where distributions keep the words of the crash kernel, and how a driver is kept out of it.
  ///
  /// Source: kdump-utils' kdump.conf(5) and kdump.sysconfig, kdump-tools' kdump-tools.default;
  /// Documentation/admin-guide/kernel-parameters.txt, `module_blacklist`.
  private func writePlaces(_ outlook: Outlook) throws(OutputError) {
    if !outlook.add.isEmpty || !outlook.never.isEmpty || !outlook.leaveOut.isEmpty {
      try page.field(
        "where",
        "words of its command line: KDUMP_COMMANDLINE_APPEND in /etc/sysconfig/kdump, or "
          + "KDUMP_CMDLINE_APPEND in /etc/default/kdump-tools")
    }
    guard !outlook.leaveOut.isEmpty else { return }
    let names = outlook.leaveOut.prefix(page.shown(outlook.leaveOut.count)).map(\.driver)
    try page.field(
      "",
      "drivers to leave out: the word module_blacklist=\(names.joined(separator: ",")) there, or "
        + "dracut_args --omit-drivers in /etc/kdump.conf")
  }

  private static func word(_ outlook: Outlook) -> String {
    switch outlook.answer {
    case .probably where outlook.concerns.contains { $0.kind == .passThroughAssumed }:
      "Probably, if its command line has iommu=pt."
    case .probably: "Probably."
    case .doubtful: "Doubtful."
    case .no: "No."
    }
  }

  /// Words with one reason stand together.
  private func words(_ label: String, _ words: [Outlook.Word]) throws(OutputError) {
    var rest = words[...]
    while let first = rest.first {
      let same = rest.prefix { $0.reason == first.reason }
      try page.field(
        label, same.map(\.word).joined(separator: ", ") + ": " + first.reason)
      rest = rest.dropFirst(same.count)
    }
  }

  /// A few names, and how many more.
  private static func names(_ devices: [DeviceName]) -> String {
    let shown = devices.count > 4 ? 3 : devices.count
    let names = devices.prefix(shown).map(\.description).joined(separator: ", ")
    return devices.count > shown ? "\(names) and \(devices.count - shown) more" : names
  }
}
