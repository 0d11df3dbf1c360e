// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState

/// Reconstructed tables as a small ELF core file, which can be read like a dump.
///
/// One PT_LOAD per stretch of neighbouring pages: the arena at its own addresses, which are outside
/// the crashed machine's RAM, and, where the new tables still lead to old ones, those at theirs. One
/// note of type 1 and name `IOMMUSCOPE-ROOTS` holds a line of text for each unit:
///
///     unit=dmar0 root=0x100000000 mode=legacy cap=0x… ecap=0x… segment=0
///
/// Source: System V ABI, chapters 4 and 5; e_type ET_CORE, e_machine EM_X86_64.
public struct TableImage {
  /// What the note says of one unit.
  public struct Root: Hashable, Sendable {
    public var unit: String
    public var segment: UInt32
    public var rootTable: PhysicalAddress
    /// `legacy`, `extended` or `scalable`.
    public var mode: String
    public var capability: UInt64
    public var extendedCapability: UInt64

    public init(
      unit: String, segment: UInt32, rootTable: PhysicalAddress, mode: String, capability: UInt64,
      extendedCapability: UInt64
    ) {
      self.unit = unit
      self.segment = segment
      self.rootTable = rootTable
      self.mode = mode
      self.capability = capability
      self.extendedCapability = extendedCapability
    }

    fileprivate var line: String {
      "unit=\(unit) root=\(rootTable) mode=\(mode) cap=\(capability.hexadecimal) "
        + "ecap=\(extendedCapability.hexadecimal) segment=\(segment)\n"
    }
  }

  public static let noteName = "IOMMUSCOPE-ROOTS"
  public static let noteType: UInt32 = 1

  private let arena: TableArena
  private let roots: [Root]
  private let segments: [(frames: Range<UInt64>, memory: any PhysicalMemory)]

  /// - Parameters:
  ///   - frames: old pages to include, ascending; those that `memory` lacks are left out.
  public init(
    _ arena: TableArena, roots: [Root], keeping frames: [UInt64], of memory: any PhysicalMemory
  ) {
    self.arena = arena
    self.roots = roots
    var segments: [(frames: Range<UInt64>, memory: any PhysicalMemory)] = []
    for frame in frames where (try? memory.page(frame)) != nil && arena.absence(frame) != nil {
      if let last = segments.last, last.frames.upperBound == frame {
        segments[segments.count - 1].frames = last.frames.lowerBound..<frame + 1
      } else {
        segments.append((frame..<frame + 1, memory))
      }
    }
    for range in arena.memoryFrames { segments.append((range, arena)) }
    self.segments = segments.sorted { $0.frames.lowerBound < $1.frames.lowerBound }
  }

  /// Hands the file to `sink`, piece by piece, in order.
  public func write<E: Error>(_ sink: ([UInt8]) throws(E) -> Void) throws(E) {
    let note = noteBytes
    let headers = segments.count + 1
    // More headers than the field can tell need section 0; tables are never that scattered.
    let shown = min(headers, 0xfffe)
    let noteOffset = 64 + 56 * shown
    let dataOffset = (noteOffset + note.count + Page.size - 1) & ~(Page.size - 1)
    var head = ByteWriter()
    head.bytes += [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8)
    head.add(4 as UInt16)
    head.add(62 as UInt16)
    head.add(1 as UInt32)
    head.add(0 as UInt64)
    head.add(64 as UInt64)
    head.add(0 as UInt64)
    head.add(0 as UInt32)
    head.add(64 as UInt16)
    head.add(56 as UInt16)
    head.add(UInt16(shown))
    head.add(0 as UInt16)
    head.add(0 as UInt16)
    head.add(0 as UInt16)
    head.programHeader(
      type: 4, flags: 0, offset: UInt64(noteOffset), physical: 0, size: UInt64(note.count))
    var offset = UInt64(dataOffset)
    for segment in segments.prefix(shown - 1) {
      let size = UInt64(segment.frames.count) << 12
      head.programHeader(
        type: 1, flags: 7, offset: offset, physical: segment.frames.lowerBound << 12, size: size)
      offset += size
    }
    head.bytes += note
    head.bytes += [UInt8](repeating: 0, count: dataOffset - head.bytes.count)
    try sink(head.bytes)
    for segment in segments.prefix(shown - 1) {
      for frame in segment.frames {
        // Pages were seen to be there; one that is gone now is a page of zeros.
        let page = (try? segment.memory.page(frame)) ?? .zero
        try sink(page.withBytes { (try? $0.copy(at: 0, count: Page.size)) ?? [] })
      }
    }
  }

  private var noteBytes: [UInt8] {
    let name = Array((Self.noteName + "\0").utf8)
    let text = Array(roots.map(\.line).joined().utf8)
    var note = ByteWriter()
    note.add(UInt32(name.count))
    note.add(UInt32(clamping: text.count))
    note.add(Self.noteType)
    note.bytes += name
    note.pad(to: 4)
    note.bytes += text
    note.pad(to: 4)
    return note.bytes
  }
}

private struct ByteWriter {
  var bytes: [UInt8] = []

  mutating func add(_ value: some FixedWidthInteger) {
    var value = value
    for _ in 0..<value.bitWidth / 8 {
      bytes.append(UInt8(truncatingIfNeeded: value))
      value >>= 8
    }
  }

  mutating func pad(to alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  mutating func programHeader(
    type: UInt32, flags: UInt32, offset: UInt64, physical: UInt64, size: UInt64
  ) {
    add(type)
    add(flags)
    add(offset)
    add(0 as UInt64)
    add(physical)
    add(size)
    add(type == 1 ? size : 0)
    add(type == 1 ? 4096 as UInt64 : 4)
  }
}
