// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Ranges of physical addresses of some kinds, for questions about what lies where.
struct PhysicalRanges {
  /// Ascending, disjoint and never adjacent; both ends inclusive.
  private var ranges: [ClosedRange<UInt64>] = []

  /// - Parameter map: in any order, whoever wrote it.
  init(_ map: [MemoryRegion], _ kinds: Set<MemoryRegion.Kind>) {
    self.init(
      map.filter { kinds.contains($0.kind) && $0.start <= $0.end }
        .map { $0.start.rawValue...$0.end.rawValue })
  }

  init(_ unsorted: [ClosedRange<UInt64>]) {
    for range in unsorted.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = ranges.last,
        range.lowerBound <= last.upperBound || range.lowerBound - last.upperBound == 1
      {
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        ranges.append(range)
      }
    }
  }

  var isEmpty: Bool { ranges.isEmpty }

  /// The first part of `start` to `end`, both inclusive, that lies in a range.
  func overlap(_ start: UInt64, _ end: UInt64) -> ClosedRange<UInt64>? {
    guard start <= end else { return nil }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < start { low = middle + 1 } else { high = middle }
    }
    guard low < ranges.count, ranges[low].lowerBound <= end else { return nil }
    return max(start, ranges[low].lowerBound)...min(end, ranges[low].upperBound)
  }

  func overlaps(_ start: UInt64, _ end: UInt64) -> Bool { overlap(start, end) != nil }

  /// Whether every byte lies in one range.
  func covers(_ start: UInt64, _ end: UInt64) -> Bool {
    overlap(start, end) == (start <= end ? start...end : nil)
  }

  func contains(_ address: PhysicalAddress) -> Bool {
    overlaps(address.rawValue, address.rawValue)
  }
}

/// What a domain maps of something that it should not.
struct MappedOverlap: CustomStringConvertible {
  var ranges = 0
  var isWritable = false
  var first: Run

  var description: String {
    let rest = ranges == 1 ? "" : " and \(ranges - 1) more ranges"
    let access = isWritable ? "writable" : "readable"
    return "IOVA \(first.iova) to physical \(first.physical)\(rest), \(access)"
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
  var lacksAllocatorParts: Bool {
    observations.contains { observation in
      [.unreadable, .malformed, .assumedZero, .budget].contains(observation.kind)
        && ["IOVA", "struct iova", "CPU"].contains { observation.subject.contains($0) }
    }
  }

  /// Drivers of a domain's devices, each once.
  func drivers(of domain: Domain) -> [String] {
    let names = Set(domain.devices)
    var drivers: [String] = []
    for device in devices where names.contains(device.device) {
      if let driver = device.driver, !drivers.contains(driver) { drivers.append(driver) }
    }
    return drivers
  }

  /// What is mapped for firmware, onto itself.
  var fixedRanges: PhysicalRanges {
    PhysicalRanges(
      reservedRegions.compactMap { region in
        guard region.kind == .rmrr || region.kind == .isa, region.base <= region.end else {
          return nil
        }
        return region.base.rawValue & ~0xfff...region.end.rawValue | 0xfff
      }
        // What an ISA bridge gets is fixed even where the bridge's own structure could not be read.
        + [0...0xff_ffff])
  }

  /// What domains of drivers and users map of regions of some kinds, one answer per domain.
  func mappings(of kinds: Set<MemoryRegion.Kind>) -> [(Domain, MappedOverlap)] {
    let ranges = PhysicalRanges(memoryMap, kinds)
    guard !ranges.isEmpty else { return [] }
    let fixed = fixedRanges
    return domains.compactMap { domain in
      guard [.dma, .dmaFQ, .unmanaged, .unknown].contains(domain.type) else { return nil }
      var overlap: MappedOverlap?
      for run in domain.mapping?.runs ?? []
      where ranges.overlaps(run.targets.lowerBound, run.targets.upperBound)
        && !run.isMapped(for: fixed)
      {
        var known = overlap ?? MappedOverlap(first: run)
        known.ranges += 1
        known.isWritable = known.isWritable || run.access != .read
        overlap = known
      }
      return overlap.map { (domain, $0) }
    }
  }
}

extension Run {
  /// First to last I/O virtual address, both inclusive.
  var sources: ClosedRange<UInt64> {
    iova.rawValue...max(iova.rawValue, iova.rawValue &+ length.rawValue &- 1)
  }

  /// Whether the run is mapped for firmware: onto itself, inside what is fixed.
  func isMapped(for fixed: PhysicalRanges) -> Bool {
    iova.rawValue == physical.rawValue && fixed.covers(sources.lowerBound, sources.upperBound)
  }

  /// First to last physical address, both inclusive.
  var targets: ClosedRange<UInt64> {
    physical.rawValue...max(physical.rawValue, physical.rawValue &+ length.rawValue &- 1)
  }
}

extension Domain {
  /// The device whose domain this is, if it is one's alone.
  var onlyDevice: DeviceName? { devices.count == 1 ? devices.first : nil }
}

extension Observation {
  /// Whether a root, context or PASID structure was being read.
  var isContextStructure: Bool {
    ["root", "context", "PASID"].contains { subject.contains($0) } && !isTranslationTable
  }

  /// Whether this is about the kernel's copy of the firmware's DMAR table.
  var isFirmwareStructure: Bool { kind == .malformed && subject == "DMAR unit structure" }

  var evidence: Evidence {
    Evidence(what: subject, address: address, words: word.map { [$0] } ?? [])
  }
}
