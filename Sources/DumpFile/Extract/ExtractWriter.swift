// SPDX-License-Identifier: Apache-2.0

internal import ELF
internal import Files
public import Memory

/// Writes an extract: a small ELF core with the pages that an analysis read, and `ExtractNote`.
///
///     0x0000  ELF header, program headers (one PT_NOTE, one PT_LOAD for each run of pages)
///             notes: VMCOREINFO as the dump has it, IOMMUSCOPE
///             pages, from the next multiple of 4096 on; parts of pages where the dump has no more
///
/// Pages of zeros are not stored but noted. Equal inputs give equal bytes. Other tools read the
/// file as the core of a machine with very little memory.
public struct ExtractWriter: Sendable {
  /// Frames whose pages are stored, ascending.
  private var frames: [UInt64] = []
  /// Frames of pages that are stored as far as the dump has them, ascending.
  private var parts: [UInt64] = []
  private let memory: any PhysicalMemory
  private let vmcoreinfo: [UInt8]?
  public private(set) var note = ExtractNote()
  private let redaction: Redaction?
  private let purposes: [UInt64: ReadingPurpose]
  /// What travels, by what it was read for.
  public private(set) var manifest = ExtractManifest(of: [], for: [:])

  /// From so many program headers on, their number stands in a section header; tests lower it.
  var extendedCountLimit = ELFCore.extendedCountLimit

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
  ///   - purposes: what each frame was read for, for the manifest.
  ///   - redaction: what is left out.
  public init(
    _ dump: DumpFile, frames: some Sequence<UInt64>, probed: some Sequence<UInt64> = [],
    symbols: [String: [KernelAddress]] = [:], facts: [String: String] = [:],
    purposes: [UInt64: ReadingPurpose] = [:], redaction: Redaction? = nil
  ) {
    self.redaction = redaction
    self.purposes = purposes
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
        if redaction?.coversPage(frame) == true {
          note.absences.append(
            ExtractNote.AbsentRun(
              frames: frame..<frame + 1, pageOffset: 0, absence: Redaction.absence,
              isKnownUnread: true))
        } else if try memory.page(frame).isZero {
          Self.append(frame, to: &note.zeroFrames)
        } else {
          self.frames.append(frame)
        }
      } catch {
        append(frame, error)
        if isRead, memory.part(frame) != nil { parts.append(frame) }
      }
    }
    if let redaction { note(redaction) }
    guard !purposes.isEmpty else { return }
    manifest = ExtractManifest(of: self.frames + parts, for: purposes)
    note.facts = note.facts.filter { !$0.key.hasPrefix(ExtractManifest.key) }
    note.facts.merge(manifest.facts) { _, new in new }
  }

  /// Says in the note what is left out, and how much of it there was.
  private mutating func note(_ redaction: Redaction) {
    var counts: [Redaction.Kind: Int] = [:]
    for run in note.absences where run.absence == Redaction.absence {
      counts[.log, default: 0] += run.frames.count << 12
    }
    for frame in frames + parts {
      for (kind, count) in redacted(frame).counts { counts[kind, default: 0] += count }
    }
    for kind in Redaction.Kind.allCases {
      note.facts[Redaction.key + kind.rawValue] = String(counts[kind] ?? 0)
    }
    if !note.obstacles.contains(Redaction.obstacle) { note.obstacles.append(Redaction.obstacle) }
  }

  /// Bytes that were left out, by kind; empty for an extract that has everything.
  public var redacted: [(kind: Redaction.Kind, bytes: Int)] {
    Redaction.Kind.allCases.compactMap { kind in
      note.facts[Redaction.key + kind.rawValue].flatMap { Int($0) }.map { (kind, $0) }
    }
  }

  /// A page as it is stored, or the part of it that the dump has.
  private func redacted(_ frame: UInt64) -> (bytes: [UInt8], counts: [Redaction.Kind: Int]) {
    guard let page = (try? memory.page(frame)) ?? memory.part(frame)?.page else { return ([], [:]) }
    let bytes = page.withBytes { span in (try? span.copy(at: 0, count: Page.size)) ?? [] }
    guard let redaction, bytes.count == Page.size else { return (bytes, [:]) }
    return redaction.apply(
      bytes, frame: frame,
      looksForTexts: ![.symbols, .types, .tables].contains(purposes[frame] ?? .other))
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
  ///
  /// - Parameter compressed: packed as gzip(1) would.
  /// - Returns: the file's size in bytes.
  @discardableResult
  public func write(to path: String, compressed: Bool = false) throws(DumpError) -> UInt64 {
    let file: OutputFile
    do {
      file = try OutputFile(path, keeping: [])
    } catch {
      throw DumpError(error)
    }
    var size: UInt64 = 0
    func write(_ part: [UInt8]) throws(DumpError) {
      size += UInt64(part.count)
      do throws(FileError) {
        try file.output.write(part)
      } catch {
        throw DumpError(error)
      }
    }
    if compressed {
      guard let encoder = GzipEncoder() else {
        throw DumpError(path, .unsupported, "zlib has no memory to pack with; write it unpacked")
      }
      try emit(path) { (part: [UInt8]) throws(DumpError) in try encoder.take(part, write) }
      try encoder.finish(write)
    } else {
      try emit(path, write)
    }
    do {
      try file.commit()
    } catch {
      throw DumpError(error)
    }
    return size
  }

  /// Hands the file to `sink` front to back.
  private func emit(
    _ path: String, _ sink: ([UInt8]) throws(DumpError) -> Void
  ) throws(DumpError) {
    var runs: [Range<UInt64>] = []
    for frame in frames { Self.append(frame, to: &runs) }
    let pieces = parts.flatMap { frame in
      (memory.part(frame)?.ranges ?? []).map { (frame: frame, range: $0) }
    }
    let text = note.encoded
    guard text.count <= Int(UInt32.max) / 2 else {
      throw DumpError(
        path, .unsupported, "expected a note below 2 GiB, found \(text.count) bytes; extract less")
    }
    var notes: [ELFNote] = []
    if let vmcoreinfo { notes.append(ELFNote(name: "VMCOREINFO", type: 0, bytes: vmcoreinfo)) }
    notes.append(ELFNote(name: ExtractNote.name, type: ExtractNote.version, bytes: text))
    let addresses = pieces.map { frame, range in
      frame << 12 + UInt64(range.lowerBound)..<frame << 12 + UInt64(range.upperBound)
    }
    try sink(
      ELFCore(
        notes: notes, runs: runs, parts: addresses, extendedCountLimit: extendedCountLimit
      ).head)
    for frame in frames {
      let page: Page
      do {
        page = try memory.page(frame)
      } catch {
        // It could be read a moment ago.
        throw DumpError(path, .corrupt, "cannot read a page again: \(error)")
      }
      try sink(
        redaction == nil
          ? page.withBytes { span in (try? span.copy(at: 0, count: Page.size)) ?? [] }
          : redacted(frame).bytes)
    }
    for (frame, range) in pieces {
      guard let part = memory.part(frame), part.covers(range) else {
        throw DumpError(path, .corrupt, "cannot read a part of page \(frame.hexadecimal) again")
      }
      try sink(
        redaction == nil
          ? part.page.withBytes { span in
            (try? span.copy(at: range.lowerBound, count: range.count)) ?? []
          } : Array(redacted(frame).bytes[range]))
    }
  }
}
