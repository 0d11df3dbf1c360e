// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// No page is writable for devices of two groups.
///
/// Linux maps whole pages, so buffers that are smaller than a page may share one: network drivers
/// take receive buffers out of the fragments of one page. Such pages are left out where the dump
/// shows them for what they are, with several references or in a slab; a page that one owner alone
/// holds, and one that nothing is known of, are told. Identity domains and fixed regions are left
/// out, and so are guests that were given several devices with one address space.
///
/// Source: `iommu_dma_map_phys`; `page_frag_alloc_align`. Severity: info; isolation between the
/// groups ends at such a page.
struct SharedWritablePage: AuditRule {
  static let id = "domain.shared-page"
  static let severity = Finding.Severity.info
  static let needs: Set<AuditNeed> = [.kernel, .firmwareRegions, .pageTables]

  func check(_ state: RemappingState) -> [Finding] {
    let search = state.sharedPages ?? SharedPages.search(state)
    var found: [SharedPages.Pair: (count: Int, first: UInt64)] = [:]
    for place in search.places {
      found[place.domains, default: (0, place.range.lowerBound)].count += 1
    }
    let pairs = found.sorted { $0.key < $1.key }
    var findings = pairs.prefix(Self.pairLimit).compactMap { pair, match -> Finding? in
      guard state.domains.indices.contains(pair.first), state.domains.indices.contains(pair.second)
      else { return nil }
      let (a, b) = (state.domains[pair.first], state.domains[pair.second])
      return finding(
        .shared(a, b, match.count, match.first), unit: a.unit,
        evidence: [Evidence(what: "page", address: HexWord(match.first & ~0xfff))])
    }
    if pairs.count > Self.pairLimit || !search.isComplete {
      findings.append(
        finding(.more(max(0, pairs.count - Self.pairLimit), isComplete: search.isComplete)))
    }
    return findings
  }

  /// Pairs that are told one by one; more than a person reads.
  private static let pairLimit = 64
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
