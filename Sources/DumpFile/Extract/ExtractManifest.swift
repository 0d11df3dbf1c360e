// SPDX-License-Identifier: Apache-2.0

public import Memory

/// What travels in an extract, by what its pages were first read for.
///
/// It is kept among the note's facts, one for each purpose: key `manifest.` and the purpose, value the
/// number of pages.
public struct ExtractManifest: Hashable, Sendable {
  public struct Row: Hashable, Sendable {
    public var purpose: ReadingPurpose
    /// Pages that are stored, whole or in part.
    public var pages: Int

    public var bytes: UInt64 { UInt64(pages) << 12 }
  }

  /// In the order of `ReadingPurpose`, without those that have no page.
  public var rows: [Row]

  static let key = "manifest."

  init(of frames: some Sequence<UInt64>, for purposes: [UInt64: ReadingPurpose]) {
    var pages: [ReadingPurpose: Int] = [:]
    for frame in frames { pages[purposes[frame] ?? .other, default: 0] += 1 }
    rows = ReadingPurpose.allCases.compactMap { purpose in
      pages[purpose].map { Row(purpose: purpose, pages: $0) }
    }
  }

  /// What an extract's note tells; `nil` for one that was written without a manifest.
  public init?(_ note: ExtractNote) {
    rows = ReadingPurpose.allCases.compactMap { purpose in
      note.facts[Self.key + purpose.rawValue].flatMap { Int($0) }.map {
        Row(purpose: purpose, pages: max(0, $0))
      }
    }
    if rows.isEmpty { return nil }
  }

  var facts: [String: String] {
    rows.reduce(into: [:]) { $0[Self.key + $1.purpose.rawValue] = String($1.pages) }
  }

  /// All pages; a manifest that somebody wrote by hand may claim any number.
  public var pages: Int {
    rows.reduce(0) {
      let (sum, overflow) = $0.addingReportingOverflow($1.pages)
      return overflow ? .max : sum
    }
  }
}
