// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import RemappingState
import Testing
import Translation

/// Tables by their addresses: what a report names can be looked up.
struct TableAtlasTests {
  struct Expected: Sendable {
    var address: UInt64
    var structure: String?
    var pointedToBy: UInt64?
    var iova: UInt64?
    /// Index, count, target.
    var rows: [[UInt64?]]
  }

  @Test(arguments: [
    Expected(address: 0x1000, structure: "root table of given0", rows: [[0, 1, 0x2000]]),
    Expected(
      address: 0x2000, structure: "context table of given0", pointedToBy: 0x1000,
      rows: [[16, 1, 0x4000]]),
    Expected(
      address: 0x4000, structure: "page table of level 4 of given0 domain-id 4",
      pointedToBy: 0x2100, iova: 0, rows: [[0, 1, 0x5000], [1, 1, 0xff_f000]]),
    Expected(
      address: 0x6000, structure: "page table of level 2 of given0 domain-id 4",
      pointedToBy: 0x5018, iova: 0xc000_0000, rows: [[511, 1, 0x7000]]),
    // The first three go on; the fourth repeats a page, the fifth has other rights.
    Expected(
      address: 0x7000, structure: "page table of level 1 of given0 domain-id 4",
      pointedToBy: 0x6ff8, iova: 0xffe0_0000,
      rows: [
        [0, 3, 0x20000], [3, 1, 0x22000], [4, 1, 0x23000], [5, 1, nil], [510, 1, 0xa000],
        [511, 1, 0x9000],
      ]),
    // One entry, and one that is zero.
    Expected(
      address: 0x2103, structure: "context table of given0", pointedToBy: 0x1000,
      rows: [[16, 1, 0x4000]]),
    Expected(
      address: 0x7010, structure: "page table of level 1 of given0 domain-id 4",
      pointedToBy: 0x6ff8, iova: 0xffe0_0000, rows: [[2, 1, 0x22000]]),
    Expected(
      address: 0x7100, structure: "page table of level 1 of given0 domain-id 4",
      pointedToBy: 0x6ff8, iova: 0xffe0_0000, rows: [[32, 1, nil]]),
    Expected(address: 0x9000, rows: []),
    // Of a table that the dump lacks nobody knows more than the entry that points there.
    Expected(address: 0xff_f000, rows: []),
    Expected(address: .max, rows: []),
  ])
  func `a page is told by its address`(_ expected: Expected) {
    let page = TableAtlas(Self.evidence).contents(at: PhysicalAddress(expected.address))
    #expect(page.structure?.description == expected.structure)
    #expect(page.pointedToBy?.rawValue == expected.pointedToBy)
    #expect(page.iova?.rawValue == expected.iova)
    #expect(
      page.entries.map { [UInt64($0.index), UInt64($0.count), $0.target?.rawValue] }
        == expected.rows)
    #expect(page.asked.rawValue == expected.address)
    for row in page.entries { #expect(row.entry.address.frame == page.address.frame) }
  }

  private static var evidence: DumpEvidence {
    TranslatorTests.evidence([
      0x4008: 0xff_f003, 0x7000: 0x20003, 0x7008: 0x21003, 0x7010: 0x22003, 0x7018: 0x22003,
      0x7020: 0x23001,
      // Neither right: not present, and not zero.
      0x7028: 0x24004,
    ])
  }

  @Test func `an excerpt has what is named, and says what it leaves out`() {
    let atlas = TableAtlas(Self.evidence)
    let whole = atlas.excerpt(rows: 1000)
    #expect(
      whole.pages.map(\.address.rawValue) == [0x1000, 0x2000, 0x4000, 0x5000, 0x6000, 0x7000])
    #expect(whole.left == 0)
    let short = atlas.excerpt(rows: 2)
    #expect(short.pages.map(\.address.rawValue) == [0x1000, 0x2000])
    #expect(short.left == 4)
    let named = atlas.excerpt(naming: [PhysicalAddress(0x7ff8), PhysicalAddress(0x9000)], rows: 7)
    #expect(named.pages.map(\.address.rawValue) == [0x1000, 0x7000])
    let other = atlas.excerpt(of: DeviceName("0000:7f:00.0"), rows: 1000)
    #expect(other.pages.map(\.address.rawValue) == [0x1000, 0x2000])
    #expect(other.left == 0)
  }

  @Test func `an excerpt says where the search ended`() {
    let whole = Self.evidence
    let evidence = DumpEvidence(
      state: whole.state, memory: whole.memory,
      work: WorkBudget(WorkLimits(entries: 2000, runs: 100)))
    let excerpt = TableAtlas(evidence).excerpt(rows: 1000)
    #expect(excerpt.pages.count < 6)
    #expect(!excerpt.cuts.isEmpty)
  }

  /// Random words make any structure; nothing traps, and each page is what its unit reads.
  @Test(arguments: 0..<40 as Range<UInt64>) func `whatever the words are`(_ seed: UInt64) {
    var random = seed
    func next() -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return random ^ (random >> 29)
    }
    var words: [UInt64: UInt64] = [:]
    for page in 1..<10 as Range<UInt64> {
      for _ in 0..<24 {
        words[page << 12 | (next() & 0x1ff) << 3] =
          next() & 0x8000_0000_0000_0fff | (next() % 12) << 12 | 1
      }
    }
    let evidence = TranslatorTests.evidence(words)
    let atlas = TableAtlas(evidence)
    for page in atlas.excerpt(rows: 10_000).pages {
      #expect(page.structure != nil)
      let places = page.entries.flatMap { $0.index..<$0.index + $0.count }
      #expect(Set(places).count == places.count)
      for row in page.entries {
        let one = atlas.contents(at: PhysicalAddress(row.entry.address.rawValue | 1))
        #expect(one.entries.map(\.entry) == [row.entry])
      }
    }
  }
}
