// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
public import VTd

extension TableInventory {
  /// Takes the pages of one unit: root, contexts, PASID tables and page tables.
  ///
  /// Of nested spaces those of the second stage, which alone are at host-physical addresses.
  ///
  /// - Returns: the contexts that lead to them.
  @discardableResult
  public mutating func add(
    _ unit: TranslationTables, of name: String, budget: CopyBudget
  ) -> TranslationTablesReading {
    let reading = unit.read(budget)
    add(reading, below: unit.rootTable, unit.mode, of: name)
    var spaces: Set<AddressSpace> = []
    for path in reading.paths {
      guard let space = path.addressSpace, spaces.insert(space).inserted else { continue }
      add(
        PageTableWalk(
          memory: unit.memory, space: space.hostTables, unit: unit.capabilities,
          budget: budget.walk, work: budget.work),
        of: TableOwner(unit: name, domainID: path.domainID.map(UInt32.init), kernelObject: nil))
    }
    return reading
  }
}
