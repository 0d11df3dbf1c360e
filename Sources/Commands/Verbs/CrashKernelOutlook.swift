// SPDX-License-Identifier: Apache-2.0

import Evidence
import Faults
import Inheritance
import Memory
import TableCopy

/// What a crash kernel would see of each device, computed when it is first asked for.
final class CrashKernelOutlook {
  typealias Outlook = FaultExplanation.CrashKernelOutlook

  private let evidence: DumpEvidence
  private let kernel: KernelEvidence
  private let console: Console
  private var devices: [DeviceName: [Outlook]]?

  init(_ evidence: DumpEvidence, _ kernel: KernelEvidence, _ console: Console) {
    self.evidence = evidence
    self.kernel = kernel
    self.console = console
  }

  /// The device's requests at T1 to T4: where the tables are taken over, and where that fails.
  func outlooks(_ device: DeviceName) -> [Outlook] {
    let devices = self.devices ?? forecast()
    self.devices = devices
    return devices[device] ?? []
  }

  private func forecast() -> [DeviceName: [Outlook]] {
    console.progress("what a crash kernel would see")
    let forecaster = Forecaster(
      evidence.state, memory: evidence.memory,
      facts: MachineFacts(reading: kernel, of: evidence),
      budget: CopyBudget(evidence.work))
    var devices: [DeviceName: [Outlook]] = [:]
    for policy in [Policy.linux, .disable] {
      for row in forecaster.run(policy).forecast.devices {
        let moments = zip(row.at.all, row.faultReason.all).enumerated().map { index, pair in
          Outlook.Moment(
            name: "T\(index + 1)", fate: pair.0.rawValue,
            code: pair.1.flatMap { UInt8(exactly: $0) })
        }
        devices[row.device, default: []].append(
          Outlook(policy: policy.rawValue, moments: moments))
      }
    }
    return devices
  }
}
