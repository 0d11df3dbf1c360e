// SPDX-License-Identifier: Apache-2.0

public import Memory

/// Which dump a state was read from, and by which means.
public struct DumpSummary: Hashable, Sendable {
  /// The file's name as it was given.
  public var file: String
  /// `elf`, `kdump`, `flattened-elf`, `flattened-kdump`, `split-kdump`.
  public var format: String
  /// `uname -r` of the crashed kernel.
  public var release: String?
  /// GNU build id of the crashed kernel in hexadecimal digits.
  public var buildID: String?
  /// `dwarf` or `btf`; `nil` where the kernel's structures could not be read at all.
  public var typesFrom: String?
  /// Bytes; 4096 on x86_64.
  public var pageSize: Int
  /// Bytes by which KASLR moved the kernel's text.
  public var kaslrOffset: HexWord?
  /// The last panic message of the kernel log, one line.
  public var panic: String?
  /// Unix seconds.
  public var crashTime: Int?
  /// What of the machine's memory the file holds; `nil` where nothing tells.
  public var contents: Contents?
  /// What makedumpfile was told to leave out (`-d`); `nil` where the format does not keep it.
  public var dumpLevel: Int?

  /// What of the machine's memory a dump's file holds.
  public enum Contents: String, Hashable, Sendable, CaseIterable {
    /// Nothing says that pages were left out.
    case all
    /// A filter left kinds of pages out.
    case filtered
    /// Only the pages that an analysis of remapping needs.
    case extract
  }

  public init(
    file: String, format: String, release: String? = nil, buildID: String? = nil,
    typesFrom: String? = nil, pageSize: Int = 4096, kaslrOffset: HexWord? = nil,
    panic: String? = nil, crashTime: Int? = nil, contents: Contents? = nil, dumpLevel: Int? = nil
  ) {
    self.file = file
    self.format = format
    self.release = release
    self.buildID = buildID
    self.typesFrom = typesFrom
    self.pageSize = pageSize
    self.kaslrOffset = kaslrOffset
    self.panic = panic
    self.crashTime = crashTime
    self.contents = contents
    self.dumpLevel = dumpLevel
  }
}
