// SPDX-License-Identifier: Apache-2.0

import Memory
import Synchronization
import Testing

/// Looking through pages for something.
struct PageScanTests {
  /// Remembers what it was told to let go of.
  private final class Pages: PhysicalMemory {
    let relaxed = Mutex<[Range<UInt64>]>([])
    let isFreeToRead: Bool

    init(isFreeToRead: Bool = false) { self.isFreeToRead = isFreeToRead }

    func page(_ frame: UInt64) throws(MemoryError) -> Page { .zero }
    func absence(_ frame: UInt64) -> Absence? { nil }
    var memoryFrames: [Range<UInt64>] { [0..<1 << 30] }
    func relax(_ frames: Range<UInt64>) { relaxed.withLock { $0.append(frames) } }
  }

  @Test func `pages are looked at in order and let go of after that`() {
    let (pages, work) = (Pages(), WorkBudget())
    var seen: [UInt64] = []
    var scan = PageScan(work, "the search")
    let found = scan.first(in: [5..<8, 0..<0, 100..<9000], of: pages) { frame -> String? in
      seen.append(frame)
      return frame == 8000 ? "here" : nil
    }
    #expect(found == "here")
    #expect(seen == [5, 6, 7] + Array(100...8000))
    #expect(pages.relaxed.withLock(\.self) == [5..<8, 100..<4196, 4196..<8292])
    #expect(scan.first(in: [5..<8], of: pages) { _ in Int?.none } == nil)
  }

  @Test func `a run that has nothing left looks at no more`() {
    let (pages, work) = (Pages(), WorkBudget(WorkLimits(entries: 64 * 10)))
    var seen = 0
    var scan = PageScan(work, "the search")
    let found = scan.first(in: [0..<20], of: pages) { _ -> Int? in
      seen += 1
      return nil
    }
    #expect(found == nil)
    #expect(seen == 10)
    #expect(work.cuts.map(\.detail) == ["the search"])
  }

  @Test(arguments: [nil, 7, 5000, 30_000] as [UInt64?], [100, 4000, 20_000, 1 << 20])
  func `all processors find what one finds, for as much`(_ frame: UInt64?, _ budget: Int) {
    func search(_ isFree: Bool) -> (UInt64?, Int, [String]) {
      let (pages, work) = (
        Pages(isFreeToRead: isFree), WorkBudget(WorkLimits(entries: 64 * budget))
      )
      let found = {
        var scan = PageScan(work, "the search")
        return scan.firstAtOnce(in: [0..<3, 5..<8, 100..<40_000], of: pages) {
          if let frame, $1 >= frame { $1 } else { nil }
        }
      }()
      return (found, work.left(.entries), work.cuts.map(\.detail))
    }
    #expect(search(true) == search(false))
  }
}
