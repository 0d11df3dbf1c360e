// SPDX-License-Identifier: Apache-2.0

/// Pays for pages that are looked at one after another, in search of something.
///
/// A file of few bytes can claim any number of pages: holes of a sparse file are zeros, and any number of
/// an ELF file's segments may have the same bytes.
public struct PageScan: ~Copyable {
  private let work: WorkBudget
  private let detail: String
  /// Pages that are paid for and not looked at yet.
  private var paid = 0

  /// A page that has to be brought from the file and turns out to be nothing.
  static let entriesOfPage = 64
  private static let step = 1024

  /// - Parameter detail: what is being done, a noun, for the cut.
  public init(_ work: WorkBudget, _ detail: String) {
    self.work = work
    self.detail = detail
  }

  /// Pays for one more page.
  ///
  /// - Returns: whether it may be looked at; if not, the cut was said.
  public mutating func next() -> Bool { next(upTo: 1) == 1 }

  /// Pays for some more pages.
  ///
  /// - Returns: how many of them may be looked at; if not all, the cut was said.
  public mutating func next(upTo count: Int) -> Int {
    var granted = 0
    while granted < count {
      if paid == 0 {
        let pages = min(Self.step, work.left(.entries) / Self.entriesOfPage)
        guard pages > 0, work.spend(.entries, pages * Self.entriesOfPage) else {
          work.cut(.entries, detail)
          break
        }
        paid = pages
      }
      let share = min(paid, count - granted)
      paid -= share
      granted += share
    }
    return granted
  }

  deinit { work.release(.entries, paid * Self.entriesOfPage) }
}
