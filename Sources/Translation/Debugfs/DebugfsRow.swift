// SPDX-License-Identifier: Apache-2.0

public import Memory
public import VTd

/// The files of the driver's debugfs folder that a dump can tell.
public enum DebugfsFile: String, CaseIterable, Sendable {
  case dmarTranslation = "dmar_translation_struct"
  case domainTranslation = "domain_translation_struct"
  case interruptRemapping = "ir_translation_struct"
  case invalidationQueue = "invalidation_queue"
}

/// What one line, or one heading, of such a file tells.
public enum DebugfsRow: Sendable {
  /// A unit that does not translate.
  case translationOff(unit: String)
  /// The heading of a unit's contexts.
  case contexts(unit: String, rootTable: PhysicalAddress)
  case context(Context)
  /// The heading of a domain's leaves; with the PASID in scalable mode, where the generation tells
  /// it.
  case domain(device: DeviceName, pasid: UInt32?, table: PhysicalAddress)
  case leaf(Leaf)
  /// The heading of a unit's interrupt entries; without `table` there are none.
  case interrupts(unit: String, isPosted: Bool, table: PhysicalAddress?)
  case interrupt(index: Int, InterruptRemapEntry)
  /// Between the interrupts that are remapped and those that are posted.
  case interruptsDivider
  /// The heading of a unit's queue; the words of one descriptor, 2 or 4.
  case queue(unit: String, base: PhysicalAddress, words: Int)
  /// A descriptor and its status; `nil` where that is unreadable.
  case descriptor(index: Int, words: [UInt64], status: UInt32?)
  /// What the kernel would have printed, and the dump lacks.
  case missing(Gap)
  /// The end of what a heading began.
  case end

  /// A present context entry, or one PASID entry below it.
  public struct Context: Sendable {
    public var bus: UInt8
    public var devfn: UInt8
    /// Low word first.
    public var root: (low: UInt64, high: UInt64)
    public var entry: (low: UInt64, high: UInt64)
    /// The PASID and the first three words of its entry; `nil` in legacy mode.
    public var pasid: (number: Int, words: (UInt64, UInt64, UInt64))?
  }

  /// A leaf with the entries above it.
  public struct Leaf: Sendable {
    /// First address, in pages of 4 KiB.
    public var page: UInt64
    /// 1 for a page of 4 KiB.
    public var level: Int
    /// Entries by level, from 1 to 5; 0 where there is none. Index 0 is not used.
    public var path: [UInt64]
  }

  /// A page or a descriptor that is not in the dump.
  public enum Gap: Sendable {
    case rootTable(PhysicalAddress)
    case contextTable(PhysicalAddress)
    case pasidDirectory(PhysicalAddress)
    case pasidTable(PhysicalAddress)
    case pageTable(PhysicalAddress)
    /// What lies below a table, after the run had looked at all the entries that it may.
    case rest(PhysicalAddress)
    case interruptPages(Int)
    case descriptor(Int)
  }
}
