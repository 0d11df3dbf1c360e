// SPDX-License-Identifier: Apache-2.0

import RemappingState

/// The kernel log tells of no error of a unit or its driver beside refused requests.
///
/// Source: `qi_check_fault` and `dmar_fault`, drivers/iommu/intel/dmar.c; `prq_event_thread`;
/// `__domain_mapping`. Severity: error where a unit stopped or was not reached, warning where the
/// driver complains.
struct LoggedUnitErrors: AuditRule {
  static let id = "log.unit-errors"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .log]

  func check(_ state: RemappingState) -> [Finding] {
    (state.faults?.messages ?? []).map { row in
      finding(.told(row), severity: row.kind.severity)
    }
  }
}

extension Finding.Message {
  fileprivate static func told(_ row: FaultSummary.UnitTrouble) -> Self {
    let what =
      switch row.kind {
      case .queueError: "a unit could not read or understand its invalidation queue"
      case .completionError: "a unit got a completion that nobody waited for"
      case .timeOut: "a device did not answer the invalidation of its TLB"
      case .malfunction: "a unit did not answer a command in time"
      case .lockup: "a CPU hung while it waited for an invalidation queue"
      case .unreachable: "the registers of a unit read as all ones"
      case .alreadySet: "a mapping met an entry that was already set"
      case .pageRequest: "the driver refused or lost page requests"
      case .failure: "the driver says that something failed"
      case .firmware: "the driver complains of firmware's tables"
      }
    let times = row.count == 1 ? "once" : "\(row.count) times"
    return "the kernel log says \(times): \(what); `iommuscope faults` explains it"
  }
}
