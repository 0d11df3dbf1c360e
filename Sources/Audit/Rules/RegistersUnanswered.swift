// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A unit whose registers were read answers.
///
/// Source: VT-d specification, section 11.4: no unit has all bits of CAP set; a read that nothing
/// answers ends so on PCI Express. Severity: error; the unit has lost its power or its link, or its
/// registers are not where firmware says.
struct RegistersUnanswered: AuditRule {
  static let id = "registers.unanswered"
  static let severity = Finding.Severity.error

  func check(_ state: RemappingState) -> [Finding] {
    (state.registers ?? []).compactMap { registers in
      registers.isAnswered || registers.words.isEmpty
        ? nil : finding(.unanswered, unit: registers.unit)
    }
  }
}

/// A unit and its registers, which were read while the kernel of the dump was in charge.
struct UnitWithRegisters {
  let unit: Unit
  let registers: UnitRegisters

  static func all(in state: RemappingState) -> [UnitWithRegisters] {
    (state.registers ?? []).compactMap { registers in
      guard registers.isAnswered,
        let unit = state.units.first(where: { $0.name == registers.unit }),
        // A unit that is only known from these registers cannot contradict them.
        unit.kernelObject != nil, !state.isOfCrashKernel(registers)
      else { return nil }
      return UnitWithRegisters(unit: unit, registers: registers)
    }
  }

  /// The registers that a finding is about.
  func evidence(_ what: String, _ offsets: UInt64...) -> Evidence {
    Evidence(
      what: what, address: nil,
      words: registers.words.filter { offsets.contains($0.offset.rawValue) }.map(\.value))
  }
}

extension RemappingState {
  /// Whether registers point into what is set aside for the crash kernel, which then had set them up.
  func isOfCrashKernel(_ registers: UnitRegisters) -> Bool {
    let places = [registers.rootTable, registers.interruptTable, registers.queue?.base]
    return places.compactMap(\.self).contains { place in
      memoryMap.contains {
        $0.kind == .crashKernel && ($0.start...$0.end).contains(place)
      }
    }
  }
}

extension Finding.Message {
  fileprivate static let unanswered: Self =
    "the unit's registers read as all ones: it does not answer"
}
