// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// A part of a state without which some rules can find nothing.
public enum AuditNeed: Hashable, Sendable, CaseIterable {
  /// What the kernel believed.
  case kernel
  /// Every device that the kernel knows, with all numbers under which its requests arrive.
  case devices
  /// Which domain each device and PASID is attached to, by the kernel.
  case attachments
  /// Every root, context and PASID table of the units.
  case contexts
  /// Every table of the address spaces.
  case pageTables
  /// The kernel's allocators of I/O virtual addresses, with their caches and queues.
  case allocators
  /// What is kept out of these allocators: windows of host bridges, regions of devices.
  case reservedRanges
  /// Every region that firmware reserves, with its devices.
  case firmwareRegions
  /// Which domain-ids the kernel marks as taken.
  case domainIDs
  /// What lies where in physical memory.
  case memoryMap
  /// Where in memory the kernel's code is.
  case kernelText
  /// The descriptors of the mapped pages, `struct page`.
  case pageDescriptors
  case interruptTables
  case invalidationQueues
  /// The kernel's log.
  case log
}

extension RemappingState {
  /// Why a state does not have what some rules look at, as a sentence without full stop; `nil` where
  /// it has.
  func reasonForLack(of need: AuditNeed) -> String? {
    switch need {
    case .kernel:
      if let reason = reasonForLackOfKernel { return reason }
      return cuts.contains { $0.what == .objects }
        ? "the kernel's structures were not read to their end, the run's limit was reached" : nil
    case .devices:
      return devicesAreComplete ? nil : "not all devices of the kernel could be read"
    case .attachments:
      return attachmentsAreComplete
        ? nil : "not every device's attachment to its domain could be read"
    case .contexts:
      if let reasonOfOtherUnits { return reasonOfOtherUnits }
      guard !units.isEmpty || hasNoUnit else { return "no remapping unit is known" }
      let names = units.map(\.name).filter { !contextsAreComplete(on: $0) }
      return names.isEmpty
        ? nil : "not all context tables of \(Self.listed(names)) could be read"
    case .pageTables:
      let lost = domains.filter {
        ($0.walk?.unreadable ?? 0) > 0 || $0.walk?.budgetExhausted == true
      }
      return lost.isEmpty
        ? nil : "not all tables of \(Self.listed(lost.map(\.name))) could be read"
    case .allocators:
      if lacksAllocatorParts { return "parts of the kernel's IOVA allocators could not be read" }
      let isBare = domains.contains(where: \.isDMA) && domains.allSatisfy { $0.iova == nil }
      return isBare ? "no IOVA allocator could be read" : nil
    case .reservedRanges:
      return reservedRangesAreComplete
        ? nil : "not all ranges that are kept out of the IOVA allocators could be read"
    case .firmwareRegions:
      if firmwareRegionsAreComplete { return nil }
      return reasonForLackOfKernel
        ?? "not all reserved memory regions and their devices could be read: what is mapped onto itself "
        + "may be one of them"
    case .domainIDs:
      let names = units.filter { $0.domainIDs.used == nil }.map(\.name)
      return names.isEmpty
        ? nil : "which domain-ids of \(Self.listed(names)) are taken could not be read"
    case .memoryMap:
      return memoryMap.isEmpty
        ? "the kernel's map of memory (iomem_resource) could not be read" : nil
    case .kernelText:
      return memoryMap.contains { $0.kind == .kernelText }
        ? nil : "the map of memory does not say where the kernel's code is"
    case .pageDescriptors:
      let lost = observations.first { $0.structure == .structPage || $0.structure == .targets }
      return lost.map { "not all page descriptors were looked up: \($0.detail)" }
    case .interruptTables:
      let names = units.filter { ($0.interruptRemapping?.unreadablePages ?? 0) > 0 }.map(\.name)
      return names.isEmpty
        ? nil : "not all of the interrupt-remapping table of \(Self.listed(names)) could be read"
    case .invalidationQueues:
      let isLost = observations.contains {
        $0.kind == .unreadable
          && [.invalidation, .invalidationQueue, .invalidationStatus]
            .contains($0.structure.kernelStructure)
      }
      return isLost ? "an invalidation queue could not be read" : nil
    case .log:
      guard let faults else { return "the kernel's log was not read" }
      return faults.problem.map { "the kernel's log could not be read: \($0)" }
    }
  }

  private var reasonForLackOfKernel: String? {
    dump.typesFrom == nil ? "the kernel's structures could not be read" : nil
  }

  /// At most three names.
  private static func listed(_ names: [String]) -> String {
    let rest = names.count > 3 ? " and \(names.count - 3) more" : ""
    return names.prefix(3).joined(separator: ", ") + rest
  }
}
