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
  static let needs: Set<AuditNeed> = [.kernel, .pageTables]

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
    // How far each domain's targets reach so far; those that end before the next one begin are out.
    var reach: [UInt64] = Array(repeating: 0, count: state.domains.count)
    var active: [Int] = []
    var found: [Pair: (count: Int, first: UInt64)] = [:]
    var comparisons = Self.comparisonLimit
    for target in targets {
      active.removeAll { reach[$0] < target.range.lowerBound }
      for domain in active where domain != target.domain {
        guard comparisons > 0 else { break }
        comparisons -= 1
        guard owners[domain].isDisjoint(with: owners[target.domain]) else { continue }
        let pair = Pair(first: min(domain, target.domain), second: max(domain, target.domain))
        found[pair, default: (0, target.range.lowerBound)].count += 1
      }
      if !active.contains(target.domain) {
        active.append(target.domain)
        reach[target.domain] = target.range.upperBound
      } else {
        reach[target.domain] = max(reach[target.domain], target.range.upperBound)
      }
    }
    let pairs = found.sorted { ($0.key.first, $0.key.second) < ($1.key.first, $1.key.second) }
    var findings = pairs.prefix(Self.pairLimit).map { pair, match in
      let (a, b) = (state.domains[pair.first], state.domains[pair.second])
      return finding(
        .shared(a, b, match.count, match.first), unit: a.unit,
        evidence: [Evidence(what: "page", address: HexWord(match.first & ~0xfff))])
    }
    if pairs.count > Self.pairLimit || comparisons == 0 {
      findings.append(
        finding(.more(max(0, pairs.count - Self.pairLimit), isComplete: comparisons > 0)))
    }
    return findings
  }

  /// Pairs that are told one by one; more than a person reads.
  private static let pairLimit = 64
  /// An honest machine shares few pages, so few targets meet others.
  private static let comparisonLimit = 1 << 24

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

  fileprivate static func more(_ count: Int, isComplete: Bool) -> Self {
    "\(count) more pairs of domains share writable pages"
      + (isComplete ? "" : "; so many places are shared that the rest was not compared")
  }
}
