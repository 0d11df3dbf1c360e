// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The kernel log tells of no request that a unit refused.
///
/// One finding for each source id, whatever it asked for; the first 16 one by one.
///
/// Source: `dmar_fault_do_one`, drivers/iommu/intel/dmar.c. Severity: error; the device did not get
/// what it asked for.
struct LoggedFaults: AuditRule {
  static let id = "log.faults"
  static let severity = Finding.Severity.error
  static let needs: Set<AuditNeed> = [.kernel, .log]

  private static let limit = 16

  func check(_ state: RemappingState) -> [Finding] {
    guard let faults = state.faults else { return [] }
    let known = Dictionary(
      state.devices.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
    // Requests may arrive under another id than the device's own.
    var sendersByAlias: [DeviceName: [Device]] = [:]
    for device in state.devices {
      for alias in device.aliases where alias != device.device {
        sendersByAlias[alias, default: []].append(device)
      }
    }
    var findings = faults.devices.prefix(Self.limit).map { row -> Finding in
      let name = DeviceName.pci(row.device)
      let senders = sendersByAlias[name] ?? []
      return finding(
        .refused(row, senders.map(\.device)), unit: (known[name] ?? senders.first)?.unit,
        device: name)
    }
    if faults.devices.count > Self.limit {
      findings.append(finding(.more(faults.devices.count - Self.limit)))
    }
    return findings
  }
}

extension Finding.Message {
  fileprivate static func refused(
    _ row: FaultSummary.DeviceFaults, _ senders: [DeviceName]
  ) -> Self {
    let kinds = [
      (row.reads, "read", "reads"), (row.writes, "write", "writes"),
      (row.interrupts, "interrupt", "interrupts"),
    ].filter { $0.0 > 0 }.map { "\($0.0) \($0.0 == 1 ? $0.1 : $0.2)" }
    let alias =
      senders.isEmpty
      ? ""
      : " (under which \(senders.prefix(3).map(\.description).joined(separator: ", "))"
        + " may send too)"
    return "the kernel log has refused requests of this source id\(alias): "
      + "\(kinds.joined(separator: ", ")); `iommuscope faults` explains them"
  }

  fileprivate static func more(_ count: Int) -> Self {
    "the kernel log has refused requests of \(count) more source ids; `iommuscope faults` explains"
      + " them"
  }
}
