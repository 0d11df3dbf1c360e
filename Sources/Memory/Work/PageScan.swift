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
  public mutating func next() -> Bool {
    if paid == 0 {
      let pages = min(Self.step, work.left(.entries) / Self.entriesOfPage)
      guard pages > 0, work.spend(.entries, pages * Self.entriesOfPage) else {
        work.cut(.entries, detail)
        return false
      }
      paid = pages
    }
    paid -= 1
    return true
  }

  deinit { work.release(.entries, paid * Self.entriesOfPage) }
}
