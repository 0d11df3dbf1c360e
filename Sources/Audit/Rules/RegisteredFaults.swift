// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The unit has no refused request to report, and lost none.
///
/// Registers of any kernel count: what nobody has read out is still there.
///
/// Source: `dmar_fault`; VT-d specification, sections 11.4.9.1 and 11.4.9.5. Severity: error; the device
/// did not get what it asked for, and no log tells of it.
struct RegisteredFaults: AuditRule {
  static let id = "registers.faults"
  static let severity = Finding.Severity.error

  func check(_ state: RemappingState) -> [Finding] {
    (state.registers ?? []).flatMap { registers -> [Finding] in
      guard registers.isAnswered else { return [] }
      var findings = registers.faultRecords.map { record in
        finding(
          .pending(record), unit: registers.unit, device: .pci(record.device),
          evidence: [Evidence(what: "fault record", address: record.address)])
      }
      let status = registers.faultStatus?.rawValue ?? 0
      if status & 1 != 0 {
        findings.append(
          finding(
            .lost, severity: .warning, unit: registers.unit,
            evidence: [Evidence(what: "FSTS", words: [HexWord(status)])]))
      }
      return findings
    }
  }
}

extension Finding.Message {
  fileprivate static func pending(_ record: UnitRegisters.FaultRecord) -> Self {
    let isInterrupt = (0x20...0x2f).contains(record.reason.rawValue)
    let what =
      isInterrupt
      ? "an interrupt request (index \(HexWord(record.address.rawValue >> 48)))"
      : "a \(record.isWrite ? "write to" : "read of") \(record.address)"
    return
      "a fault record that nobody had read tells of \(what), reason \(record.reason); `iommuscope"
      + " faults --registers` explains it"
  }

  fileprivate static let lost: Self =
    "faults were lost: all fault records of the unit were in use"
}
