// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No page is writable for devices of two groups.
///
/// Linux maps whole pages, so small buffers of two drivers may share one; identity domains and fixed
/// regions are left out, and so are guests that were given several devices with one address space.
///
/// Source: `iommu_dma_map_phys`. Severity: info; isolation between the groups ends at such a page.
struct SharedWritablePage: AuditRule {
  static let id = "domain.shared-page"
  static let severity = Finding.Severity.info

  private struct Target {
    var range: ClosedRange<UInt64>
    var domain: Int
  }

  func check(_ state: RemappingState) -> [Finding] {
    var groups: [DeviceName: Int] = [:]
    for device in state.devices {
      for name in [device.device] + device.aliases { groups[name] = device.group }
    }
    let owners = state.domains.map { Set($0.devices.compactMap { groups[$0] }) }
    var targets: [Target] = []
    let fixed = state.fixedRanges
    for (index, domain) in state.domains.enumerated()
    where domain.isDMA && !owners[index].isEmpty {
      for run in domain.mapping?.runs ?? []
      where run.access != .read && !run.isMapped(for: fixed) {
        targets.append(Target(range: run.targets, domain: index))
      }
    }
    targets.sort { $0.range.lowerBound < $1.range.lowerBound }
    // The target that reaches furthest so far is the one that a later one can overlap.
    var found: [Pair: (count: Int, first: UInt64)] = [:]
    var furthest: Target?
    for target in targets {
      if let known = furthest, known.range.upperBound >= target.range.lowerBound,
        owners[known.domain].isDisjoint(with: owners[target.domain])
      {
        let pair = Pair(
          first: min(known.domain, target.domain), second: max(known.domain, target.domain))
        let before = found[pair]
        found[pair] = ((before?.count ?? 0) + 1, before?.first ?? target.range.lowerBound)
      }
      if target.range.upperBound >= furthest?.range.upperBound ?? 0 { furthest = target }
    }
    return found.sorted { ($0.key.first, $0.key.second) < ($1.key.first, $1.key.second) }
      .map { pair, match in
        let (a, b) = (state.domains[pair.first], state.domains[pair.second])
        return finding(
          .shared(a, b, match.count, match.first), unit: a.unit,
          evidence: [Evidence(what: "page", address: HexWord(match.first & ~0xfff))])
      }
  }

  private struct Pair: Hashable {
    var first: Int
    var second: Int
  }
}

extension Finding.Message {
  fileprivate static func shared(_ a: Domain, _ b: Domain, _ count: Int, _ first: UInt64) -> Self {
    let pages = count == 1 ? "a page is" : "pages in \(count) places are"
    return "\(pages) writable through \(a.name) and through \(b.name); the first is at"
      + " \((first & ~0xfff).hexadecimal)"
  }
}
