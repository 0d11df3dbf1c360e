// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// One program header; all numbers as in the file.
///
/// Source: System V ABI, chapter 5, "Program Header": `p_type` (4), `p_flags` (4), then `p_offset`,
/// `p_vaddr`, `p_paddr`, `p_filesz`, `p_memsz` and `p_align` of 8 bytes.
public struct ELFSegment: Hashable, Sendable {
  public static let byteCount = 56
  /// In a file of 32 bits.
  static let narrowByteCount = 32

  /// Values of `p_type`.
  public enum Kind {
    public static let load: UInt32 = 1
    public static let note: UInt32 = 4
  }

  public var type: UInt32
  public var flags: UInt32
  public var offset: UInt64
  public var virtual: UInt64
  public var physical: UInt64
  /// Bytes in the file and in memory.
  public var fileSize: UInt64
  public var memorySize: UInt64
  public var alignment: UInt64

  public init(
    type: UInt32, flags: UInt32 = 0, offset: UInt64, virtual: UInt64 = 0, physical: UInt64 = 0,
    fileSize: UInt64, memorySize: UInt64, alignment: UInt64
  ) {
    self.type = type
    self.flags = flags
    self.offset = offset
    self.virtual = virtual
    self.physical = physical
    self.fileSize = fileSize
    self.memorySize = memorySize
    self.alignment = alignment
  }

  /// `nil` where the bytes end before the record does.
  init?(_ bytes: [UInt8], at start: Int) {
    do throws(BoundsError) {
      self.init(
        type: try bytes.littleEndian(at: start), flags: try bytes.littleEndian(at: start + 4),
        offset: try bytes.littleEndian(at: start + 8),
        virtual: try bytes.littleEndian(at: start + 16),
        physical: try bytes.littleEndian(at: start + 24),
        fileSize: try bytes.littleEndian(at: start + 32),
        memorySize: try bytes.littleEndian(at: start + 40),
        alignment: try bytes.littleEndian(at: start + 48))
    } catch {
      return nil
    }
  }

  /// A record of 32 bits: `p_type`, `p_offset`, `p_vaddr`, `p_paddr`, `p_filesz`, `p_memsz`, `p_flags`,
  /// `p_align`, 4 bytes each.
  init?(narrow bytes: [UInt8], at start: Int) {
    var words: [UInt32] = []
    for index in 0..<8 {
      guard let word: UInt32 = try? bytes.littleEndian(at: start + 4 * index) else { return nil }
      words.append(word)
    }
    self.init(
      type: words[0], flags: words[6], offset: UInt64(words[1]), virtual: UInt64(words[2]),
      physical: UInt64(words[3]), fileSize: UInt64(words[4]), memorySize: UInt64(words[5]),
      alignment: UInt64(words[7]))
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: type)
    bytes.append(littleEndian: flags)
    for word in [offset, virtual, physical, fileSize, memorySize, alignment] {
      bytes.append(littleEndian: word)
    }
  }
}

/// One section header; all numbers as in the file.
///
/// Source: System V ABI, chapter 4, "Sections": `sh_name` (4), `sh_type` (4), `sh_flags`, `sh_addr`,
/// `sh_offset`, `sh_size` (8 each), `sh_link` (4), `sh_info` (4), `sh_addralign`, `sh_entsize` (8).
public struct ELFSectionHeader: Hashable, Sendable {
  public static let byteCount = 64

  /// Values of `sh_type`.
  public enum Kind {
    public static let program: UInt32 = 1
    public static let symbolTable: UInt32 = 2
    public static let strings: UInt32 = 3
    public static let relocations: UInt32 = 4
    public static let note: UInt32 = 7
    public static let noBytes: UInt32 = 8
  }

  /// Bits of `sh_flags`.
  public enum Flag {
    public static let merged: UInt64 = 1 << 4
    public static let compressed: UInt64 = 1 << 11
  }

  /// Where the name is in the section of names.
  public var nameOffset: UInt32 = 0
  public var type: UInt32 = 0
  public var flags: UInt64 = 0
  public var address: UInt64 = 0
  public var offset: UInt64 = 0
  public var byteCount: UInt64 = 0
  public var link: UInt32 = 0
  public var info: UInt32 = 0
  public var alignment: UInt64 = 0
  public var recordSize: UInt64 = 0

  public init() {}

  /// `nil` where the bytes end before the record does.
  init?(_ bytes: [UInt8], at start: Int) {
    do throws(BoundsError) {
      nameOffset = try bytes.littleEndian(at: start)
      type = try bytes.littleEndian(at: start + 4)
      flags = try bytes.littleEndian(at: start + 8)
      address = try bytes.littleEndian(at: start + 16)
      offset = try bytes.littleEndian(at: start + 24)
      byteCount = try bytes.littleEndian(at: start + 32)
      link = try bytes.littleEndian(at: start + 40)
      info = try bytes.littleEndian(at: start + 44)
      alignment = try bytes.littleEndian(at: start + 48)
      recordSize = try bytes.littleEndian(at: start + 56)
    } catch {
      return nil
    }
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: nameOffset)
    bytes.append(littleEndian: type)
    for word in [flags, address, offset, byteCount] { bytes.append(littleEndian: word) }
    bytes.append(littleEndian: link)
    bytes.append(littleEndian: info)
    bytes.append(littleEndian: alignment)
    bytes.append(littleEndian: recordSize)
  }
}
