// SPDX-License-Identifier: Apache-2.0

/// Builds kdump-compressed dumps of versions 1 to 6, whole or split.
public struct KdumpBuilder: Sendable {
  public var image: MemoryImage
  public var version: Int32 = 6
  public var signature = "KDUMP   "
  public var codec = Compressor.zlib
  public var notes: [FixtureNote] = []
  public var vmcoreinfo: [UInt8] = []
  public var physicalBase: UInt64 = 0x0100_0000
  public var dumpLevel: Int32 = 31
  public var release = "6.1.0-56-amd64"
  public var machine = "x86_64"
  public var timestamp: UInt64 = 1_795_417_719
  /// Stores all pages of zeros once, as they are and in front of the others, as makedumpfile and QEMU do.
  public var sharesZeroPage = true
  /// Writes the bit that says that space ran out.
  public var isIncomplete = false
  /// Leaves the descriptors of all pages from this index on empty, as if space had run out.
  public var descriptorLimit = Int.max
  /// Sets no first bitmap: what diskdump did for whole dumps.
  public var hasOneBitmap = false
  /// `block_size` as written; everything is laid out in blocks of 4096 all the same.
  public var blockSize: UInt32 = 4096

  public init(_ image: MemoryImage, codec: Compressor = .zlib) {
    self.image = image
    self.codec = codec
  }

  /// The whole dump in one file.
  public func build() -> [UInt8] { build(split: nil) }

  /// The dump in `count` files of about equally many frames.
  public func buildSplit(_ count: UInt64) -> [[UInt8]] {
    let limit = image.frameLimit
    return (0..<count).map { build(split: limit * $0 / count..<limit * ($0 + 1) / count) }
  }

  /// One file of a split dump.
  public func build(split: Range<UInt64>?) -> [UInt8] {
    var file = ByteWriter()
    let limit = image.frameLimit
    let bitmapBlocks = Int((limit + 8 * 4096 - 1) / (8 * 4096))

    file.store(Array(signature.utf8), at: 0)
    file.store(version, at: 8)
    for (index, text) in ["Linux", "node", release, "#1 SMP", machine, "(none)"].enumerated() {
      file.store(Array(text.utf8.prefix(64)), at: 12 + 65 * index)
    }
    file.store(timestamp, at: 408)
    file.store(codec.flag | (isIncomplete ? 8 : 0), at: 424)
    file.store(blockSize, at: 428)
    file.store(UInt32(bitmapBlocks * (hasOneBitmap ? 1 : 2)), at: 436)
    file.store(UInt32(truncatingIfNeeded: limit), at: 440)

    file.store(physicalBase, at: 4096)
    file.store(dumpLevel, at: 4104)
    if version >= 2, let split {
      file.store(UInt32(1), at: 4108)
      file.store(split.lowerBound & 0xffff_ffff, at: 4112)
      file.store(split.upperBound & 0xffff_ffff, at: 4120)
    }
    if version >= 6 {
      file.store(split?.lowerBound ?? 0, at: 4096 + 80)
      file.store(split?.upperBound ?? 0, at: 4096 + 88)
      file.store(limit, at: 4096 + 96)
    }
    file.grow(to: 4096 + 104)
    if version >= 4, !notes.isEmpty {
      let bytes = notes.flatMap(\.encoded)
      file.store(UInt64(file.count), at: 4096 + 48)
      file.store(UInt64(bytes.count), at: 4096 + 56)
      file.append(bytes)
    }
    if version >= 3, !vmcoreinfo.isEmpty {
      file.store(UInt64(file.count), at: 4096 + 32)
      file.store(UInt64(vmcoreinfo.count), at: 4096 + 40)
      file.append(vmcoreinfo)
    }
    file.align(4096)
    file.store(UInt32(file.count / 4096 - 1), at: 432)

    let bitmap = file.count
    file.grow(to: bitmap + 4096 * bitmapBlocks * (hasOneBitmap ? 1 : 2))
    let second = bitmap + (hasOneBitmap ? 0 : 4096 * bitmapBlocks)
    func set(_ frame: UInt64, in start: Int) {
      let place = start + Int(frame / 8)
      file.store(file.bytes[place] | 1 << UInt8(frame % 8), at: place)
    }
    for frame in image.frames {
      if !hasOneBitmap { set(frame, in: bitmap) }
      if !image.excluded.contains(frame) { set(frame, in: second) }
    }

    let frames = image.frames.filter {
      !image.excluded.contains($0) && (split?.contains($0) ?? true)
    }
    let descriptors = file.count
    file.grow(to: descriptors + 24 * frames.count)
    let zeroPage = (offset: file.count, size: 4096, flag: UInt32(0))
    if sharesZeroPage { file.append([UInt8](repeating: 0, count: 4096)) }
    for (index, frame) in frames.enumerated() {
      guard index < descriptorLimit else { break }
      let isZero = image.pages[frame] == nil
      var stored: (offset: Int, size: Int, flag: UInt32)
      if isZero, sharesZeroPage {
        stored = zeroPage
      } else {
        let bytes = image.bytes(frame)
        // A page that does not get shorter is stored as it is.
        var data = bytes
        var flag: UInt32 = 0
        if codec != .none, let compressed = codec.compress(bytes), compressed.count < bytes.count {
          data = compressed
          flag = codec.flag
        }
        stored = (file.count, data.count, flag)
        file.append(data)
      }
      let place = descriptors + 24 * index
      file.store(UInt64(stored.offset), at: place)
      file.store(UInt32(stored.size), at: place + 8)
      file.store(stored.flag, at: place + 12)
    }
    return file.bytes
  }
}
