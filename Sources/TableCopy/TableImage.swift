// SPDX-License-Identifier: Apache-2.0

internal import ELF
public import Memory
internal import RemappingState

/// Reconstructed tables as a small ELF core file, which can be read like a dump.
///
/// One PT_LOAD per stretch of neighbouring pages: the arena at its own addresses, which are outside
/// the crashed machine's RAM, and then, where the new tables still lead to old ones, those at theirs. One
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
  private let kept: [UInt64]
  private let memory: any PhysicalMemory

  /// - Parameters:
  ///   - frames: old pages to include, ascending; those that `memory` lacks are left out.
  public init(
    _ arena: TableArena, roots: [Root], keeping frames: [UInt64], of memory: any PhysicalMemory
  ) {
    self.arena = arena
    self.roots = roots
    kept = frames
    self.memory = memory
  }

  private var segments: [(frames: Range<UInt64>, memory: any PhysicalMemory)] {
    var segments: [(frames: Range<UInt64>, memory: any PhysicalMemory)] = []
    for frame in kept where (try? memory.page(frame)) != nil && arena.absence(frame) != nil {
      if let last = segments.last, last.frames.upperBound == frame {
        segments[segments.count - 1].frames = last.frames.lowerBound..<frame + 1
      } else {
        segments.append((frame..<frame + 1, memory))
      }
    }
    // The new tables come first: they are what the image is for, and where there are so many old
    // pages that the count of segments does not fit its field, a reader may stop early.
    return arena.memoryFrames.map { ($0, arena) } + segments
  }

  /// Hands the file to `sink`, piece by piece, in order.
  public func write<E: Error>(_ sink: ([UInt8]) throws(E) -> Void) throws(E) {
    let segments = segments
    let text = Array(roots.map(\.line).joined().utf8)
    let notes = [ELFNote(name: Self.noteName, type: Self.noteType, bytes: text)]
    try sink(ELFCore(notes: notes, runs: segments.map(\.frames)).head)
    for segment in segments {
      for frame in segment.frames {
        // Pages were seen to be there; one that is gone now is a page of zeros.
        let page = (try? segment.memory.page(frame)) ?? .zero
        try sink(page.withBytes { (try? $0.copy(at: 0, count: Page.size)) ?? [] })
      }
    }
  }
}
