// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// The header of a little-endian ELF file, as it stands; of 64 bits unless asked for the other class.
///
///     0x00  e_ident: 7f 45 4c 46, class, data, version, …   0x28  e_shoff (8)
///     0x10  e_type (2), e_machine (2), e_version (4)        0x30  e_flags (4), e_ehsize (2)
///     0x18  e_entry (8)                                     0x36  e_phentsize (2), e_phnum (2)
///     0x20  e_phoff (8)                                     0x3a  e_shentsize, e_shnum, e_shstrndx
///
/// Nothing is followed before it is asked for, and every count and offset is checked against the
/// file first.
///
/// Source: System V ABI, chapter 4, "ELF Header"; elf(5) for `PN_XNUM`.
public struct ELFHeader: Hashable, Sendable {
  public static let signature: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
  /// Bytes in the header.
  public static let byteCount = 64
  /// `e_phnum` (`PN_XNUM`) and `e_shstrndx` (`SHN_XINDEX`) of a number that section 0 holds.
  static let extended: UInt16 = 0xffff

  /// Values of `e_type`.
  public enum Kind {
    public static let relocatable: UInt16 = 1
    public static let executable: UInt16 = 2
    public static let shared: UInt16 = 3
    public static let core: UInt16 = 4
  }

  /// `e_machine` of x86_64.
  public static let amd64: UInt16 = 62
  /// `e_machine` of 32-bit x86.
  public static let i386: UInt16 = 3

  /// Whether addresses and offsets have 32 bits (`ELFCLASS32`); the header has 52 bytes then.
  public var isNarrow = false

  /// `e_type`.
  public var type: UInt16
  /// `e_machine`.
  public var machine: UInt16
  /// `e_flags`.
  public var flags: UInt32
  /// `e_phoff`, `e_phentsize`, `e_phnum`.
  var programHeaders: Table
  /// `e_shoff`, `e_shentsize`, `e_shnum`.
  var sectionHeaders: Table
  /// `e_shstrndx`.
  var sectionNames: UInt16

  struct Table: Hashable {
    var offset: UInt64
    var recordSize: UInt16
    var count: UInt16
  }

  /// - Parameter narrow: whether a file of 32 bits will do too.
  /// - Throws: `ELFError` for a file that is too short, no ELF, of another class or big-endian, found
  ///   in this order.
  public init(_ source: some ELFSource, narrow: Bool = false) throws(ELFError) {
    guard let identification = source.elfBytes(at: 0, count: 16) else { throw .noHeader }
    guard identification.starts(with: Self.signature) else { throw .notELF }
    let isNarrow = narrow && identification[4] == 1
    guard isNarrow || identification[4] == 2 else { throw .otherClass(identification[4]) }
    guard identification[5] == 1 else { throw .otherEncoding(identification[5]) }
    guard !isNarrow else {
      self = try Self(narrow: source)
      return
    }
    guard let bytes = source.elfBytes(at: 0, count: Self.byteCount) else { throw .noHeader }
    do throws(BoundsError) {
      type = try bytes.littleEndian(at: 0x10)
      machine = try bytes.littleEndian(at: 0x12)
      flags = try bytes.littleEndian(at: 0x30)
      programHeaders = Table(
        offset: try bytes.littleEndian(at: 0x20), recordSize: try bytes.littleEndian(at: 0x36),
        count: try bytes.littleEndian(at: 0x38))
      sectionHeaders = Table(
        offset: try bytes.littleEndian(at: 0x28), recordSize: try bytes.littleEndian(at: 0x3a),
        count: try bytes.littleEndian(at: 0x3c))
      sectionNames = try bytes.littleEndian(at: 0x3e)
    } catch {
      throw .noHeader
    }
  }

  /// A header of 32 bits: `e_phoff` at 0x1c, `e_shoff` at 0x20, `e_flags` at 0x24, and the rest two bytes
  /// each from `e_ehsize` at 0x28 on.
  private init(narrow source: some ELFSource) throws(ELFError) {
    guard let bytes = source.elfBytes(at: 0, count: Self.narrowByteCount) else { throw .noHeader }
    do throws(BoundsError) {
      type = try bytes.littleEndian(at: 0x10)
      machine = try bytes.littleEndian(at: 0x12)
      flags = try bytes.littleEndian(at: 0x24)
      programHeaders = Table(
        offset: UInt64(try bytes.littleEndian(at: 0x1c, as: UInt32.self)),
        recordSize: try bytes.littleEndian(at: 0x2a), count: try bytes.littleEndian(at: 0x2c))
      sectionHeaders = Table(
        offset: UInt64(try bytes.littleEndian(at: 0x20, as: UInt32.self)),
        recordSize: try bytes.littleEndian(at: 0x2e), count: try bytes.littleEndian(at: 0x30))
      sectionNames = try bytes.littleEndian(at: 0x32)
      isNarrow = true
    } catch {
      throw .noHeader
    }
  }

  private static let narrowByteCount = 52

  // MARK: Counts

  /// How many program headers there are; section 0 knows where the header's 16 bits do not suffice.
  public func segmentCount(in source: some ELFSource) throws(ELFError) -> UInt64 {
    guard programHeaders.count == Self.extended else { return UInt64(programHeaders.count) }
    return UInt64(try firstSection(in: source).info)
  }

  /// How many section headers there are, the reserved first one included.
  public func sectionCount(in source: some ELFSource) throws(ELFError) -> UInt64 {
    guard sectionHeaders.offset != 0 else { return 0 }
    guard sectionHeaders.count == 0 else { return UInt64(sectionHeaders.count) }
    return try firstSection(in: source).byteCount
  }

  /// The index of the section that holds the sections' names; 0 for none.
  public func nameSection(in source: some ELFSource) throws(ELFError) -> UInt64 {
    guard sectionNames == Self.extended else { return UInt64(sectionNames) }
    return UInt64(try firstSection(in: source).link)
  }

  private func firstSection(in source: some ELFSource) throws(ELFError) -> ELFSectionHeader {
    let offset = sectionHeaders.offset
    guard offset >= UInt64(Self.byteCount),
      Int(sectionHeaders.recordSize) == ELFSectionHeader.byteCount,
      let bytes = source.elfBytes(at: offset, count: ELFSectionHeader.byteCount),
      let section = ELFSectionHeader(bytes, at: 0)
    else { throw .noFirstSection(offset: offset) }
    return section
  }

  // MARK: Tables

  /// The program headers, in file order.
  ///
  /// - Parameter limit: more than so many are refused.
  public func segments(
    in source: some ELFSource, limit: UInt64
  ) throws(ELFError) -> [ELFSegment] {
    var result: [ELFSegment] = []
    let isNarrow = isNarrow
    try read(
      try segmentCount(in: source), from: programHeaders,
      of: isNarrow ? ELFSegment.narrowByteCount : ELFSegment.byteCount, limit, source
    ) { bytes, offset in
      let segment =
        isNarrow ? ELFSegment(narrow: bytes, at: offset) : ELFSegment(bytes, at: offset)
      if let segment { result.append(segment) }
    }
    return result
  }

  /// The section headers, in file order, the reserved first one included.
  ///
  /// - Parameter limit: more than so many are refused.
  public func sections(
    in source: some ELFSource, limit: UInt64
  ) throws(ELFError) -> [ELFSectionHeader] {
    var result: [ELFSectionHeader] = []
    try read(
      try sectionCount(in: source), from: sectionHeaders, of: ELFSectionHeader.byteCount, limit,
      source
    ) { bytes, offset in
      if let section = ELFSectionHeader(bytes, at: offset) { result.append(section) }
    }
    return result
  }

  /// Calls `body` for each record with bytes that hold it whole and where in them it starts.
  private func read(
    _ count: UInt64, from table: Table, of size: Int, _ limit: UInt64, _ source: some ELFSource,
    _ body: ([UInt8], Int) -> Void
  ) throws(ELFError) {
    guard count > 0 else { return }
    guard Int(table.recordSize) == size else {
      throw .recordSize(found: Int(table.recordSize), expected: size)
    }
    let (length, overflow) = count.multipliedReportingOverflow(by: UInt64(size))
    guard !overflow, source.holds(length, at: table.offset) else {
      throw .cut(count: count, offset: table.offset)
    }
    guard count <= limit else { throw .tooMany(count: count) }
    // A dump may have millions of them; their bytes are not kept.
    let step = 1 << 12
    var next: UInt64 = 0
    while next < count {
      let records = Int(min(UInt64(step), count - next))
      // Inside the table, whose end was found to be in the file.
      let offset = table.offset + next * UInt64(size)
      guard let bytes = source.elfBytes(at: offset, count: records * size) else {
        throw .cut(count: count, offset: table.offset)
      }
      for index in 0..<records { body(bytes, index * size) }
      next += UInt64(records)
    }
  }
}
