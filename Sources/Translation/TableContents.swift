// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

/// A page of memory that a unit reads: what it is, who comes there, and its entries decoded.
public struct TableContents: Hashable, Sendable {
  /// As it was asked for: of the page, or of one of its entries.
  public var asked: PhysicalAddress
  /// First byte of the page.
  public var address: PhysicalAddress
  /// What the page is; `nil` where no table or queue of a known unit lies.
  public var structure: Structure?
  public var unit: String?
  /// Of page tables.
  public var domainID: UInt32?
  /// Of page tables: 1 for those whose entries are 4 KiB pages.
  public var level: Int?
  /// Of page tables: the top of the tree that the page belongs to.
  public var table: PhysicalAddress?
  /// Of page tables: the first I/O virtual address that the page stands for.
  public var iova: IOVirtualAddress?
  /// Of page tables: source ids whose requests come here.
  public var devices: [DeviceName]
  /// The entry that points here; `nil` where a register does.
  public var pointedToBy: PhysicalAddress?
  /// How many entries a page of the kind has.
  public var slots: Int
  /// Entries that are not zero; where one was asked for, that one, zero or not.
  public var entries: [Row]
  /// Why the page cannot be read, half a sentence.
  public var obstacle: String?

  public struct Row: Hashable, Sendable {
    /// Number of the entry in its page.
    public var index: Int
    /// How many entries the row stands for: the word of each further one is one page more.
    public var count: Int
    /// Of root entries, and of context entries.
    public var bus: UInt8?
    /// Of context entries: the source id.
    public var device: PCIFunction?
    /// Of PASID directory entries the first one of 64.
    public var pasid: UInt32?
    /// Of page tables: the first address that the entry stands for.
    public var iova: IOVirtualAddress?
    /// Whether the entry is present, or a descriptor that was written.
    public var present: Bool
    /// Whether it maps a page; `nil` for other entries than those of page tables.
    public var leaf: Bool?
    /// The table or the page that it points to; `nil` where it points to nothing.
    public var target: PhysicalAddress?
    public var entry: DecodedEntry
  }

  /// Whether one entry was asked for, not the page.
  public var isOfOneEntry: Bool { asked != address }
}

/// Some of an atlas's pages, with how many were left out.
public struct TableExcerpt: Hashable, Sendable {
  /// Tables that lead to contexts first, then page tables from the top down, then what holds anything of
  /// interrupt tables and queues.
  public var pages: [TableContents]
  /// Pages that are known and not among `pages`.
  public var left: Int
  /// Where the search for tables ended early.
  public var cuts: [Cut]

  public init(pages: [TableContents], left: Int, cuts: [Cut] = []) {
    self.cuts = cuts
    self.pages = pages
    self.left = left
  }
}
