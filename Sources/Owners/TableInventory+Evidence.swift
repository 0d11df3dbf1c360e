// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import RemappingState
import VTd

extension TableInventory {
  /// Every page that holds a table or a queue of the evidence's units.
  init(_ evidence: DumpEvidence) {
    self.init()
    var seen: Set<AddressSpace> = []
    for unit in evidence.state.units {
      if let queue = unit.invalidationQueue {
        let bytes = min(queue.entries, 4096) * min(queue.descriptorSize, 64)
        add(queue.base, pages: max(1, (bytes + 4095) / 4096), .invalidationQueue(unit: unit.name))
      }
      if let remapping = unit.interruptRemapping {
        let bytes = max(0, min(remapping.entries, 65536)) * 16
        add(remapping.table, pages: (bytes + 4095) / 4096, .interruptRemapping(unit: unit.name))
      }
      guard let tables = evidence.tables(of: unit) else { continue }
      let reading = tables.read()
      add(reading, below: tables.rootTable, tables.mode, of: unit.name)
      for path in reading.paths {
        guard let walk = evidence.walk(path, unit: unit), seen.insert(walk.space).inserted else {
          continue
        }
        let owner = TableOwner(
          unit: unit.name, domainID: path.domainID.map(UInt32.init), kernelObject: nil)
        add(walk, of: owner)
      }
    }
  }

  /// The page at a frame in a few words; `nil` where it is no table.
  func words(_ frame: UInt64) -> String? {
    page(frame).map { page in
      switch page {
      case .table(let structure, let unit): "\(unit) \(structure.rawValue)"
      case .interruptRemapping(let unit): "\(unit) interrupt remapping table"
      case .invalidationQueue(let unit): "\(unit) invalidation queue"
      case .pageTable(let level, let owner):
        "\(owner.unit ?? "") page table, level \(level), \(Self.name(of: owner))"
      }
    }
  }

  private static func name(of owner: TableOwner) -> String {
    owner.domainID.map { "domain-id \($0)" } ?? "no domain-id"
  }
}
