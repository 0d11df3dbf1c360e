// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

extension TableInventory {
  /// One observation for each pair of domains that share tables.
  var observations: [Observation] {
    sharings.prefix(64).map { sharing in
      Observation(
        .sharedTable, unit: sharing.second.unit, domainID: sharing.second.domainID,
        structure: .sharedPageTable(level: sharing.levels.second),
        address: HexWord(sharing.address.rawValue),
        detail: "it is also a table of level \(sharing.levels.first) of "
          + sharing.first.description, count: sharing.count)
    }
  }
}
