// SPDX-License-Identifier: Apache-2.0

import Evidence
import LinuxIOMMU
import Memory
import RemappingState

/// What the reader of debugfs files looks up for each device, so that no join is quadratic.
///
/// Where two have one key, the first counts.
struct DebugfsIndex: Sendable {
  let firstOfGroup: [Int: Device]
  let contexts: [PCIFunction: [Context]]
  let kernelDevices: [PCIFunction: LinuxDevice]
  let kernelDomains: [KernelAddress: LinuxDomain]

  init(_ evidence: DumpEvidence) {
    let structures = evidence.kernel?.structures
    firstOfGroup = Dictionary(
      evidence.state.devices.compactMap { device in device.group.map { ($0, device) } },
      uniquingKeysWith: { first, _ in first })
    contexts = Dictionary(grouping: evidence.state.contexts, by: \.device)
    kernelDevices = Dictionary(
      (structures?.devices ?? []).compactMap { device in device.name.function.map { ($0, device) }
      },
      uniquingKeysWith: { first, _ in first })
    kernelDomains = Dictionary(
      (structures?.domains ?? []).map { ($0.kernelObject, $0) },
      uniquingKeysWith: { first, _ in first })
  }
}
