// SPDX-License-Identifier: Apache-2.0

import RemappingState

/// The kernel's structures can be read at all.
///
/// Source: `DumpSummary.typesFrom`. Severity: warning; only the hardware's half of the report is
/// there, and nothing can be compared.
struct KernelUnread: AuditRule {
  static let id = "dump.kernel-unread"
  static let severity = Finding.Severity.warning

  func check(_ state: RemappingState) -> [Finding] {
    state.dump.typesFrom == nil ? [finding(.unread)] : []
  }
}

extension Finding.Message {
  fileprivate static let unread: Self =
    "the kernel's structures could not be read, so nothing is known of devices, domains and"
    + " allocators; give the kernel's --vmlinux or --symbols"
}
