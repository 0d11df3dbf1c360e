// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What the audit says, the worst first, with the bytes it rests on.
struct FindingsText {
  private let findings: [Finding]
  private let dump: String

  /// - Parameter dump: for the command that decodes evidence.
  init(_ findings: [Finding], dump: String) {
    self.dump = dump
    self.findings = Finding.Severity.allCases.flatMap { severity in
      findings.filter { $0.severity == severity }
    }
  }

  func write(to page: TextPage) throws(OutputError) {
    if findings.isEmpty { try page.paragraph("none", indent: 2) }
    for finding in findings.prefix(page.shown(findings.count)) {
      var place = [finding.rule]
      if let unit = finding.unit { place.append(unit) }
      if let device = finding.device { place.append("\(device)") }
      try page.field(
        finding.severity.rawValue, place.joined(separator: ", "), labelWidth: 9,
        labelStyle: finding.severity.style)
      try page.paragraph(finding.message, indent: 11)
      for evidence in finding.evidence.prefix(page.shown(finding.evidence.count)) {
        var text = evidence.what
        if let address = evidence.address { text += " at \(address)" }
        if !evidence.words.isEmpty {
          text += ": " + evidence.words.map(\.description).joined(separator: " ")
        }
        try page.paragraph(text, indent: 11, hanging: 2, style: .cyan)
      }
      try page.cut(finding.evidence.count, "pieces of evidence", indent: 11)
    }
    try page.cut(findings.count, "findings", indent: 2)
    // Kernel addresses are beyond every physical one.
    let isInTables = findings.contains { finding in
      finding.evidence.contains { ($0.address?.rawValue ?? .max) >> 52 == 0 }
    }
    if isInTables { try page.decoding(dump) }
  }
}
