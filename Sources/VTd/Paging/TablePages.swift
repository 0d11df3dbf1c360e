// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// What a level 1 table maps as a whole: how much, and how it goes on from and into its neighbours.
public struct TablePages: Hashable, Sendable {
  /// Entries that map a page.
  public var leaves: Int
  /// Maximal stretches of entries that follow each other in both address spaces with the same
  /// rights.
  public var runs: Int
  /// The first and the last page that is mapped; `nil` where none is.
  public var ends: (first: MappedRun, last: MappedRun)? {
    guard leaves > 0 else { return nil }
    return (run(first), run(last))
  }

  @usableFromInline let iova: UInt64
  /// Index, and page and rights in one word.
  @usableFromInline let first: Entry
  @usableFromInline let last: Entry

  @usableFromInline
  struct Entry: Hashable, Sendable {
    @usableFromInline let index: Int
    @usableFromInline let key: UInt64

    @usableFromInline
    init(index: Int, key: UInt64) {
      self.index = index
      self.key = key
    }
  }

  @usableFromInline
  init(leaves: Int, runs: Int, iova: UInt64, first: Entry, last: Entry) {
    self.leaves = leaves
    self.runs = runs
    self.iova = iova
    self.first = first
    self.last = last
  }

  private func run(_ entry: Entry) -> MappedRun {
    MappedRun(
      iova: IOVirtualAddress(iova | UInt64(entry.index) << 12), length: 4096,
      physical: PhysicalAddress(entry.key & ~0xfff),
      access: PagingAccess(rawValue: UInt8(truncatingIfNeeded: entry.key & 3)))
  }
}

extension PagingRules {
  /// Reads a level 1 table as a whole, as the walk would read it entry by entry.
  ///
  /// One pass with no branch that depends on an entry: where runs are short, those are what a walk
  /// spends its time on.
  ///
  /// - Returns: `nil` if a present entry has reserved bits, which is to be told where it is.
  @usableFromInline
  func pages(of table: PagingTable) -> TablePages? {
    let page = table.page
    let reservedMask = leafMasks[1]
    let (required, granted, rights) = (required, granted, UInt64(table.access.rawValue))
    /// What no page continues.
    let none = UInt64.max
    /// The page and the rights of an entry in one word; `none` where it maps nothing.
    @inline(__always)
    func key(_ word: UInt64) -> UInt64 {
      let access = (word | granted) & rights
      let isMapped = word & 3 != 0 && word & required == required && access != 0
      return isMapped ? word & Self.addressMask | access : none
    }
    func entry(_ indices: some Sequence<Int>) -> TablePages.Entry {
      for index in indices {
        let key = key(page[word: index])
        if key != none { return TablePages.Entry(index: index, key: key) }
      }
      return TablePages.Entry(index: 0, key: none)
    }
    func pages(_ leaves: Int, _ runs: Int) -> TablePages {
      TablePages(
        leaves: leaves, runs: runs, iova: table.iova.rawValue, first: entry(0..<Page.wordCount),
        last: entry((0..<Page.wordCount).reversed()))
    }
    // Mostly all entries are alike but for their addresses, and those can be looked at together.
    var (any, all) = (0 as UInt64, UInt64.max)
    for index in 0..<Page.wordCount {
      any |= page[word: index]
      all &= page[word: index]
    }
    if (any ^ all) & ~Self.addressMask == 0 {
      guard key(any) != none else {
        return any & 3 != 0 && any & required == required && any & reservedMask != 0
          ? nil : pages(0, 0)
      }
      guard any & reservedMask == 0 else { return nil }
      var runs = 1
      for index in 1..<Page.wordCount {
        runs &+= page[word: index] &- page[word: index &- 1] == 4096 ? 0 : 1
      }
      return pages(Page.wordCount, runs)
    }
    var (leaves, runs, reserved) = (0, 0, 0 as UInt64)
    var next = none
    for index in 0..<Page.wordCount {
      let word = page[word: index]
      let isPresent = word & 3 != 0 && word & required == required
      reserved |= isPresent ? word & reservedMask : 0
      let key = key(word)
      leaves &+= key != none ? 1 : 0
      runs &+= key != none && key != next ? 1 : 0
      next = key == none ? none : key &+ 4096
    }
    guard reserved == 0 else { return nil }
    return pages(leaves, runs)
  }
}
