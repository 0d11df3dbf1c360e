// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What the unit does is what the kernel's shadow of its command register says.
///
/// Translation, interrupt remapping and queued invalidation are compared: GSTS with
/// `intel_iommu.gcmd`.
///
/// Source: `iommu_enable_translation`, `iommu_enable_irq_remapping`, `__dmar_enable_qi`; VT-d
/// specification, sections 11.4.4 and 11.4.5. Severity: error; warning for what is on without the
/// kernel's knowledge.
struct RegisteredStatusDisagrees: AuditRule {
  static let id = "registers.status"
  static let severity = Finding.Severity.error

  private static let bits = [
    (31, "translation"), (25, "interrupt remapping"), (26, "queued invalidation"),
  ]

  func check(_ state: RemappingState) -> [Finding] {
    UnitWithRegisters.all(in: state).flatMap { pair -> [Finding] in
      guard let believed = pair.unit.globalCommand else { return [] }
      return Self.bits.compactMap { bit, name in
        let isBelieved = believed.rawValue >> UInt64(bit) & 1 != 0
        guard let isOn = pair.registers.status(bit: bit), isOn != isBelieved else { return nil }
        return finding(
          .differs(name, isOn), severity: isOn ? .warning : .error, unit: pair.unit.name,
          evidence: [
            pair.evidence("GCMD and GSTS", 0x18),
            Evidence(what: "intel_iommu.gcmd", words: [believed]),
          ])
      }
    }
  }
}

extension Finding.Message {
  fileprivate static func differs(_ name: String, _ isOn: Bool) -> Self {
    isOn
      ? "\(name) is on in the unit, and the kernel believes that it is off"
      : "\(name) is off in the unit, and the kernel believes that it is on"
  }
}
