// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import RemappingState
import VTd

/// Every page that holds a table of a remapping unit.
enum TableInventory {
  /// What each such page is, by frame.
  static func frames(_ evidence: DumpEvidence) -> [UInt64: String] {
    var frames: [UInt64: String] = [:]
    func add(_ address: PhysicalAddress, _ what: String) {
      if frames[address.frame] == nil { frames[address.frame] = what }
    }
    var seen: Set<AddressSpace> = []
    for unit in evidence.state.units {
      if let queue = unit.invalidationQueue, let base = queue.base {
        for page
          in 0..<max(1, (min(queue.entries, 4096) * min(queue.descriptorSize, 64) + 4095) / 4096)
        {
          add(
            PhysicalAddress(base.rawValue &+ UInt64(page) << 12),
            "\(unit.name) invalidation queue")
        }
      }
      if let remapping = unit.interruptRemapping, let base = remapping.table {
        for page in 0..<(max(0, min(remapping.entries, 65536)) * 16 + 4095) / 4096 {
          add(
            PhysicalAddress(base.rawValue &+ UInt64(page) << 12),
            "\(unit.name) interrupt remapping table")
        }
      }
      guard let tables = evidence.tables(of: unit) else { continue }
      add(tables.rootTable, "\(unit.name) root table")
      let reading = tables.read()
      if let part = reading.exhausted {
        evidence.work.cut(part.work, "the search for context tables", unit: unit.name)
      }
      for root in reading.roots { add(root.contextTable, "\(unit.name) context table") }
      for entry in reading.directoryEntries {
        add(entry.directory, "\(unit.name) PASID directory")
        add(entry.entry, "\(unit.name) PASID directory")
        add(PhysicalAddress(entry.word & ~0xfff), "\(unit.name) PASID table")
      }
      for path in reading.paths {
        guard let walk = evidence.walk(path, unit: unit), seen.insert(walk.space).inserted else {
          continue
        }
        var collector = LevelCollector()
        let statistics = walk.run(&collector)
        let owner = path.domainID.map { "domain-id \($0)" } ?? "no domain-id"
        evidence.work.note(statistics, "the search for tables of \(owner)", unit: unit.name)
        for (frame, level) in collector.levels {
          add(PhysicalAddress(frame << 12), "\(unit.name) page table, level \(level), \(owner)")
        }
      }
    }
    return frames
  }
}

/// Keeps the pages of the tables that a walk enters.
private struct LevelCollector: PagingVisitor {
  var levels: [UInt64: Int] = [:]

  mutating func enter(_ table: PagingTable) -> WalkDecision {
    levels[table.address.frame] = table.level
    return .enter
  }
}
