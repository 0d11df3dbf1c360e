// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// Looks up guest-physical addresses in a second-stage table, keeping the tables of the last path.
struct SecondStage {
  /// Where a guest-physical address ended and for how many bytes from it on that holds.
  struct Answer {
    var ending: TranslationEnding
    var span: UInt64
  }

  private let memory: any PhysicalMemory
  private let root: StageRoot
  private let rules: PagingRules
  /// The tables of the last path by level, `nil` where the path did not come to; a table is valid
  /// as long as all above it are.
  private var tables: [Table?]

  private struct Table {
    /// The address bits that select this table.
    var tag: UInt64
    var frame: UInt64
    var access: PagingAccess
    var page: Page
    var isAssumedZero: Bool
  }

  init(memory: any PhysicalMemory, root: StageRoot, unit: UnitCapabilities?) {
    self.memory = memory
    self.root = root
    // Nested translation is of scalable mode alone.
    rules = PagingRules(stage: .second, unit: unit, snoopsAlways: true)
    tables = [Table?](repeating: nil, count: 6)
  }

  /// Translates `address`, with at most one page read for each level; `trace` gets each entry.
  mutating func lookUp(
    _ address: UInt64, trace: ((TranslationStep) -> Void)? = nil
  ) -> Answer {
    guard (2...5).contains(root.levels) else {
      return Answer(ending: .unsupportedLevels(.second, root.levels), span: .max)
    }
    let width = 12 + 9 * root.levels
    guard address >> UInt64(width) == 0 else {
      return Answer(ending: .beyondWidth(.second, width), span: .max)
    }
    // The lowest table of the last path that also serves this address.
    var level = root.levels
    if trace == nil {
      for candidate in 1...root.levels {
        if let table = tables[candidate], table.tag == tag(address, level: candidate) {
          level = candidate
          break
        }
      }
    }
    var pointer = root.table.rawValue
    var access = PagingAccess.all
    while true {
      let span = PagingRules.span(level: level)
      let table: Table
      if trace == nil, let known = tables[level], known.tag == tag(address, level: level) {
        table = known
      } else {
        let whole = PagingRules.span(level: level + 1) - 1
        let left = whole - (address & whole) + 1
        let frame = pointer >> 12
        for above in level..<root.levels where tables[above + 1]?.frame == frame {
          return Answer(ending: .cycle(.second, level: level), span: left)
        }
        do {
          let (page, isAssumed) = try memory.pageOrAssumedZero(frame)
          table = Table(
            tag: tag(address, level: level), frame: frame, access: access, page: page,
            isAssumedZero: isAssumed)
        } catch {
          return Answer(ending: .unreadable(.second, level: level, error), span: left)
        }
        tables[level] = table
        for below in 0..<level { tables[below] = nil }
      }
      let index = Int(truncatingIfNeeded: address >> UInt64(PagingRules.shift(level: level))) & 511
      let word = table.page[word: index]
      let left = span - (address & (span - 1))
      trace?(
        TranslationStep(
          stage: .second, level: level,
          entry: PhysicalAddress(table.frame << 12 | UInt64(index * 8)), word: word,
          isAssumedZero: table.isAssumedZero))
      guard rules.isPresent(word) else {
        return Answer(ending: .notPresent(.second, level: level), span: left)
      }
      let reserved = rules.reservedBits(word, level: level)
      guard reserved == 0 else {
        return Answer(ending: .reserved(.second, level: level, bits: reserved), span: left)
      }
      access = table.access.intersection(rules.access(word))
      if rules.isLeaf(word, level: level) {
        guard !access.isEmpty else {
          return Answer(ending: .noAccess(.second, level: level), span: left)
        }
        let physical = PagingRules.page(word, level: level) | (address & (span - 1))
        return Answer(
          ending: .mapped(PhysicalAddress(physical), pageSize: span, access: access), span: left)
      }
      pointer = word & PagingRules.addressMask
      level -= 1
    }
  }

  private func tag(_ address: UInt64, level: Int) -> UInt64 {
    address >> UInt64(PagingRules.shift(level: level + 1))
  }
}
