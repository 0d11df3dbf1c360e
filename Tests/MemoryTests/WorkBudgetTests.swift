// SPDX-License-Identifier: Apache-2.0

import Memory
import Testing

/// What a run may do, and what it says when that is spent.
struct WorkBudgetTests {
  @Test func `what is spent is gone, and what was refused takes the rest`() {
    let work = WorkBudget(WorkLimits(objects: 10))
    #expect(work.spend(.objects, 4))
    #expect(work.left(.objects) == 6)
    #expect(!work.spend(.objects, 7))
    #expect(work.left(.objects) == 0)
    #expect(work.limit(.objects) == 10)
    #expect(work.spend(.objects, 0))
    #expect(work.spend(.objects, -5))
    #expect(work.left(.objects) == 0)
  }

  @Test func `what is given back is never more than there was`() {
    let work = WorkBudget(WorkLimits(runs: 10))
    work.spend(.runs, 8)
    work.release(.runs, 3)
    #expect(work.left(.runs) == 5)
    work.release(.runs, .max)
    #expect(work.left(.runs) == 10)
  }

  @Test func `limits grow with each dump, but for those that were asked for`() {
    let work = WorkBudget(WorkLimits(objects: 10))
    work.grant(pages: 1000)
    let one = work.limit(.entries)
    work.grant(pages: 1000)
    #expect(work.limit(.entries) == 2 * one)
    #expect(work.limit(.objects) == 10)
    #expect(work.dumpPages == 2000)
  }

  @Test func `no limit stays none whatever is granted`() {
    let work = WorkBudget(
      WorkLimits(entries: .max, runs: .max, objects: .max, pages: .max, output: .max))
    work.grant(pages: .max)
    for part in WorkPart.allCases {
      #expect(work.spend(part, 1 << 60))
      #expect(work.limit(part) == .max)
    }
  }

  /// 64 units, 4,096 devices, 1 TiB in pages of 4 KiB: 2^28 leaves in 2^19 pages of tables.
  @Test func `an honest machine has room for all that it needs`() {
    let tables = 1 << 19
    let work = WorkBudget(WorkLimits())
    // An extract, which has little but the tables.
    work.grant(pages: tables + 3000)
    // A report, and seven policies that read the tables three times each.
    #expect(work.left(.entries) > 22 * (tables + 1100) * 512)
    // Ten million runs, and contexts with a dozen PASIDs for each device.
    #expect(work.left(.runs) > 10_000_000 + 8 * 12 * 4096)
    // A million nodes in each of ten allocators.
    #expect(work.left(.objects) > 10_000_000)
    #expect(work.left(.pages) > 20 * tables)
    // Each leaf as a line of debugfs.
    #expect(work.left(.output) > 1 << 28 * 120)
  }

  @Test func `a small dump cannot ask for what only a large one needs`() {
    let work = WorkBudget(WorkLimits())
    work.grant(pages: 2000)
    #expect(work.left(.entries) < 1 << 28)
    #expect(work.left(.runs) < 1 << 21)
    #expect(work.left(.output) < 1 << 29)
  }

  @Test func `a cut says what, where and how much, once, and not too often`() {
    let work = WorkBudget(WorkLimits(objects: 10))
    work.cut(.objects, "the reading of lists", unit: "dmar0")
    work.cut(.objects, "the reading of lists", unit: "dmar0")
    #expect(
      work.cuts == [Cut(what: .objects, unit: "dmar0", limit: 10, detail: "the reading of lists")])
    #expect(
      work.cuts.first?.description
        == "dmar0: the reading of lists ended early, all 10 kernel objects are spent"
        + " (--max-objects); what lies behind was not looked at")
    for number in 0..<1000 { work.cut(.objects, "\(number)") }
    #expect(work.cuts.count == WorkBudget.cutLimit)
  }
}
