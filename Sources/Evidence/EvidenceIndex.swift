// SPDX-License-Identifier: Apache-2.0

import LinuxIOMMU
import Memory
import RemappingState

/// Where the rows of a state are that questions look up, so that thousands of questions do not pass
/// over all rows each.
///
/// Where two rows have one key, the first counts.
struct EvidenceIndex {
  let unitOfContext: [PCIFunction: String]
  /// Places in `state.devices`.
  let devices: [PCIFunction: Int]
  /// Places in `state.domains`.
  let domains: [DomainKey: Int]
  /// Places in the kernel's devices, by their own source ids and their aliases.
  let kernelDevices: [PCIFunction: Int]

  init(_ state: RemappingState, _ structures: LinuxIOMMU?) {
    unitOfContext = Dictionary(
      state.contexts.map { ($0.device, $0.unit) }, uniquingKeysWith: { first, _ in first })
    devices = Dictionary(
      state.devices.enumerated().compactMap { place, row in
        row.device.function.map { ($0, place) }
      }, uniquingKeysWith: { first, _ in first })
    domains = Dictionary(
      state.domains.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    let all = (structures?.devices ?? []).enumerated()
    kernelDevices = Dictionary(
      all.compactMap { place, device in device.name.function.map { ($0, place) } }
        + all.flatMap { place, device in device.aliases.map { ($0, place) } },
      uniquingKeysWith: { first, _ in first })
  }
}

/// The index of one state, made when it is first asked for.
final class LazyEvidenceIndex {
  private var made: EvidenceIndex?

  func index(of state: RemappingState, _ structures: LinuxIOMMU?) -> EvidenceIndex {
    if let made { return made }
    let index = EvidenceIndex(state, structures)
    made = index
    return index
  }
}
