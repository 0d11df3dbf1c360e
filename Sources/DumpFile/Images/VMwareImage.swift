// SPDX-License-Identifier: Apache-2.0

internal import ELF
internal import Memory

/// Where a VMware virtual machine's memory is, as its suspended state (`.vmss`) or a snapshot
/// (`.vmsn`) says; the bytes are in the state file itself or in the `.vmem` beside it.
///
///      0  id         4, 0xbed2bed0 and its kin
///      4  version    4
///      8  groups     4, then as many records of 80: name (64), position (8), size (8)
///
/// A group is a list of tags: value size and number of indices in one byte (6 and 2 bits), length of the
/// name in the next, the name, the indices (4 each), the value. Value sizes 62 and 63 are blocks: size in
/// the file (8), size in memory (8), padding (2), the padding, the bytes. A tag of 0 ends the group.
///
/// Source: crash, `vmware_vmss.c` and `vmware_vmss.h`.
struct VMwareImage {
  /// The first four bytes, little-endian; the oldest form, 0xbed0bed0, has offsets of 32 bits.
  private static let signatures: [UInt32] = [0xbed2_bed0, 0xbed2_bed2, 0xbed3_bed3, 0xbad1_bad1]
  private static let oldSignature: UInt32 = 0xbed0_bed0
  private static let groupLimit: UInt32 = 1 << 12
  private static let tagLimit = 1 << 16
  private static let regionLimit: UInt32 = 1 << 10
  private static let pageShift: UInt64 = 12

  /// A run of pages: where it starts in the memory file and in physical memory, in pages.
  struct Region: Hashable {
    var filePage: UInt64 = 0
    var frame: UInt64 = 0
    var pages: UInt64 = 0
  }

  private(set) var regions: [Region] = []
  /// The memory inside the state file itself: offset and bytes.
  private(set) var inner: (offset: UInt64, byteCount: UInt64)?

  /// Whether a file with these first bytes is a machine's state.
  static func isStart(_ head: [UInt8]) -> Bool {
    guard let word: UInt32 = try? head.littleEndian(at: 0) else { return false }
    return signatures.contains(word) || word == oldSignature
  }

  init(_ bytes: DumpBytes) throws(DumpError) {
    func damaged(_ what: String) -> DumpError {
      DumpError(bytes.name, .corrupt, "the VMware state is damaged: \(what)")
    }
    guard let id: UInt32 = try? bytes.littleEndian(at: 0),
      let count: UInt32 = try? bytes.littleEndian(at: 8), count <= Self.groupLimit
    else { throw damaged("its header is cut or has too many groups") }
    guard id != Self.oldSignature else {
      throw DumpError(
        bytes.name, .unsupported,
        "a VMware state of the 32-bit form, which is not read; convert it with vmss2core -N")
    }
    for index in 0..<count {
      guard let record = try? bytes.copy(at: 12 + 80 * UInt64(index), length: 80),
        let position: UInt64 = try? record.littleEndian(at: 64)
      else { throw damaged("its list of groups is cut") }
      let name = String(decoding: record[..<64].prefix { $0 != 0 }, as: UTF8.self)
      if name == "memory" { try readMemory(bytes, at: position) }
    }
  }

  private mutating func readMemory(_ bytes: DumpBytes, at start: UInt64) throws(DumpError) {
    var position = start
    for _ in 0..<Self.tagLimit {
      guard let tag: UInt16 = try? bytes.littleEndian(at: position), tag != 0 else { return }
      let nameLength = Int(tag >> 8)
      let indexCount = Int(tag >> 6 & 3)
      let valueSize = Int(tag & 0x3f)
      position &+= 2
      guard let text = try? bytes.copy(at: position, length: nameLength),
        let indices = try? bytes.copy(at: position &+ UInt64(nameLength), length: 4 * indexCount)
      else { return }
      position &+= UInt64(nameLength + 4 * indexCount)
      let name = String(decoding: text, as: UTF8.self)
      let index: UInt32? = try? indices.littleEndian(at: 0)
      if valueSize >= 62 {
        guard let stored: UInt64 = try? bytes.littleEndian(at: position),
          let padding: UInt16 = try? bytes.littleEndian(at: position &+ 16)
        else { return }
        position &+= 18 + UInt64(padding)
        if name == "Memory" {
          guard valueSize == 63 else {
            throw DumpError(
              bytes.name, .unsupported,
              "the memory in this VMware state is compressed, which is not read; convert it with "
                + "vmss2core -N")
          }
          inner = (position, stored)
        }
        position &+= stored
      } else {
        if let value = try? bytes.copy(at: position, length: min(valueSize, 4)), value.count == 4,
          let word: UInt32 = try? value.littleEndian(at: 0), let index
        {
          set(name, index, UInt64(word))
        }
        position &+= UInt64(valueSize)
      }
    }
  }

  private mutating func set(_ name: String, _ index: UInt32, _ value: UInt64) {
    guard index < Self.regionLimit, name.hasPrefix("region") else { return }
    while regions.count <= Int(index) { regions.append(Region()) }
    switch name {
    case "regionPageNum": regions[Int(index)].filePage = value
    case "regionPPN": regions[Int(index)].frame = value
    case "regionSize": regions[Int(index)].pages = value
    default: break
    }
  }

  /// The memory as segments of a file in which it begins at `offset` and has `byteCount` bytes.
  func segments(at offset: UInt64, byteCount: UInt64) -> [ELFSegment] {
    let known = regions.filter { $0.pages > 0 }
    guard !known.isEmpty else {
      return [.stored(physical: 0, offset: offset, byteCount: byteCount)]
    }
    return known.map {
      .stored(
        physical: $0.frame << Self.pageShift,
        offset: offset &+ $0.filePage << Self.pageShift, byteCount: $0.pages << Self.pageShift)
    }
  }
}
