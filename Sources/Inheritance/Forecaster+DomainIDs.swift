// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import TableCopy
import VTd

/// What a takeover leaves of the domain-ids and of the interrupts.
extension Forecaster {
  func domainIDs(_ unit: Unit, _ copy: UnitCopy, _ plan: PolicyPlan) -> DomainIDOutlook {
    let own = state.contexts.filter { $0.unit == unit.name }
    // 2^16 ids at most; a state that was read back may claim anything.
    let supported = min(max(0, unit.domainIDs.supported), 1 << 18)
    let first: UInt32 = traits.allocatesIDsFromTwo ? 2 : 0
    var reserved = traits.allocatesIDsFromTwo ? [] : traits.setAside
    // Id 1 stands for pass-through and first-stage translation in scalable mode, and kernels from
    // about 6.1 on set it aside in any mode: then it is taken without anybody using it.
    if !traits.allocatesIDsFromTwo, unit.domainIDs.used?.contains(1) == true,
      unit.tableMode == .scalable || !own.contains(where: { $0.domainID == 1 })
    {
      reserved.insert(1)
    }
    let ids = Set(own.compactMap(\.domainID)).filter { Int($0) < supported }
    switch plan.tables {
    case .contexts:
      reserved.formUnion(copy.domainIDs)
      if options.strict { reserved.formUnion(ids) }
    case .everything, .adopted: reserved.formUnion(ids)
    // Of the domains of preserved devices alone; what else the tables still lead to is lost.
    case .handedOver: reserved.formUnion(copy.domainIDs.filter { Int($0) < supported })
    case .blocked:
      let kept = Set(copy.copied)
      reserved.formUnion(
        own.filter { kept.contains($0.device.sourceID) }.compactMap(\.domainID).filter {
          Int($0) < supported
        })
    case .empty: break
    }
    let isCopied = copy.rootTable != nil && plan.tables != .blocked
    var live = ids
    if plan.tables == .handedOver {
      let left = Set(copy.copied)
      live.formIntersection(
        own.filter { left.contains($0.device.sourceID) }.compactMap(\.domainID))
    }
    let lost =
      isCopied ? live.subtracting(reserved).filter { $0 >= max(first, 1) }.sorted() : []
    let taken = reserved.filter { $0 >= first }
    var next = first
    while taken.contains(next) { next += 1 }
    return DomainIDOutlook(
      reserved: reserved.sorted(), remaining: max(0, supported - Int(first) - taken.count),
      firstFree: Int(next) < supported ? next : nil, lost: lost)
  }

  /// Source: drivers/iommu/intel/irq_remapping.c, `iommu_load_old_irte`.
  func interrupts(_ unit: Unit, _ plan: PolicyPlan) -> InterruptOutlook {
    guard unit.interruptRemappingEnabled == true, let table = unit.interruptRemapping,
      !options.commandLine.turnsInterruptRemappingOff, plan.tables != .empty
    else { return InterruptOutlook(outcome: .off, entries: 0) }
    // The tables of 2014 were not copied; Linux copies those of 65,536 entries, its only size. That
    // code is not the one that takes over tables for DMA, so it would do the same beside an adoption;
    // in a kernel that is no crash kernel it starts anew.
    guard plan.tables == .contexts || plan.tables == .adopted, traits.variant != .v0,
      table.entries == 65536
    else {
      return InterruptOutlook(outcome: .empty, entries: 0)
    }
    return InterruptOutlook(outcome: .copied, entries: table.present)
  }
}
