// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import MemoryFixtures
import StateFixtures

extension FuzzTarget {
  /// Dumps of every format, as they lie in a file.
  static let files: [FuzzTarget] =
    [
      FuzzTarget("elf", seeds: { elfSeeds }, run: open),
      FuzzTarget("kdump", seeds: { [smallKdump(.zlib), smallKdump(.none)] }, run: open),
      FuzzTarget(
        "flattened",
        seeds: {
          [
            records(of: flatten(elfSeeds[0], seed: 1)),
            records(of: flatten(smallKdump(.none), seed: 2)),
          ]
        },
        run: { open(flatten([]).prefix(4096) + $0) }),
      FuzzTarget("image", seeds: { imageSeeds }, run: openImage),
      FuzzTarget("extract", seeds: { extractSeeds }, run: open),
    ]
    + Compressor.allCases.map { codec in
      FuzzTarget(
        "kdump-\(codec.rawValue)", seeds: { KdumpShape(codec).seeds },
        run: { open(KdumpShape(codec).file($0)) })
    }

  static let smallImage = MemoryImage.random(seed: 61, frames: 8)

  static let note = Array("OSRELEASE=6.1\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n".utf8)

  private static let notes = [
    FixtureNote("CORE", type: 1, [UInt8](repeating: 1, count: 40)),
    FixtureNote("VMCOREINFO", note),
  ]

  private static let elfSeeds: [[UInt8]] = {
    let image = MemoryImage.random(seed: 62, frames: 4)
    let plain = ELFDumpBuilder(image, notes: notes)
    var qemu = plain
    qemu.layout = .qemu
    qemu.hasExtendedCount = true
    return [plain.build(), qemu.build(), ImageBuilder(image).narrowELF()]
  }()

  private static func smallKdump(_ codec: Compressor) -> [UInt8] {
    var builder = KdumpBuilder(MemoryImage.random(seed: 63, frames: 4), codec: codec)
    builder.notes = notes
    builder.vmcoreinfo = note
    return builder.build()
  }

  /// What follows the header of a flattened stream.
  private static func records(of stream: [UInt8]) -> [UInt8] { Array(stream.dropFirst(4096)) }

  private static let imageSeeds: [[UInt8]] = {
    let builder = ImageBuilder(MemoryImage.random(seed: 64, frames: 4))
    let apart = builder.vmware()
    func joined(_ first: [UInt8], _ second: [UInt8] = []) -> [UInt8] {
      [UInt8(first.count & 0xff), UInt8(first.count >> 8 & 0xff)] + first + second
    }
    return [
      joined(builder.lime()), joined(builder.xen()), joined(builder.xen(paravirtual: true)),
      joined(builder.vmware(inside: true).state), joined(apart.state, apart.memory),
    ].map { $0.count > 1 << 16 ? Array($0.prefix(1 << 16)) : $0 }
  }()

  private static let extractSeeds: [[UInt8]] = {
    guard let dump = try? DumpFile.open(contents: [("small", smallKdump(.zlib))]),
      let extract = try? ExtractWriter(
        dump, frames: smallImage.frames, symbols: ["_stext": [KernelAddress(0xffff_ffff_8100_0000)]]
      ).bytes()
    else { return [] }
    return [extract]
  }()

  /// One file, or two where the first two bytes are the length of the first.
  private static func openImage(_ bytes: [UInt8]) {
    var input = FuzzBytes(bytes)
    let first = input.bytes(Int(input.word(2)))
    let second = input.remainder()
    read(second.isEmpty ? [first] : [first, second])
    // A file above 64 KiB is what its length overflows to; it is one all the same.
    read([first + second])
  }

  static func open(_ bytes: [UInt8]) { read([bytes]) }

  /// Opens files and asks for pages where something might be.
  private static func read(_ files: [[UInt8]]) {
    guard let dump = try? DumpFile.open(contents: files.map { ("fuzzed", $0) }) else { return }
    var frames: [UInt64] = [0, 1, 1 << 32, 1 << 52, .max]
    for range in dump.memory.memoryFrames.prefix(4) {
      frames += [range.lowerBound, range.upperBound &- 1, range.upperBound]
    }
    for range in dump.storedFrames.prefix(8) { frames += range.prefix(4) + [range.upperBound &- 1] }
    for frame in frames {
      _ = dump.memory.absence(frame)
      _ = try? dump.memory.page(frame)
      _ = dump.memory.part(frame)
    }
    if frames.count < 64 {
      _ = try? ExtractWriter(dump, frames: frames.filter { $0 < 1 << 52 }).bytes()
    }
  }
}

/// A kdump file whose headers are sound but for a few fields, around pages of the fuzzer's.
///
/// Input: how many fields lie, each with its place and value; then packed pages, each with its length
/// and flags before it.
private struct KdumpShape {
  private let codec: Compressor
  private static let pages = 8

  init(_ codec: Compressor) { self.codec = codec }

  /// Sound pages of the codec, none of whose fields lies.
  var seeds: [[UInt8]] {
    let pages = (0..<3).map { number in
      (0..<4096).map { UInt8(truncatingIfNeeded: number == 0 ? 0 : $0 / (7 * number)) }
    }
    let packed = pages.compactMap { codec.compress($0) }.map(Self.page)
    return packed.map { [0] + $0 } + [[0] + packed.joined()]
      + [[1, 0x90, 1, 4, 0, 0, 0, 0] + packed.joined()]
  }

  private static func page(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(bytes.count & 0xff), UInt8(bytes.count >> 8), 0] + bytes
  }

  /// Headers of a dump of eight pages that are all there.
  private static let base: (bytes: [UInt8], descriptors: Int) = {
    var builder = KdumpBuilder(MemoryImage(memory: [1..<UInt64(pages) + 1]), codec: .none)
    builder.vmcoreinfo = FuzzTarget.note
    builder.sharesZeroPage = true
    let file = builder.build()
    // Descriptors and one page of zeros are the end of the file.
    let start = file.count - 4096 - 24 * pages
    return (Array(file.prefix(start + 24 * pages)), start)
  }()

  func file(_ bytes: [UInt8]) -> [UInt8] {
    var input = FuzzBytes(bytes)
    var (file, descriptors) = Self.base
    func store(_ value: UInt64, _ count: Int, at place: Int) {
      for index in 0..<count where place + index < file.count {
        file[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    }
    // Fields of both headers and of the descriptors; bitmaps are hit as well.
    var lies: [(place: Int, size: Int, value: UInt64)] = []
    for _ in 0..<min(6, Int(input.byte())) {
      let place = input.index(below: 1 << 16) % file.count
      let size = [1, 2, 4, 8][input.index(below: 4)]
      let value =
        size == 8 && input.byte() & 1 == 1
        ? UInt64.extremes[input.index(below: UInt64.extremes.count)] : input.word(size)
      lies.append((place, size, value))
    }
    for page in 0..<Self.pages {
      let size = Int(input.word(2))
      let isPlain = input.byte() & 1 == 1
      let data = input.bytes(size)
      store(UInt64(file.count), 8, at: descriptors + 24 * page)
      store(UInt64(data.count), 4, at: descriptors + 24 * page + 8)
      store(isPlain ? 0 : UInt64(codec.flag), 4, at: descriptors + 24 * page + 12)
      file += data
    }
    for lie in lies { store(lie.value, lie.size, at: lie.place) }
    return file
  }
}
