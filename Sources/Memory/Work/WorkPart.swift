// SPDX-License-Identifier: Apache-2.0

/// A kind of work whose amount somebody's dump decides.
public enum WorkPart: String, Hashable, Sendable, CaseIterable {
  /// Entries of tables that are looked at; a whole table page is 512 of them, a look-up in a second
  /// stage 4, the descriptor of a mapped page 16.
  case entries
  /// Times that a table page is entered again from another place, within one walk.
  case revisits
  /// Rows that are kept in memory: a run is one, a raw entry 4, a context or a trace event 8.
  case runs
  /// Objects of the kernel that are read.
  case objects
  /// Pages that are decompressed.
  case pages
  /// Bytes of the result.
  case output

  /// The option that raises the limit, without its dashes.
  public var option: String {
    switch self {
    case .entries, .revisits: "max-entries"
    case .runs: "max-runs"
    case .objects: "max-objects"
    case .pages: "max-pages"
    case .output: "max-output"
    }
  }

  /// What is counted, for people, in the plural.
  public var unit: String {
    switch self {
    case .entries: "table entries"
    case .revisits: "further visits of the same table pages"
    case .runs: "rows kept"
    case .objects: "kernel objects"
    case .pages: "decompressed pages"
    case .output: "bytes of output"
    }
  }
}

/// How much of each kind of work one run may do; `nil` follows from the size of the dump.
public struct WorkLimits: Hashable, Sendable {
  public var entries: Int?
  public var runs: Int?
  public var objects: Int?
  public var pages: Int?
  public var output: Int?

  public init(
    entries: Int? = nil, runs: Int? = nil, objects: Int? = nil, pages: Int? = nil,
    output: Int? = nil
  ) {
    self.entries = entries
    self.runs = runs
    self.objects = objects
    self.pages = pages
    self.output = output
  }

  /// The limit that was asked for.
  func asked(_ part: WorkPart) -> Int? {
    switch part {
    case .entries: entries
    // Both bound the same walk, and nobody should have to raise two numbers.
    case .revisits: entries.map { $0 == .max ? .max : max(1, $0 >> 13) }
    case .runs: runs
    case .objects: objects
    case .pages: pages
    case .output: output
    }
  }

  /// Pages that a dump is taken to have where it has more.
  ///
  /// 2^21 are 8 GiB; a machine with 1 TiB mapped in pages of 4 KiB has 2 GiB of tables.
  public static let widestDump = 1 << 21

  /// What one dump grants, by the pages that it stores: what an honest dump needs for each page, with
  /// a wide margin, so that a small file cannot cost what only a large one may.
  ///
  /// - Parameter pages: at most `widestDump`.
  static func usual(_ part: WorkPart, pages: Int) -> Int {
    switch part {
    // Sixty-four passes over tables that fill the whole dump; `inherit` makes about twenty.
    case .entries: min(1 << 26 + pages << 15, 1 << 34)
    // An honest kernel has none; a few overwritten pointers make hundreds.
    case .revisits: 1 << 13
    // A run needs at least an entry, of which a page has 512.
    case .runs: min(1 << 18 + pages << 9, 1 << 24)
    // The smallest objects that are read in numbers have 40 bytes.
    case .objects: min(1 << 20 + pages << 8, 1 << 28)
    case .pages: min(1 << 18 + pages << 8, 1 << 32)
    // An entry of 8 bytes is a line of about 110, a run about as much.
    case .output: 1 << 26 + pages << 17
    }
  }
}
