// SPDX-License-Identifier: Apache-2.0

public import ELF
public import Files
public import Memory

/// A crash dump: the physical memory of the machine, and what the file tells about it.
///
/// Opening reads headers, notes and bitmaps, never the pages. Everything in a file is taken for
/// hostile: a dump opens or throws, a page is read or has a reason why not.
public struct DumpFile: Sendable {
  public var format: DumpFormat
  /// The pages; safe to use from several threads.
  public var memory: any PhysicalMemory
  /// ELF notes in file order, also those that a kdump-compressed dump carries.
  public var notes: [ELFNote]
  /// What the kernel says about itself, `KEY=value` lines; `nil` if the dump has none.
  public var vmcoreinfo: [UInt8]?
  /// Where an ELF dump says that kernel virtual addresses are; empty for kdump.
  public var virtualSegments: [VirtualSegment]
  /// The kernel's `phys_base` as a kdump header has it.
  public var physicalBase: UInt64?
  /// What makedumpfile was told to leave out (`-d`), as a kdump header has it.
  public var dumpLevel: Int?
  /// The kernel's release, as a kdump header has it.
  public var release: String?
  /// When the dump was written, in seconds since 1970, as a kdump header has it.
  public var timestamp: Int?
  /// What is missing or damaged in the file, in sentences for the report.
  public var obstacles: [String]
  /// Runs of frames with bytes in the file.
  public var storedFrames: StoredFrames
  /// Bytes that the files take on their disks: a sparse one has fewer than it is long.
  public private(set) var allocatedBytes: UInt64 = 0
  /// Whether the pages are compressed, and so may be more than the file's bytes.
  public var isPacked: Bool { memory is KdumpMemory }
  /// What an extract remembers of its original; `nil` for every other dump.
  ///
  /// Of an extract, the properties above but `format`, `notes` and `storedFrames` are the
  /// original's.
  public var extract: ExtractNote?

  /// Opens one dump, or all parts of a split one in any order.
  ///
  /// A dump that is cut or has parts missing opens, with `obstacles`.
  ///
  /// - Parameter paths: at least one; several only for a split dump.
  /// - Returns: the dump, which keeps its files mapped for as long as it or a page of it lives.
  /// - Throws: `DumpError` if a file cannot be read, is no dump, is of another architecture, or if
  ///   several files do not make one dump.
  public static func open(_ paths: [String]) throws(DumpError) -> DumpFile {
    var files: [DumpBytes] = []
    for path in paths {
      files.append(try DumpBytes(mapping { () throws(FileError) in try FileMapping(path) }))
    }
    return try DumpFile(files)
  }

  /// Opens one dump, or all parts of a split one in any order, from files that are mapped already.
  ///
  /// - Throws: what `open(_:)` throws.
  ///
  /// - Parameter files: each with the physical address of its first byte where it is plain memory.
  public static func open(
    _ files: [(mapping: FileMapping, address: PhysicalAddress?)]
  ) throws(DumpError) -> DumpFile {
    var bytes: [DumpBytes] = []
    for file in files { bytes.append(try DumpBytes(file.mapping)) }
    var dump = try open(bytes, files.compactMap(\.address))
    dump.allocatedBytes = files.reduce(0) { $0 &+ UInt64($1.mapping.allocatedBytes) }
    return dump
  }

  private static func open(
    _ bytes: [DumpBytes], _ addresses: [PhysicalAddress]
  ) throws(DumpError) -> DumpFile {
    guard !addresses.isEmpty else { return try DumpFile(bytes) }
    guard addresses.count == bytes.count else {
      throw DumpError(
        bytes[0].name, .mismatch,
        "some of the files are plain memory at an address and some are not; name them alike")
    }
    return DumpFile(raw: zip(bytes, addresses).map { ($0, $1) })
  }

  /// Opens dumps that are in memory already.
  ///
  /// - Parameter contents: the bytes of each file, and its name for messages.
  /// - Returns: the dump with a copy of the bytes.
  /// - Throws: what `open(_:)` throws.
  public static func open(
    contents: [(name: String, bytes: [UInt8])]
  ) throws(DumpError) -> DumpFile {
    var files: [DumpBytes] = []
    for file in contents {
      files.append(
        try DumpBytes(
          mapping { () throws(FileError) in try FileMapping(file.bytes, name: file.name) }))
    }
    return try DumpFile(files)
  }

  /// What `open` makes, with the advice that a dump's user needs.
  private static func mapping(
    _ open: () throws(FileError) -> FileMapping
  ) throws(DumpError) -> FileMapping {
    do {
      return try open()
    } catch {
      throw DumpError(error)
    }
  }

  /// Lets a run pay for the pages that are decompressed from now on.
  public func charge(_ work: WorkBudget) { (memory as? KdumpMemory)?.charge(work) }

  init(_ files: [DumpBytes]) throws(DumpError) {
    guard let first = files.first else {
      throw DumpError("", .notADump, "expected the path of a dump, found none")
    }
    var parts: [KdumpPart] = []
    // A VMware machine's memory has no header of its own; its state, wherever it stands, tells.
    if files.count == 2, let state = files.first(where: { VMwareImage.isStart(Payload.head($0)) }) {
      try self.init(vmware: state, files.filter { $0 !== state })
      return
    }
    for file in files {
      switch try Payload(file) {
      case .elf:
        guard files.count == 1 else {
          throw DumpError(
            file.name, .mismatch,
            "expected parts of a split kdump-compressed dump, found an ELF dump; name it alone")
        }
        try self.init(elf: file)
        return
      case .kdump:
        parts.append(KdumpPart(file, try KdumpHeader(file)))
      case .lime:
        guard files.count == 1 else {
          throw DumpError(
            file.name, .mismatch, "expected parts of one dump, found a LiME image; name it alone")
        }
        let image = try LimeImage(file)
        self.init(.lime, [ELFMemory(image.segments, file)], image.obstacles)
        return
      case .vmware:
        try self.init(vmware: file, files.filter { $0 !== file })
        return
      }
    }
    try self.init(kdump: parts, isFlattened: first.isFlattened)
  }

  /// Memory without headers that would tell of a kernel.
  private init(_ format: DumpFormat, _ pieces: [ELFMemory], _ obstacles: [String]) {
    self.format = format
    let joined = JoinedMemory(pieces)
    if pieces.count == 1 {
      memory = pieces[0]
      storedFrames = StoredFrames(pieces[0])
    } else {
      memory = joined
      storedFrames = StoredFrames(joined)
    }
    notes = []
    vmcoreinfo = nil
    virtualSegments = []
    self.obstacles = obstacles + pieces.flatMap(\.obstacles)
  }

  private init(raw files: [(bytes: DumpBytes, address: PhysicalAddress)]) {
    self.init(
      .raw,
      files.map { file in
        ELFMemory(
          [
            .stored(physical: file.address.rawValue, offset: 0, byteCount: file.bytes.count)
          ], file.bytes)
      }, [])
  }

  /// - Parameter others: the `.vmem`, where the state does not hold the memory itself.
  private init(vmware state: DumpBytes, _ others: [DumpBytes]) throws(DumpError) {
    let image = try VMwareImage(state)
    if let inner = image.inner, others.isEmpty {
      self.init(
        .vmware,
        [ELFMemory(image.segments(at: inner.offset, byteCount: inner.byteCount), state)], [])
      return
    }
    guard others.count == 1 else {
      throw DumpError(
        state.name, .mismatch,
        "a VMware state whose memory is in a .vmem beside it; name both, the .vmem of the same "
          + "suspension or snapshot")
    }
    self.init(
      .vmware, [ELFMemory(image.segments(at: 0, byteCount: others[0].count), others[0])], [])
  }

  private init(elf bytes: DumpBytes) throws(DumpError) {
    let headers = try CoreHeaders(bytes)
    let elf = ELFMemory(headers, bytes)
    var list = NoteList()
    list.read(headers, from: bytes)
    var obstacles: [String] = []
    if let obstacle = bytes.obstacle { obstacles.append(obstacle) }
    if headers.isIncomplete {
      obstacles.append("makedumpfile marked the dump as incomplete: it ran out of space")
    }
    format = headers.xen != nil ? .xen : bytes.isFlattened ? .flattenedELF : .elf
    memory = elf
    notes = list.notes
    vmcoreinfo = list.vmcoreinfo
    virtualSegments = elf.virtualSegments
    self.obstacles =
      obstacles + (headers.xen?.obstacles ?? []) + list.obstacles + elf.obstacles
    storedFrames = StoredFrames(elf)
    if let own = list.notes.first(where: { $0.name == ExtractNote.name }) {
      let note = try ExtractNote(own, path: bytes.name)
      memory = ExtractMemory(elf, note)
      virtualSegments = note.virtualSegments
      physicalBase = note.physicalBase
      dumpLevel = note.dumpLevel
      release = note.release
      timestamp = note.timestamp
      // Damage to the extract comes on top of what was wrong with the original.
      self.obstacles += note.obstacles
      extract = note
    }
  }

  private init(kdump parts: [KdumpPart], isFlattened: Bool) throws(DumpError) {
    let set = try SplitSet(parts)
    let kdump = KdumpMemory(set.parts)
    memory = kdump
    format = set.isSplit ? .splitKdump : isFlattened ? .flattenedKdump : .kdump
    storedFrames = StoredFrames(kdump)
    var list = NoteList()
    var obstacles = set.obstacles
    let first = set.parts[0]
    let header = first.header
    if let place = header.notes {
      list.read(from: first.bytes, at: place.offset, length: place.length, alignment: 4)
    }
    vmcoreinfo = list.vmcoreinfo
    if let place = header.vmcoreinfo {
      if place.length <= NoteList.byteLimit, let length = Int(exactly: place.length),
        let bytes = try? first.bytes.copy(at: place.offset, length: length)
      {
        vmcoreinfo = bytes
      } else {
        obstacles.append(
          "vmcoreinfo at offset \(place.offset.hexadecimal) with \(place.length) bytes is not "
            + "wholly in the file")
      }
    }
    notes = list.notes
    virtualSegments = []
    physicalBase = header.physicalBase
    dumpLevel = header.dumpLevel
    release = header.identity.release.isEmpty ? nil : header.identity.release
    timestamp = header.identity.timestamp == 0 ? nil : header.identity.timestamp
    self.obstacles = obstacles + list.obstacles
  }
}

extension NoteList {
  /// The bytes of the kernel's note about itself.
  var vmcoreinfo: [UInt8]? { notes.first { $0.name == "VMCOREINFO" }?.bytes }
}
