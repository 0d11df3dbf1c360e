// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Memory that devices of two groups may write, each through a DMA domain of its own.
public struct SharedPages: Hashable, Sendable {
  /// Positions in the state's list of domains; the first is the smaller one.
  public var domains: Pair
  /// Physical addresses, both inclusive.
  public var range: ClosedRange<UInt64>

  public struct Pair: Hashable, Comparable, Sendable {
    public var first: Int
    public var second: Int

    public init(_ one: Int, _ other: Int) {
      first = min(one, other)
      second = max(one, other)
    }

    public static func < (a: Self, b: Self) -> Bool { (a.first, a.second) < (b.first, b.second) }
  }

  public init(domains: Pair, range: ClosedRange<UInt64>) {
    self.domains = domains
    self.range = range
  }

  /// Every such place, and whether all were compared.
  public struct Search: Hashable, Sendable {
    public var places: [SharedPages] = []
    public var isComplete = true
  }

  /// An honest machine shares few pages, so few targets meet others.
  private static let comparisonLimit = 1 << 24
  private static let placeLimit = 1 << 20

  /// Compares what the DMA domains of a state map; what is mapped for firmware is left out.
  public static func search(_ state: RemappingState) -> Search {
    var groups: [DeviceName: Int] = [:]
    for device in state.devices {
      for name in [device.device] + device.aliases { groups[name] = device.group }
    }
    let owners = state.domains.map { Set($0.devices.compactMap { groups[$0] }) }
    let fixed = state.fixedRanges
    let judged = state.domains.indices.filter {
      [.dma, .dmaFQ].contains(state.domains[$0].type) && !owners[$0].isEmpty
    }
    guard judged.count > 1 else { return Search() }
    // Sorting is what costs most, and few places are reached by two domains.
    var marks = SharedPlaces()
    for index in judged { marks.add(state.domains[index].mapping?.runs ?? [], domain: index) }
    let places = marks
    var targets: [(range: ClosedRange<UInt64>, domain: Int)] = []
    for index in judged {
      let runs = state.domains[index].mapping?.runs ?? []
      for part in Workers.mapRanges(
        runs.count,
        { range in
          runs[range].lazy.filter {
            $0.access != .read && places.mayShare($0.targets) && !$0.isMapped(for: fixed)
          }.map(\.targets) as [ClosedRange<UInt64>]
        })
      {
        targets += part.map { ($0, index) }
      }
    }
    targets.sort { $0.range.lowerBound < $1.range.lowerBound }
    // How far each domain's targets reach so far; those that end before the next one begin are out.
    var reach: [UInt64] = Array(repeating: 0, count: state.domains.count)
    var active: [Int] = []
    var search = Search()
    var comparisons = comparisonLimit
    for target in targets {
      let start = target.range.lowerBound
      // To look through those that are open costs too, if many are.
      comparisons -= active.count / 8
      guard comparisons > 0 else {
        search.isComplete = false
        break
      }
      active.removeAll { reach[$0] < start }
      for domain in active where domain != target.domain {
        guard comparisons > 0, search.places.count < placeLimit else {
          search.isComplete = false
          break
        }
        comparisons -= 1
        guard owners[domain].isDisjoint(with: owners[target.domain]) else { continue }
        search.places.append(
          SharedPages(
            domains: Pair(domain, target.domain),
            range: start...max(start, min(reach[domain], target.range.upperBound))))
      }
      if !active.contains(target.domain) {
        active.append(target.domain)
        reach[target.domain] = target.range.upperBound
      } else {
        reach[target.domain] = max(reach[target.domain], target.range.upperBound)
      }
    }
    return search
  }
}

extension RemappingState {
  /// What is mapped for firmware, onto itself: everything may be, where not all of its regions are known.
  public var fixedRanges: AddressRanges {
    guard firmwareRegionsAreComplete else { return AddressRanges([0...UInt64.max]) }
    return AddressRanges(
      reservedRegions.compactMap { region in
        guard region.kind == .rmrr || region.kind == .isa, let range = region.range else {
          return nil
        }
        return range.lowerBound & ~0xfff...range.upperBound | 0xfff
      }
        // What an ISA bridge gets is fixed even where the bridge's own structure could not be read.
        + [0...0xff_ffff])
  }
}

extension Run {
  /// Whether the run is mapped for firmware: onto itself, inside what is fixed.
  public func isMapped(for fixed: AddressRanges) -> Bool {
    iova.rawValue == physical.rawValue && fixed.covers(addresses)
  }
}
