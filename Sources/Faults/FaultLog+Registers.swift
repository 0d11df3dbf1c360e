// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import RemappingState
internal import VTd

extension FaultLog {
  /// Adds what a unit's own registers tell: requests that it refused and nobody has read out of it yet,
  /// and the errors that it has to report.
  public mutating func add(_ registers: UnitRegisters) {
    let name = registers.unit ?? "a unit that is not known here"
    guard registers.isAnswered else {
      units.append(
        UnitRecord(
          message: .status(.max), unit: registers.unit, text: "registers of \(name): all bits set"))
      return
    }
    for (index, record) in registers.faultRecords.enumerated() {
      let reason = FaultReason(UInt8(truncatingIfNeeded: record.reason.rawValue))
      let isInterrupt = reason.isInterruptRemapping
      let word = record.address.rawValue
      records.append(
        FaultRecord(
          fault: FaultLine(
            kind: isInterrupt ? .interrupt : record.isWrite ? .write : .read,
            device: record.device, pasid: record.pasid, value: isInterrupt ? word >> 48 : word,
            reason: reason, namesSegment: registers.unit != nil),
          text: "fault record \(index) of \(name), which nobody had read yet"))
    }
    guard let status = registers.faultStatus, status.rawValue != 0 else { return }
    let word = UInt32(truncatingIfNeeded: status.rawValue)
    units.append(
      UnitRecord(
        message: .status(word), unit: registers.unit,
        text: "fault status register of \(name): \(status)"))
    // Section 11.4.9.13: IQEI in bits 3:0, ITESID in 47:32, ICESID in 63:48.
    let detail = registers.queueError?.rawValue
    let errors: [(bit: UInt32, error: UnitMessage.InvalidationError, detail: UInt64?)] = [
      (4, .queue, detail.map { $0 & 0xf }), (5, .completion, detail.map { $0 >> 48 }),
      (6, .timeOut, detail.map { $0 >> 32 & 0xffff }),
    ]
    for row in errors where word >> row.bit & 1 != 0 {
      units.append(
        UnitRecord(
          message: .invalidationError(row.error, detail: row.detail), unit: registers.unit,
          text: "invalidation error in the registers of \(name)"
            + (detail.map { ": record \($0.hexadecimal)" } ?? "")))
    }
  }
}
