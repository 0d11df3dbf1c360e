// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
public import Memory
public import RemappingState

/// A way by which devices reach a piece of physical memory.
public struct Reach: Hashable, Sendable {
  public var unit: String
  /// Devices of the domain, and the PASID each one uses; ascending.
  public var devices: [Requester]
  public var domainID: UInt32?
  public var translation: Translation
  public var iova: IOVirtualAddress
  /// Inclusive.
  public var iovaEnd: IOVirtualAddress
  public var physical: PhysicalAddress
  /// Inclusive.
  public var physicalEnd: PhysicalAddress
  public var access: Access

  /// Who sends the requests.
  public struct Requester: Hashable, Sendable {
    public var device: PCIFunction
    public var pasid: UInt32?
    public var driver: String?
  }
}

/// Finds who can reach physical memory: an index over the runs of every domain that contexts use.
///
/// Building costs one sort of the runs; a question costs a binary search and what it finds.
public struct OwnersIndex: Sendable {
  /// A run, by physical address.
  private struct Interval {
    var start: UInt64
    /// Inclusive.
    var end: UInt64
    var iova: UInt64
    var access: Access
    var domain: Int
  }

  private struct Target {
    var unit: String
    var domainID: UInt32?
    var translation: Translation
    var devices: [Reach.Requester]
  }

  private var intervals: [Interval] = []
  /// The greatest end among the intervals up to each one.
  private var greatestEnd: [UInt64] = []
  private var targets: [Target] = []
  /// Domains that map everything to itself.
  private var passThrough: [Int] = []

  /// Runs in the index.
  public var count: Int { intervals.count }

  public init(_ state: RemappingState) {
    let drivers = Dictionary(
      state.devices.map { ($0.device, $0.driver) }, uniquingKeysWith: { first, _ in first })
    var rows: [DomainKey: Int] = [:]
    for context in state.contexts where context.translation != .none {
      let requester = Reach.Requester(
        device: context.device, pasid: context.pasid,
        driver: drivers[.pci(context.device)] ?? nil)
      let key = context.domainKey
      if let row = rows[key] {
        targets[row].devices.append(requester)
        continue
      }
      let row = targets.count
      rows[key] = row
      targets.append(
        Target(
          unit: context.unit, domainID: context.domainID, translation: context.translation,
          devices: [requester]))
      if context.translation == .passThrough { passThrough.append(row) }
    }
    for domain in state.domains {
      guard let mapping = domain.mapping, let row = rows[domain.key] else { continue }
      for run in mapping.runs where run.length.rawValue > 0 {
        let start = run.physical.rawValue
        intervals.append(
          Interval(
            start: start, end: max(start, start &+ (run.length.rawValue - 1)),
            iova: run.iova.rawValue, access: run.access, domain: row))
      }
    }
    intervals.sort { ($0.start, $0.domain, $0.iova) < ($1.start, $1.domain, $1.iova) }
    greatestEnd.reserveCapacity(intervals.count)
    var greatest: UInt64 = 0
    for interval in intervals {
      greatest = max(greatest, interval.end)
      greatestEnd.append(greatest)
    }
  }

  /// Every way to the bytes from `first` to `last`, inclusive; by physical address, then unit.
  public func reaches(_ first: PhysicalAddress, _ last: PhysicalAddress) -> [Reach] {
    let (low, high) = (first.rawValue, max(first.rawValue, last.rawValue))
    var found: [Reach] = passThrough.map { row in
      reach(
        Interval(start: low, end: high, iova: low, access: .readWrite, domain: row), low, high)
    }
    // The first interval that starts behind the range.
    var next = intervals.partitioningIndex { $0.start > high }
    while next > 0, greatestEnd[next - 1] >= low {
      next -= 1
      if intervals[next].end >= low { found.append(reach(intervals[next], low, high)) }
    }
    return found.sorted {
      ($0.physical.rawValue, $0.unit, $0.iova.rawValue, $0.domainID ?? .max)
        < ($1.physical.rawValue, $1.unit, $1.iova.rawValue, $1.domainID ?? .max)
    }
  }

  /// The part of an interval inside a range.
  private func reach(_ interval: Interval, _ low: UInt64, _ high: UInt64) -> Reach {
    let start = max(interval.start, low)
    let end = min(interval.end, high)
    let target = targets[interval.domain]
    let iova = interval.iova &+ (start - interval.start)
    return Reach(
      unit: target.unit, devices: target.devices, domainID: target.domainID,
      translation: target.translation, iova: IOVirtualAddress(iova),
      iovaEnd: IOVirtualAddress(iova &+ (end - start)), physical: PhysicalAddress(start),
      physicalEnd: PhysicalAddress(end), access: interval.access)
  }
}
