// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import TableCopy
import VTd

extension WalkedSpaces {
  /// Takes what a state has of the spaces that the contexts of one unit lead to.
  ///
  /// - Parameters:
  ///   - domains: of the state, by their keys.
  ///   - reading: the contexts of the unit, from the memory that the state was read from.
  mutating func add(
    _ domains: [DomainKey: Domain], of unit: Unit, _ capabilities: UnitCapabilities,
    _ reading: TranslationTablesReading
  ) {
    // What counts as reserved is not known for a unit of which nothing is.
    guard unit.isHardwareKnown else { return }
    var spaces: [DomainKey: Set<AddressSpace>] = [:]
    for path in reading.paths {
      guard let space = path.addressSpace else { continue }
      let key = DomainKey(
        unit: unit.name, domainID: path.domainID.map(UInt32.init), table: path.table)
      spaces[key, default: []].insert(space)
    }
    for (key, spaces) in spaces {
      // A domain is walked once, whichever way its contexts see it.
      guard spaces.count == 1, let space = spaces.first, space.nesting == nil,
        let domain = domains[key], domain.stage == space.stage,
        domain.levels == space.root.levels, let mapping = domain.mapping, let walk = domain.walk,
        walk.reservedBits == 0, !walk.budgetExhausted
      else { continue }
      self[space, below: capabilities] = Space(
        leaves: mapping.leaves, runs: mapping.runs.count, bytes: mapping.bytes)
    }
  }
}
