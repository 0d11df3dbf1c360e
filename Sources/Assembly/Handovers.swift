// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState

extension Assembler {
  /// What live updates hand over, each unit with the halves of its root table that hardware finds
  /// present, so that a rule can hold both against each other.
  func handovers(_ units: [Unit]) -> [Handover] {
    kernel.handovers.map { handover in
      var handover = handover
      for index in handover.units.indices {
        let base = handover.units[index].registerBase
        guard let unit = units.first(where: { $0.registerBase == base }) else { continue }
        handover.units[index].unit = unit.name
        guard let root = unit.rootTable, let page = try? memory.pageOrAssumedZero(root.frame).page
        else { continue }
        // The upper words are no pointers in legacy mode.
        handover.units[index].presentTables = (0..<512).filter { half in
          (half & 1 == 0 || unit.tableMode != .legacy) && page[word: half] & 1 != 0
        }
      }
      return handover
    }
  }
}
