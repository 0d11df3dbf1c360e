// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
public import Evidence
public import Memory
public import RemappingState
internal import VTd

/// A way to a piece of physical memory that the tables hold for devices.
public struct Reach: Hashable, Sendable {
  /// `nil` where there is no unit.
  public var unit: String?
  /// Devices of the domain, and the PASID each one uses; ascending.
  public var devices: [Requester]
  public var domainID: UInt32?
  public var translation: Route
  public var iova: IOVirtualAddress
  /// Inclusive.
  public var iovaEnd: IOVirtualAddress
  public var physical: PhysicalAddress
  /// Inclusive.
  public var physicalEnd: PhysicalAddress
  /// What the tables grant.
  public var access: Access
  /// Whether requests get there: mapped and reachable are two things.
  public var reachable: Bool
  /// What stops requests on a way that is not reachable, half a sentence; `nil` otherwise.
  public var obstacle: String?

  /// Who sends the requests.
  public struct Requester: Hashable, Sendable {
    public var device: PCIFunction
    public var pasid: UInt32?
    public var driver: String?

    public init(device: PCIFunction, pasid: UInt32? = nil, driver: String? = nil) {
      self.device = device
      self.pasid = pasid
      self.driver = driver
    }
  }

  /// How an address becomes a physical one.
  public enum Route: String, Hashable, Sendable, CaseIterable {
    case secondStage = "second-stage"
    case firstStage = "first-stage"
    case nested
    case passThrough = "pass-through"
    /// Translation is off in the unit: every address is physical.
    case untranslated
  }
}

/// Finds who can reach physical memory: an index over the runs of every domain that contexts use.
///
/// Building costs one sort of the runs; a question costs a binary search and what it finds, however
/// long other runs are.
public struct OwnersIndex: Sendable {
  /// A run, by physical address.
  private struct Interval {
    var start: UInt64
    /// Inclusive.
    var end: UInt64
    var iova: UInt64
    var access: Access
    /// Index into `spaces`.
    var space: Int
  }

  /// Requesters that one run serves alike.
  private struct Target {
    var unit: String?
    var domainID: UInt32?
    var route: Reach.Route
    var bounds: RequestBounds
    var hasPASID: Bool
    /// Hardware refuses the requests before they come to the tables.
    var refusal: String?
    var devices: [Reach.Requester]
  }

  /// What requesters of one space must have in common to be one target.
  private struct Group: Hashable {
    var space: DomainKey
    var route: Reach.Route
    var hasPASID: Bool
    var refusal: String?
  }

  private var intervals: [Interval] = []
  private var ends = BlockMaxima()
  private var targets: [Target] = []
  /// Targets of each space.
  private var spaces: [[Int]] = []
  /// Targets for which every address is physical.
  private var physical: [Int] = []

  /// Runs in the index.
  public var count: Int { intervals.count }

  /// The index of a dump's state, with the devices that only the kernel's PCI tree knows.
  public init(_ evidence: DumpEvidence) {
    let functions = evidence.untranslatedFunctions
    self.init(
      evidence.state,
      untranslated: functions.mapValues { functions in
        functions.map {
          Reach.Requester(device: $0, pasid: nil, driver: evidence.driver(of: $0))
        }
      })
  }

  /// - Parameter untranslated: devices of units that do not translate which the state does not have, by the
  ///   unit's name; all devices, for `nil`, where there is no unit.
  public init(_ state: RemappingState, untranslated: [String?: [Reach.Requester]] = [:]) {
    let units = Dictionary(
      state.units.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let rows = addTargets(state, units, untranslated)
    for domain in state.domains {
      guard let mapping = domain.mapping, let row = rows[domain.key] else { continue }
      for run in mapping.runs where run.length.rawValue > 0 {
        let start = run.physical.rawValue
        intervals.append(
          Interval(
            start: start, end: max(start, start &+ (run.length.rawValue - 1)),
            iova: run.iova.rawValue, access: run.access, space: row))
      }
    }
    intervals.sort { ($0.start, $0.space, $0.iova) < ($1.start, $1.space, $1.iova) }
    ends = BlockMaxima(intervals.lazy.map(\.end))
  }

  /// Gathers who sends requests, and returns the number of each space.
  private mutating func addTargets(
    _ state: RemappingState, _ units: [String: Unit],
    _ untranslated: [String?: [Reach.Requester]]
  ) -> [DomainKey: Int] {
    let drivers = Dictionary(
      state.devices.map { ($0.device, $0.driver) }, uniquingKeysWith: { first, _ in first })
    var rows: [DomainKey: Int] = [:]
    var groups: [Group: Int] = [:]
    for context in state.contexts {
      let unit = units[context.unit]
      guard unit?.translationEnabled != false, let route = Reach.Route(context.translation) else {
        continue
      }
      let requester = Reach.Requester(
        device: context.device, pasid: context.pasid, driver: drivers[.pci(context.device)] ?? nil)
      let space = context.domainKey
      let group = Group(
        space: space, route: route, hasPASID: !context.servesRequestsWithoutPASID,
        refusal: context.refusal?.detail)
      if let target = groups[group] {
        targets[target].devices.append(requester)
        continue
      }
      groups[group] = targets.count
      if route == .passThrough {
        physical.append(targets.count)
      } else if let row = rows[space] {
        spaces[row].append(targets.count)
      } else {
        rows[space] = spaces.count
        spaces.append([targets.count])
      }
      targets.append(
        Target(
          unit: context.unit, domainID: context.domainID, route: route,
          bounds: RequestBounds(context, unit: unit), hasPASID: group.hasPASID,
          refusal: group.refusal, devices: [requester]))
    }
    // A unit that does not translate lets all its devices go anywhere, whoever they are.
    for unit in state.units where unit.translationEnabled == false {
      let own = state.devices.filter { $0.unit == unit.name }.compactMap(\.device.function)
      let named = state.contexts.filter { $0.unit == unit.name }.map(\.device)
      let known = Set(own + named).map {
        Reach.Requester(device: $0, pasid: nil, driver: drivers[.pci($0)] ?? nil)
      }
      addUntranslated(
        unit.name, (known + (untranslated[unit.name] ?? [])).sorted { $0.device < $1.device })
    }
    if state.hasNoUnit { addUntranslated(nil, untranslated[nil] ?? []) }
    return rows
  }

  /// Devices that go anywhere.
  private mutating func addUntranslated(_ unit: String?, _ devices: [Reach.Requester]) {
    physical.append(targets.count)
    targets.append(
      Target(
        unit: unit, domainID: nil, route: .untranslated,
        bounds: RequestBounds(stage: .second, tableWidth: 64, unitWidth: nil), hasPASID: false,
        refusal: nil, devices: devices))
  }

  /// Every way to the bytes from `first` to `last`, inclusive; by physical address, then unit.
  public func reaches(_ first: PhysicalAddress, _ last: PhysicalAddress) -> [Reach] {
    let (low, high) = (first.rawValue, max(first.rawValue, last.rawValue))
    var found: [Reach] = []
    for target in physical {
      let all = Interval(start: low, end: high, iova: low, access: .readWrite, space: 0)
      found += reaches(all, low, high, targets[target])
    }
    // The first interval that starts behind the range.
    let next = intervals.partitioningIndex { $0.start > high }
    ends.forEach(below: next, atLeast: low) { index in
      for target in spaces[intervals[index].space] {
        found += reaches(intervals[index], low, high, targets[target])
      }
    }
    return found.sorted {
      ($0.physical.rawValue, $0.unit ?? "", $0.iova.rawValue, $0.domainID ?? .max)
        < ($1.physical.rawValue, $1.unit ?? "", $1.iova.rawValue, $1.domainID ?? .max)
    }
  }

  /// The part of an interval inside a range, cut where it begins or ceases to be reachable.
  private func reaches(
    _ interval: Interval, _ low: UInt64, _ high: UInt64, _ target: Target
  ) -> [Reach] {
    let start = max(interval.start, low)
    let end = min(interval.end, high)
    // All of the 64-bit space has a length that no word holds: its last byte is left out, which no
    // machine has.
    let run = MappedRun(
      iova: IOVirtualAddress(interval.iova &+ (start - interval.start)),
      length: max(1, (end - start) &+ 1), physical: PhysicalAddress(start), access: .all)
    return target.bounds.pieces(of: run, hasPASID: target.hasPASID).map { piece, obstacle in
      let reason =
        target.refusal.map { "hardware refuses the requests: \($0)" }
        ?? obstacle?.description
      let last = piece.length - 1
      return Reach(
        unit: target.unit, devices: target.devices, domainID: target.domainID,
        translation: target.route, iova: piece.iova,
        iovaEnd: IOVirtualAddress(piece.iova.rawValue &+ last), physical: piece.physical,
        physicalEnd: PhysicalAddress(piece.physical.rawValue &+ last), access: interval.access,
        reachable: reason == nil, obstacle: reason)
    }
  }
}

extension Reach.Route {
  init?(_ translation: Translation) {
    switch translation {
    case .secondStage: self = .secondStage
    case .firstStage: self = .firstStage
    case .nested: self = .nested
    case .passThrough: self = .passThrough
    case .none: return nil
    }
  }
}

extension RequestBounds {
  /// What bounds the addresses of requests that come through a context.
  init(_ context: Context, unit: Unit?) {
    let width = unit?.knownCapabilities?.capability.maximumGuestAddressWidth
    let isFirst = context.translation == .firstStage || context.translation == .nested
    self.init(
      stage: isFirst ? .first : .second,
      tableWidth: context.levels.map { 12 + 9 * $0 } ?? 64, unitWidth: width)
  }
}
