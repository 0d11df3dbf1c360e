// SPDX-License-Identifier: Apache-2.0

internal import Files
public import Memory

/// Writes an extract: a small ELF core with the pages that an analysis read, and `ExtractNote`.
///
///     0x0000  ELF header, program headers (one PT_NOTE, one PT_LOAD for each run of pages)
///             notes: VMCOREINFO as the dump has it, IOMMUSCOPE
///             pages, from the next multiple of 4096 on
///
/// Pages of zeros are not stored but noted. Equal inputs give equal bytes. Other tools read the
/// file as the core of a machine with very little memory.
public struct ExtractWriter: Sendable {
  /// Frames whose pages are stored, ascending.
  private var frames: [UInt64] = []
  private let memory: any PhysicalMemory
  private let vmcoreinfo: [UInt8]?
  public private(set) var note = ExtractNote()

  /// From so many program headers on, their number stands in a section header; tests lower it.
  var extendedCountLimit = 0xffff
  /// Bytes in a page, in an ELF header, in a program header and in a section header.
  private static let (pageSize, headerSize, segmentSize, sectionSize) = (4096, 64, 56, 64)

  /// Reads every recorded page once, to see which ones need storing.
  ///
  /// - Parameters:
  ///   - dump: the original; it must stay as it is until the extract is written.
  ///   - frames: every frame that was read or should be readable, in any order; also those that
  ///     turned out to be absent.
  ///   - probed: frames of which only the presence was asked. They are not stored; `absence(_:)`
  ///     gives the original's answer, `page(_:)` says that they are not part of the extract.
  ///   - symbols: the symbols that the analysis used. Those of an extract of an extract are kept.
  ///   - facts: whatever else should be kept; spaces in keys become underscores.
  public init(
    _ dump: DumpFile, frames: some Sequence<UInt64>, probed: some Sequence<UInt64> = [],
    symbols: [String: [KernelAddress]] = [:], facts: [String: String] = [:]
  ) {
    memory = dump.memory
    vmcoreinfo = dump.vmcoreinfo
    note.memoryFrames = dump.memory.memoryFrames
    note.virtualSegments = dump.virtualSegments
    note.physicalBase = dump.physicalBase
    note.dumpLevel = dump.dumpLevel
    note.timestamp = dump.timestamp
    note.release = dump.release
    note.obstacles = dump.obstacles
    note.symbols = (dump.extract?.symbols ?? [:]).merging(symbols) { _, new in new }
    note.facts = (dump.extract?.facts ?? [:]).merging(facts) { _, new in new }

    let read = Set(frames)
    for frame in read.union(probed).sorted() where frame < 1 << 52 {
      let isRead = read.contains(frame)
      do throws(MemoryError) {
        let absence = memory.absence(frame)
        if let absence, !isRead {
          throw MemoryError(at: PhysicalAddress(frame << 12), absence)
        }
        guard isRead else {
          Self.append(frame, to: &note.presentFrames)
          continue
        }
        if try memory.page(frame).isZero {
          Self.append(frame, to: &note.zeroFrames)
        } else {
          self.frames.append(frame)
        }
      } catch {
        append(frame, error)
      }
    }
  }

  private static func append(_ frame: UInt64, to ranges: inout [Range<UInt64>]) {
    if let last = ranges.last, last.upperBound == frame {
      ranges[ranges.count - 1] = last.lowerBound..<frame + 1
    } else {
      ranges.append(frame..<frame + 1)
    }
  }

  private mutating func append(_ frame: UInt64, _ error: MemoryError) {
    let run = ExtractNote.AbsentRun(
      frames: frame..<frame + 1, pageOffset: error.address.pageOffset, absence: error.absence,
      isKnownUnread: memory.absence(frame) != nil)
    if let last = note.absences.last, last.frames.upperBound == frame,
      last.pageOffset == run.pageOffset, last.absence == run.absence,
      last.isKnownUnread == run.isKnownUnread
    {
      note.absences[note.absences.count - 1].frames = last.frames.lowerBound..<frame + 1
    } else {
      note.absences.append(run)
    }
  }

  /// The whole file; `write(to:)` needs less memory.
  public func bytes() throws(DumpError) -> [UInt8] {
    var result: [UInt8] = []
    try emit("extract") { (part: [UInt8]) throws(DumpError) in result += part }
    return result
  }

  /// Writes the file whole or not at all; an older file of that name, even the original dump, stays
  /// as it is until the new one is complete.
  public func write(to path: String) throws(DumpError) {
    let file: OutputFile
    do {
      file = try OutputFile(path, keeping: [])
    } catch {
      throw DumpError(error)
    }
    try emit(path) { (part: [UInt8]) throws(DumpError) in
      do throws(FileError) {
        try file.output.write(part)
      } catch {
        throw DumpError(error)
      }
    }
    do {
      try file.commit()
    } catch {
      throw DumpError(error)
    }
  }

  /// Hands the file to `sink` front to back.
  private func emit(
    _ path: String, _ sink: ([UInt8]) throws(DumpError) -> Void
  ) throws(DumpError) {
    var runs: [Range<UInt64>] = []
    for frame in frames { Self.append(frame, to: &runs) }
    let text = note.encoded
    guard text.count <= Int(UInt32.max) / 2 else {
      throw DumpError(
        path, .unsupported, "expected a note below 2 GiB, found \(text.count) bytes; extract less")
    }
    var notes = Self.note("VMCOREINFO", type: 0, vmcoreinfo)
    notes += Self.note(ExtractNote.name, type: ExtractNote.version, text)

    let count = runs.count + 1
    let hasExtendedCount = count >= extendedCountLimit
    let headerSize = Self.headerSize + (hasExtendedCount ? Self.sectionSize : 0)
    let notesOffset = headerSize + Self.segmentSize * count
    let dataOffset = (notesOffset + notes.count + Self.pageSize - 1) / Self.pageSize * Self.pageSize

    var head: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    head.store(UInt16(4))  // e_type: a core
    head.store(UInt16(62))  // e_machine: x86_64
    head.store(UInt32(1))  // e_version
    head.store(UInt64(0))  // e_entry
    head.store(UInt64(headerSize))  // e_phoff
    head.store(UInt64(hasExtendedCount ? Self.headerSize : 0))  // e_shoff
    head.store(UInt32(0))  // e_flags
    head.store(UInt16(Self.headerSize))  // e_ehsize
    head.store(UInt16(Self.segmentSize))  // e_phentsize
    head.store(hasExtendedCount ? 0xffff : UInt16(count))  // e_phnum
    head.store(UInt16(hasExtendedCount ? Self.sectionSize : 0))  // e_shentsize
    head.store(UInt16(hasExtendedCount ? 1 : 0))  // e_shnum
    head.store(UInt16(0))  // e_shstrndx
    if hasExtendedCount {
      var section = [UInt8](repeating: 0, count: 44)
      section.store(UInt32(truncatingIfNeeded: count))  // sh_info
      head += section + [UInt8](repeating: 0, count: Self.sectionSize - section.count)
    }
    head.segment(
      type: 4, offset: UInt64(notesOffset), physical: 0, count: UInt64(notes.count), alignment: 4)
    var offset = UInt64(dataOffset)
    for run in runs {
      let size = (run.upperBound - run.lowerBound) << 12
      head.segment(
        type: 1, offset: offset, physical: run.lowerBound << 12, count: size,
        alignment: UInt64(Self.pageSize))
      offset += size
    }
    try sink(head)
    notes += [UInt8](repeating: 0, count: dataOffset - notesOffset - notes.count)
    try sink(notes)
    for frame in frames {
      let page: Page
      do {
        page = try memory.page(frame)
      } catch {
        // It could be read a moment ago.
        throw DumpError(path, .corrupt, "cannot read a page again: \(error)")
      }
      try sink(page.withBytes { span in (try? span.copy(at: 0, count: Page.size)) ?? [] })
    }
  }

  /// One ELF note with its padding, or nothing.
  private static func note(_ name: String, type: UInt32, _ bytes: [UInt8]?) -> [UInt8] {
    guard let bytes else { return [] }
    var result: [UInt8] = []
    result.store(UInt32(truncatingIfNeeded: name.utf8.count + 1))
    result.store(UInt32(truncatingIfNeeded: bytes.count))
    result.store(type)
    result += Array(name.utf8) + [0]
    result += [UInt8](repeating: 0, count: -result.count & 3)
    result += bytes
    result += [UInt8](repeating: 0, count: -result.count & 3)
    return result
  }
}

extension [UInt8] {
  /// Appends the little-endian bytes of `value`.
  fileprivate mutating func store<T: FixedWidthInteger>(_ value: T) {
    for index in 0..<T.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value >> T(8 * index))) }
  }

  /// Appends a program header without a virtual address.
  fileprivate mutating func segment(
    type: UInt32, offset: UInt64, physical: UInt64, count: UInt64, alignment: UInt64
  ) {
    store(type)
    store(UInt32(type == 1 ? 7 : 0))
    for word in [offset, 0, physical, count, count, alignment] { store(word) }
  }
}
