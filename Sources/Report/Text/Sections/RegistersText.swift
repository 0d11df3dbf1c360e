// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import VTd

/// What a unit's registers say, held against what the kernel believed of it.
struct RegistersText {
  let registers: UnitRegisters
  let unit: Unit?

  /// Lines of label and value.
  var fields: [(label: String, value: String)] {
    var result: [(String, String)] = []
    guard registers.isAnswered else {
      return [("registers read", "all bits set: the unit does not answer")]
    }
    if let root = registers.rootTable {
      let mode = registers.tableMode.map { "\($0.rawValue) mode" } ?? "all requests blocked"
      result.append(("RTADDR", "\(root), \(mode)\(comparison(root))"))
    }
    if let status = registers.globalStatus {
      let word = status.rawValue
      result.append(
        (
          "GSTS",
          "\(status): translation \(word >> 31 & 1 != 0 ? "on" : "off"), interrupt remapping "
            + (word >> 25 & 1 != 0 ? "on" : "off")
        ))
    }
    if let status = registers.faultStatus {
      let words = FaultStatus(UInt32(truncatingIfNeeded: status.rawValue)).meanings
      result.append(("FSTS", words.isEmpty ? "\(status)" : "\(status): \(words)"))
    }
    if let table = registers.interruptTable, registers.status(bit: 25) == true {
      result.append(
        ("IRTA", "\(table), \(registers.interruptEntries.map(String.init) ?? "?") entries"))
    }
    if let queue = registers.queue, registers.status(bit: 26) == true {
      let state =
        queue.pending == 0
        ? "nothing waits" : "\(queue.pending) descriptors wait from slot \(queue.head) on"
      result.append(("IQA", "\(queue.base), \(queue.entries) slots: \(state)"))
    }
    for (index, record) in registers.faultRecords.enumerated() {
      let reason = FaultReason(UInt8(truncatingIfNeeded: record.reason.rawValue))
      let pasid = record.pasid.map { " with PASID \($0)" } ?? ""
      let request =
        reason.isInterruptRemapping
        ? "interrupt request, index \((record.address.rawValue >> 48).hexadecimal)"
        : "\(record.isWrite ? "write to" : "read of") \(record.address)\(pasid)"
      result.append(
        (
          "fault record \(index)",
          "\(record.device), \(request): reason \(record.reason), \(reason.meaning)"
        ))
    }
    return result
  }

  private func comparison(_ root: PhysicalAddress) -> String {
    guard let unit, let known = unit.rootTable else { return "" }
    return known == root
      ? "; the same as above"
      : "; not the root table above: another kernel had set it, or the "
        + "registers are of another moment"
  }
}

extension FaultStatus {
  /// What the bits that are set mean, without the index of a record.
  fileprivate var meanings: String {
    Self.layout.filter { field in
      field.bits.count == 1 && UInt64(rawValue)[bits: field.bits] != 0
    }.map(\.meaning).joined(separator: "; ")
  }
}
