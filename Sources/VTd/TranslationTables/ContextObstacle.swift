// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// Something that was met on the way from the root table to the address spaces.
public struct ContextObstacle: Hashable, Sendable {
  public var structure: Structure
  public var kind: Kind
  /// Of the table, or of the entry for reserved bits and violations.
  public var address: PhysicalAddress
  /// Where the way led through; `nil` for the root table.
  public var bus: UInt8?
  /// `nil` for the root table and for context tables.
  public var devfn: UInt8?
  /// First PASID that is affected; `nil` above the PASID directory.
  public var pasid: UInt32?

  public typealias Structure = TableStructure

  public enum Kind: Hashable, Sendable {
    /// The page is not in the dump: what lies below is unknown, not absent.
    case unreadable(MemoryError)
    /// The page is a hole of an ELF dump; it was taken for zeros.
    case assumedZero
    /// A present entry has reserved bits set.
    case reservedBits(EntryMask)
    /// A present entry has fields that the unit does not allow.
    case violations([FieldViolation])
    /// The page is the context table, or the half of one, of another bus as well.
    case shared(firstBus: UInt8)
    /// A part of the budget is spent; the rest was not read. Reported once.
    case budgetExhausted(ContextBudget.Part)
  }
}

/// How much may be read and returned.
///
/// The defaults are far beyond any real unit.
public struct ContextBudget: Hashable, Sendable {
  /// Page reads of context tables, PASID directories and PASID tables.
  public var pages: Int
  /// Paths returned.
  public var paths: Int
  /// Present PASID directory entries followed.
  public var directoryEntries: Int
  /// Obstacles kept; further ones are counted only.
  public var obstacles: Int

  public init(
    pages: Int = 1 << 20, paths: Int = 1 << 18, directoryEntries: Int = 1 << 20,
    obstacles: Int = 1 << 14
  ) {
    self.pages = pages
    self.paths = paths
    self.directoryEntries = directoryEntries
    self.obstacles = obstacles
  }

  /// The parts of the budget whose end ends the reading.
  public enum Part: String, Hashable, Sendable {
    case pages
    case paths
    case directoryEntries = "directory entries"
  }
}

extension ContextBudget {
  /// What the reading of one unit's tables may take of a run's budget.
  func share(of work: WorkBudget) -> ContextBudget {
    let entries = work.left(.entries)
    return ContextBudget(
      pages: min(pages, entries / Page.wordCount), paths: min(paths, work.left(.runs) / Self.rows),
      directoryEntries: min(directoryEntries, entries), obstacles: obstacles)
  }

  /// Takes from a run's budget what was spent of this share.
  func settle(_ remaining: ContextBudget, with work: WorkBudget) {
    work.spend(
      .entries,
      (pages - remaining.pages) * Page.wordCount + directoryEntries - remaining.directoryEntries)
    work.spend(.runs, (paths - remaining.paths) * Self.rows)
  }

  /// A context takes about as much memory as so many runs.
  fileprivate static let rows = 8
}

extension WorkBudget {
  /// Gives back what contexts took that are not kept.
  public func release(contexts reading: TranslationTablesReading) {
    release(.runs, reading.paths.count * ContextBudget.rows)
  }
}

extension ContextBudget.Part {
  /// The part of a run's budget that ended with it.
  public var work: WorkPart { self == .paths ? .runs : .entries }
}
