// SPDX-License-Identifier: Apache-2.0

/// Builds ELF64 cores, sound ones and every kind of unsound one.
public struct ELFDumpBuilder: Sendable {
  /// One `PT_LOAD` segment.
  public struct Segment: Sendable {
    /// `p_paddr`, a byte address.
    public var physical: UInt64
    /// The bytes in the file.
    public var bytes: [UInt8]
    /// `p_memsz`; the bytes' count unless set.
    public var memorySize: UInt64?
    /// `p_filesz`; the bytes' count unless set.
    public var fileSize: UInt64?
    /// `p_offset`; where the bytes are put unless set.
    public var offset: UInt64?
    /// `p_vaddr`.
    public var virtual: UInt64

    public init(
      _ physical: UInt64, _ bytes: [UInt8] = [], memorySize: UInt64? = nil,
      fileSize: UInt64? = nil, offset: UInt64? = nil, virtual: UInt64 = 0
    ) {
      self.physical = physical
      self.bytes = bytes
      self.memorySize = memorySize
      self.fileSize = fileSize
      self.offset = offset
      self.virtual = virtual
    }
  }

  /// Where the headers are.
  public enum Layout: Sendable {
    /// Program headers behind the ELF header, as `/proc/vmcore` and makedumpfile write them.
    case vmcore
    /// Two section headers first, program headers at 192, as QEMU writes them since 7.1.
    case qemu
  }

  public var segments: [Segment] = []
  public var notes: [FixtureNote] = []
  public var layout = Layout.vmcore
  /// Writes the count of program headers to section 0 and 0xffff to the header.
  public var hasExtendedCount = false
  /// Boundary that each segment's bytes start at.
  public var alignment = 4096
  /// Bytes by which each segment's bytes miss that boundary.
  public var misalignment = 0
  public var machine: UInt16 = 62
  public var type: UInt16 = 4
  /// 2 is 64-bit.
  public var elfClass: UInt8 = 2
  /// 1 is little-endian.
  public var encoding: UInt8 = 1
  public var flags: UInt32 = 0

  public init() {}

  /// A dump of `image` with one segment per run of frames that are in it.
  ///
  /// As makedumpfile does, excluded frames become memory without file bytes; zeros are stored.
  public init(_ image: MemoryImage, notes: [FixtureNote] = []) {
    self.notes = notes
    for range in image.memory {
      var start = range.lowerBound
      while start < range.upperBound {
        var end = start
        var bytes: [UInt8] = []
        while end < range.upperBound, !image.excluded.contains(end) {
          bytes += image.bytes(end)
          end += 1
        }
        while end < range.upperBound, image.excluded.contains(end) { end += 1 }
        segments.append(Segment(start << 12, bytes, memorySize: (end - start) << 12))
        start = end
      }
    }
  }

  public func build() -> [UInt8] {
    var file = ByteWriter()
    let hasSections = layout == .qemu || hasExtendedCount
    let sectionCount = layout == .qemu ? 2 : 1
    let headerOffset = 64 + (hasSections ? 64 * sectionCount : 0)
    let noteBytes = notes.flatMap(\.encoded)
    let count = segments.count + (notes.isEmpty ? 0 : 1)

    file.store([0x7f, 0x45, 0x4c, 0x46, elfClass, encoding, 1], at: 0)
    file.store(type, at: 16)
    file.store(machine, at: 18)
    file.store(UInt32(1), at: 20)
    file.store(UInt64(headerOffset), at: 32)
    file.store(UInt64(hasSections ? 64 : 0), at: 40)
    file.store(flags, at: 48)
    file.store(UInt16(64), at: 52)
    file.store(UInt16(56), at: 54)
    file.store(hasExtendedCount ? 0xffff : UInt16(truncatingIfNeeded: count), at: 56)
    file.store(UInt16(hasSections ? 64 : 0), at: 58)
    file.store(UInt16(hasSections ? sectionCount : 0), at: 60)
    file.grow(to: headerOffset)
    if hasExtendedCount { file.store(UInt32(count), at: 64 + 44) }

    var place = headerOffset
    func header(
      _ type: UInt32, offset: UInt64, virtual: UInt64, physical: UInt64, file size: UInt64,
      memory: UInt64
    ) {
      file.store(type, at: place)
      file.store(UInt32(type == 1 ? 7 : 0), at: place + 4)
      for (index, word) in [offset, virtual, physical, size, memory, 0].enumerated() {
        file.store(word, at: place + 8 + 8 * index)
      }
      place += 56
    }
    file.grow(to: headerOffset + 56 * count)
    if !notes.isEmpty {
      let size = UInt64(noteBytes.count)
      header(
        4, offset: UInt64(file.count), virtual: 0, physical: 0, file: size, memory: size)
      file.append(noteBytes)
    }
    for segment in segments {
      if !segment.bytes.isEmpty {
        file.align(alignment)
        file.grow(to: file.count + misalignment)
      }
      let size = segment.fileSize ?? UInt64(segment.bytes.count)
      header(
        1, offset: segment.offset ?? UInt64(file.count), virtual: segment.virtual,
        physical: segment.physical, file: size,
        memory: segment.memorySize ?? UInt64(segment.bytes.count))
      file.append(segment.bytes)
    }
    return file.bytes
  }
}
