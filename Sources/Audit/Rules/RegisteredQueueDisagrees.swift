// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The unit reads the invalidation queue that the kernel fills.
///
/// Source: `__dmar_enable_qi`; VT-d specification, section 11.4.9.12. Severity: error; no invalidation
/// reaches the unit.
struct RegisteredQueueDisagrees: AuditRule {
  static let id = "registers.queue"
  static let severity = Finding.Severity.error

  func check(_ state: RemappingState) -> [Finding] {
    UnitWithRegisters.all(in: state).compactMap { pair in
      guard pair.registers.status(bit: 26) == true, let queue = pair.registers.queue,
        let kernel = pair.unit.invalidationQueue, let believed = kernel.base,
        queue.base != believed || queue.descriptorSize != kernel.descriptorSize
      else { return nil }
      return finding(
        .other(queue, believed, kernel.descriptorSize), unit: pair.unit.name,
        evidence: [pair.evidence("IQA", 0x90)])
    }
  }
}

extension Finding.Message {
  fileprivate static func other(
    _ queue: UnitRegisters.Queue, _ believed: PhysicalAddress, _ size: Int
  ) -> Self {
    "the unit reads descriptors of \(queue.descriptorSize) bytes from a queue at \(queue.base), and"
      + " the kernel writes ones of \(size) bytes at \(believed)"
  }
}
