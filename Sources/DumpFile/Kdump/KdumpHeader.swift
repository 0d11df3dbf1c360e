// SPDX-License-Identifier: Apache-2.0

import Memory

/// The headers of a kdump-compressed dump, or of one part of a split one.
///
/// All numbers are little-endian; a block is 4096 bytes here.
///
///     block 0               struct disk_dump_header:
///         0  signature      8 bytes, "KDUMP   " or "DISKDUMP"
///         8  header_version 4
///        12  utsname        6 × 65: sysname, nodename, release, version, machine, domainname
///       408  timestamp      8 + 8, seconds and microseconds
///       424  status         4, codec flags; 0x8 if space ran out
///       428  block_size     4
///       432  sub_hdr_size   4, blocks
///       436  bitmap_blocks  4, both bitmaps together
///       440  max_mapnr      4, frames
///     block 1               struct kdump_sub_header ("KDUMP   " alone has this one):
///         0  phys_base      8
///         8  dump_level     4, since version 1
///        12  split          4, since version 2
///        16  start_pfn      8, since version 2; 32 bits are used
///        24  end_pfn        8, since version 2; 32 bits are used, exclusive
///        32  vmcoreinfo     8 + 8, offset and size, since version 3
///        48  note           8 + 8, offset and size, since version 4
///        64  eraseinfo      8 + 8, offset and size, since version 5
///        80  start_pfn_64   8, since version 6
///        88  end_pfn_64     8, since version 6, exclusive
///        96  max_mapnr_64   8, since version 6
///     block 1 + sub_hdr_size               first bitmap: frames that are memory
///     then, at half of bitmap_blocks       second bitmap: frames that are in the dump
///     block 1 + sub_hdr_size + bitmap_blocks   page descriptors, then page data
///
/// Source: makedumpfile, `diskdump_mod.h` and `IMPLEMENTATION`, "The kdump-compressed format".
struct KdumpHeader: Hashable, Sendable {
  static let kdumpSignature = Array("KDUMP   ".utf8)
  static let diskdumpSignature = Array("DISKDUMP".utf8)
  static let blockSize: UInt64 = 4096
  /// `status` bit that makedumpfile sets when it ran out of space.
  private static let incompleteFlag: UInt32 = 0x8

  /// What all parts of one split set have in common.
  struct Identity: Hashable, Sendable {
    var version: Int32
    var release: String
    var systemVersion: String
    var machine: String
    /// Seconds since 1970; 0 if not known.
    var timestamp: Int
    var frameLimit: UInt64
    var bitmapBlocks: UInt64
  }

  var identity: Identity
  /// `phys_base`, or `nil` for diskdump.
  var physicalBase: UInt64?
  var dumpLevel: Int?
  /// The frames this part stores, or `nil` if the dump is not split.
  var splitFrames: Range<UInt64>?
  /// Offset and size in bytes, or `nil` if there is none.
  var vmcoreinfo: (offset: UInt64, length: UInt64)? {
    vmcoreinfoLength == 0 ? nil : (vmcoreinfoOffset, vmcoreinfoLength)
  }
  var notes: (offset: UInt64, length: UInt64)? {
    notesLength == 0 ? nil : (notesOffset, notesLength)
  }
  /// Offset of the first bitmap.
  var bitmapOffset: UInt64
  /// Whether makedumpfile ran out of space.
  var isIncomplete: Bool

  private var vmcoreinfoOffset: UInt64 = 0
  private var vmcoreinfoLength: UInt64 = 0
  private var notesOffset: UInt64 = 0
  private var notesLength: UInt64 = 0

  /// Reads the headers at the start of `bytes`, whose signature was recognised.
  init(_ bytes: DumpBytes) throws(DumpError) {
    do {
      self = try Self(
        reading: bytes, isDiskdump: bytes.copy(at: 0, length: 8) == Self.diskdumpSignature)
    } catch let error as DumpError {
      throw error
    } catch {
      throw DumpError(
        bytes.name, .corrupt,
        "expected kdump headers of two blocks of 4096 bytes, found \(bytes.count) bytes; "
          + "the file is cut in its headers, copy the dump again")
    }
  }

  /// Machines that are not x86_64, as their kernels call them (`uname -m`).
  ///
  /// The header's copy of `utsname` is a hint: QEMU knows nothing of the guest's kernel and writes
  /// `Unknown`, makedumpfile before 1.6.9 copies it from 4 bytes too far on with Linux 5.11 and later,
  /// so that the machine reads `64`. Only a name that is whole and another one's is believed.
  private static let otherMachines: Set<String> = [
    "aarch64", "aarch64_be", "alpha", "arm", "armv7l", "armv8l", "i386", "i486", "i586", "i686",
    "ia64", "loongarch64", "mips", "mips64", "parisc64", "ppc", "ppc64", "ppc64le", "riscv32",
    "riscv64", "s390", "s390x", "sparc64",
  ]

  private init(reading bytes: DumpBytes, isDiskdump: Bool) throws {
    func word(_ offset: UInt64) throws -> UInt64 { try bytes.littleEndian(at: offset) }
    func half(_ offset: UInt64) throws -> UInt32 { try bytes.littleEndian(at: offset) }
    func name(_ index: UInt64) throws -> String {
      let field = try bytes.copy(at: 12 + 65 * index, length: 65).prefix { $0 != 0 }
      return String(decoding: field, as: UTF8.self)
    }

    let machine = try name(4)
    guard !Self.otherMachines.contains(machine) else {
      throw DumpError(
        bytes.name, .unsupported,
        "expected a dump of an x86_64 machine, found machine \"\(machine.sanitized)\"; "
          + "only dumps of x86_64 machines are supported")
    }
    let blockSize = try half(428)
    guard UInt64(blockSize) == Self.blockSize else {
      // A dump of the other byte order, or of a 32-bit machine, whose header is 12 bytes shorter.
      let cause =
        blockSize.byteSwapped == UInt32(Self.blockSize)
        ? "big-endian" : try half(416) == UInt32(Self.blockSize) ? "32-bit" : nil
      throw DumpError(
        bytes.name, .unsupported,
        "expected blocks of 4096 bytes, found \(blockSize)"
          + (cause.map { " (a \($0) dump)" } ?? "")
          + "; only dumps of x86_64 machines are supported")
    }
    let version = Int32(bitPattern: try half(8))
    guard version >= 0 else {
      throw DumpError(
        bytes.name, .corrupt, "expected header version 0 to 6, found \(version); it is damaged")
    }
    let subheaderBlocks = UInt64(try half(432))
    let bitmapBlocks = UInt64(try half(436))
    guard subheaderBlocks <= UInt32.max >> 1, bitmapBlocks > 0 else {
      throw DumpError(
        bytes.name, .corrupt,
        "expected a sub header and a bitmap, found sizes of \(subheaderBlocks) and "
          + "\(bitmapBlocks) blocks; the header is damaged")
    }
    // Both counts are below 2³², so this is below 2⁴⁵.
    bitmapOffset = (1 + subheaderBlocks) * Self.blockSize
    isIncomplete = try half(424) & Self.incompleteFlag != 0
    identity = Identity(
      version: version, release: try name(2), systemVersion: try name(3), machine: machine,
      timestamp: Int(Int64(bitPattern: try word(408))), frameLimit: UInt64(try half(440)),
      bitmapBlocks: bitmapBlocks)

    guard !isDiskdump else { return }
    let sub = Self.blockSize
    physicalBase = try word(sub)
    if version >= 1 { dumpLevel = Int(Int32(bitPattern: try half(sub + 8))) }
    if version >= 3 {
      vmcoreinfoOffset = try word(sub + 32)
      vmcoreinfoLength = try word(sub + 40)
    }
    if version >= 4 {
      notesOffset = try word(sub + 48)
      notesLength = try word(sub + 56)
    }
    if version >= 6, case let limit = try word(sub + 96), limit != 0 {
      identity.frameLimit = limit
    }
    if version >= 2, try half(sub + 12) != 0 {
      let fields =
        version >= 6 ? (start: sub + 80, end: sub + 88) : (start: sub + 16, end: sub + 24)
      let start = try word(fields.start)
      let end = try word(fields.end)
      guard start <= end else {
        throw DumpError(
          bytes.name, .corrupt,
          "expected a range of frames for this part of a split dump, found "
            + "\(start.hexadecimal) to \(end.hexadecimal); the header is damaged")
      }
      splitFrames = start..<end
    }
  }
}
