// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

extension AddressRanges {
  /// What lies in regions of some kinds.
  ///
  /// - Parameter map: in any order, whoever wrote it.
  init(_ map: [MemoryRegion], _ kinds: Set<MemoryRegion.Kind>) {
    self.init(
      map.lazy.filter { kinds.contains($0.kind) && $0.start <= $0.end }
        .map { $0.start.rawValue...$0.end.rawValue })
  }
}

/// How many ranges of an allocator are in a state, and their bytes.
struct IOVASize {
  var count = 0
  /// Saturates instead of wrapping.
  var bytes: UInt64 = 0

  init(_ space: IOVASpace, _ state: IOVARange.State) {
    for range in space.allocated where range.state == state {
      count += 1
      guard let distance = range.end.distance(from: range.start) else { continue }
      let (sum, overflow) = bytes.addingReportingOverflow(distance)
      bytes = overflow || sum == .max ? .max : sum + 1
    }
  }
}

extension RemappingState {
  /// Devices whose entries still are a previous kernel's, by unit.
  var copiedContexts: [String: Set<DeviceName>] {
    Dictionary(
      units.map { ($0.name, Set($0.copiedContexts)) }, uniquingKeysWith: { $0.union($1) })
  }

  /// Names of the units that translate, as far as is known, and have tables to do it with.
  var activeUnits: Set<String> {
    Set(units.filter { $0.translationEnabled != false && $0.rootTable != nil }.map(\.name))
  }

  func unit(_ name: String?) -> Unit? { units.first { $0.name == name } }

  /// Each allocator once, with the first row of its domain.
  var allocators: [(domain: Domain, space: IOVASpace)] {
    var seen: Set<KernelAddress> = []
    return domains.compactMap { domain in
      guard let space = domain.iova else { return nil }
      if let object = domain.kernelObject, !seen.insert(object).inserted { return nil }
      return (domain, space)
    }
  }

  /// Whether parts of the allocators' caches, queues or trees could not be read.
  var lacksAllocatorParts: Bool { observations.lack(\.isPartOfAllocators) }

  /// Drivers of a domain's devices, each once.
  func drivers(of domain: Domain) -> [String] {
    let names = Set(domain.devices)
    var drivers: [String] = []
    for device in devices where names.contains(device.device) {
      if let driver = device.driver, !drivers.contains(driver) { drivers.append(driver) }
    }
    return drivers
  }
}

extension Observation {
  /// Whether a root, context or PASID structure was being read.
  var isContextStructure: Bool { structure.isContextStructure }

  /// Whether this is about the kernel's copy of the firmware's DMAR table.
  var isFirmwareStructure: Bool { kind == .malformed && structure.kernelStructure == .firmwareUnit }

  var evidence: Evidence {
    Evidence(what: subject, address: address, words: word.map { [$0] } ?? [])
  }
}
