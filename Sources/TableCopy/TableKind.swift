// SPDX-License-Identifier: Apache-2.0

public import RemappingState

/// What a page of reconstructed tables is used for.
public enum TableKind: Hashable, Sendable, Comparable {
  case rootTable
  case contextTable
  case pasidDirectory
  case pasidTable
  /// A page table; level 1 holds 4 KiB pages.
  case pageTable(Stage, level: Int)

  /// `root`, `context`, `pasid-directory`, `pasid-table`, `second-stage-1`, …
  public var name: String {
    switch self {
    case .rootTable: "root"
    case .contextTable: "context"
    case .pasidDirectory: "pasid-directory"
    case .pasidTable: "pasid-table"
    case .pageTable(let stage, let level): "\(stage)-\(level)"
    }
  }

  private var rank: (Int, Int) {
    switch self {
    case .rootTable: (0, 0)
    case .contextTable: (1, 0)
    case .pasidDirectory: (2, 0)
    case .pasidTable: (3, 0)
    case .pageTable(let stage, let level): (stage == .second ? 4 : 5, -level)
    }
  }

  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}
