// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The unit fetches its invalidation queue.
///
/// Registers of any kernel count: an error stops the queue until somebody clears it.
///
/// Source: `qi_check_fault`; VT-d specification, sections 6.5.2.10 and 11.4.9.1. Severity: error; for
/// descriptors that are only waiting, info.
struct RegisteredQueueStopped: AuditRule {
  static let id = "registers.queue-stopped"
  static let severity = Finding.Severity.error

  private static let errors = [
    (4, "a descriptor was not understood, or could not be fetched (IQE)"),
    (5, "a completion came that nobody waited for (ICE)"),
    (6, "a device did not answer the invalidation of its TLB in time (ITE)"),
  ]

  func check(_ state: RemappingState) -> [Finding] {
    (state.registers ?? []).flatMap { registers -> [Finding] in
      guard registers.isAnswered else { return [] }
      let status = registers.faultStatus?.rawValue ?? 0
      var findings = Self.errors.filter { status >> UInt64($0.0) & 1 != 0 }.map {
        finding(
          .stopped($0.1), unit: registers.unit,
          evidence: [
            Evidence(what: "FSTS", words: [HexWord(status)]),
            Evidence(what: "IQERCD", words: registers.queueError.map { [$0] } ?? []),
          ])
      }
      if findings.isEmpty, let queue = registers.queue, queue.pending > 0,
        registers.status(bit: 26) == true
      {
        findings.append(
          finding(
            .waits(queue), severity: .info, unit: registers.unit,
            evidence: [Evidence(what: "IQA", address: HexWord(queue.base.rawValue))]))
      }
      return findings
    }
  }
}

extension Finding.Message {
  fileprivate static func stopped(_ error: String) -> Self {
    "the unit has stopped its invalidation queue: \(error); `iommuscope faults` explains it"
  }

  fileprivate static func waits(_ queue: UnitRegisters.Queue) -> Self {
    "the unit had not fetched \(queue.pending) descriptors of its invalidation queue, from slot"
      + " \(queue.head) on"
  }
}
