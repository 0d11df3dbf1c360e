// SPDX-License-Identifier: Apache-2.0

/// Builds images of memory in forms that hypervisors and acquisition tools write.
public struct ImageBuilder: Sendable {
  public var image: MemoryImage

  public init(_ image: MemoryImage) { self.image = image }

  /// Runs of frames that are stored, ascending.
  public var runs: [Range<UInt64>] {
    var runs: [Range<UInt64>] = []
    for frame in image.frames where !image.excluded.contains(frame) {
      if let last = runs.last, last.upperBound == frame {
        runs[runs.count - 1] = last.lowerBound..<frame + 1
      } else {
        runs.append(frame..<frame + 1)
      }
    }
    return runs
  }

  private func bytes(_ run: Range<UInt64>) -> [UInt8] { run.flatMap { image.bytes($0) } }

  /// LiME: a header of 32 bytes before each range, whose end is inclusive.
  public func lime(version: UInt32 = 1) -> [UInt8] {
    var file = ByteWriter()
    for run in runs {
      file.append(Array("EMiL".utf8))
      let start = file.count
      file.store(version, at: start)
      file.store(run.lowerBound << 12, at: start + 4)
      file.store(run.upperBound << 12 - 1, at: start + 12)
      file.store(UInt64(0), at: start + 20)
      file.append(bytes(run))
    }
    return file.bytes
  }

  /// Memory from the first stored frame on, zeros where nothing is stored.
  public func raw() -> (address: UInt64, bytes: [UInt8]) {
    guard let first = runs.first?.lowerBound, let end = runs.last?.upperBound else {
      return (0, [])
    }
    return (
      first << 12,
      (first..<end).flatMap { frame in
        runs.contains { $0.contains(frame) }
          ? image.bytes(frame) : [UInt8](repeating: 0, count: 4096)
      }
    )
  }

  /// Xen's dump-core: sections `.xen_pages` and `.xen_pfn`, or `.xen_p2m` for a paravirtual guest.
  ///
  /// - Parameter shuffled: whether pages stand in descending order.
  public func xen(paravirtual: Bool = false, shuffled: Bool = false, list: Bool = true) -> [UInt8] {
    var frames = runs.flatMap { Array($0) }
    if shuffled { frames.reverse() }
    let listName = paravirtual ? ".xen_p2m" : ".xen_pfn"
    let names = Array("\0.shstrtab\0.xen_pages\0\(list ? listName : ".nothing")\0".utf8)
    func nameOffset(_ name: String) -> UInt32 {
      let text = Array(name.utf8)
      for start in 0..<(names.count - text.count)
      where names[start..<start + text.count].elementsEqual(text) { return UInt32(start) }
      return 0
    }
    var file = ByteWriter()
    file.store([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], at: 0)
    file.store(UInt16(4), at: 16)
    file.store(UInt16(62), at: 18)
    file.store(UInt64(64), at: 40)
    file.store(UInt16(64), at: 52)
    file.store(UInt16(56), at: 54)
    file.store(UInt16(64), at: 58)
    file.store(UInt16(4), at: 60)
    file.store(UInt16(1), at: 62)
    file.grow(to: 64 + 4 * 64)
    func section(_ index: Int, _ name: String, _ bytes: [UInt8]) {
      let place = 64 + 64 * index
      file.store(nameOffset(name), at: place)
      file.store(UInt32(1), at: place + 4)
      file.store(UInt64(file.count), at: place + 24)
      file.store(UInt64(bytes.count), at: place + 32)
      file.append(bytes)
    }
    section(1, ".shstrtab", names)
    section(2, ".xen_pages", frames.flatMap { image.bytes($0) })
    var records = ByteWriter()
    for frame in frames {
      records.store(frame, at: records.count)
      // The machine frame, which says nothing about the guest's memory.
      if paravirtual { records.store(frame ^ 0x5555, at: records.count) }
    }
    section(3, list ? listName : ".nothing", records.bytes)
    return file.bytes
  }

  /// A VMware machine's state, and its memory where that is a file of its own.
  public func vmware(inside: Bool = false) -> (state: [UInt8], memory: [UInt8]) {
    let memory = runs.flatMap(bytes)
    var file = ByteWriter()
    file.store(UInt32(0xbed2_bed2), at: 0)
    file.store(UInt32(8), at: 4)
    file.store(UInt32(2), at: 8)
    for (index, name) in ["cpu", "memory"].enumerated() {
      let place = 12 + 80 * index
      file.grow(to: place + 80)
      file.store(Array(name.utf8), at: place)
      file.store(UInt64(12 + 160 + (index == 0 ? 0 : 2)), at: place + 64)
    }
    // The first group is empty.
    file.store(UInt16(0), at: file.count)
    func tag(_ name: String, _ indices: [UInt32], size: UInt8) {
      file.append([UInt8(indices.count) << 6 | size, UInt8(name.utf8.count)])
      file.append(Array(name.utf8))
      for index in indices { file.store(index, at: file.count) }
    }
    tag("regionsCount", [], size: 4)
    file.store(UInt32(runs.count), at: file.count)
    var page: UInt64 = 0
    for (index, run) in runs.enumerated() {
      for (name, value) in [
        ("regionPageNum", page), ("regionPPN", run.lowerBound), ("regionSize", UInt64(run.count)),
      ] {
        tag(name, [UInt32(index)], size: 4)
        file.store(UInt32(value), at: file.count)
      }
      page += UInt64(run.count)
    }
    if inside {
      tag("Memory", [0, 0], size: 63)
      file.store(UInt64(memory.count), at: file.count)
      file.store(UInt64(memory.count), at: file.count)
      file.append([5, 0, 1, 2, 3, 4, 5])
      file.append(memory)
    }
    file.store(UInt16(0), at: file.count)
    return (file.bytes, inside ? [] : memory)
  }

  /// An ELF core of 32 bits, as hypervisors write them of small machines.
  public func narrowELF(machine: UInt16 = 3) -> [UInt8] {
    var file = ByteWriter()
    file.store([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1], at: 0)
    file.store(UInt16(4), at: 16)
    file.store(machine, at: 18)
    file.store(UInt32(52), at: 28)
    file.store(UInt16(52), at: 40)
    file.store(UInt16(32), at: 42)
    file.store(UInt16(runs.count), at: 44)
    file.grow(to: 52 + 32 * runs.count)
    for (index, run) in runs.enumerated() {
      let (place, size) = (52 + 32 * index, UInt32(run.count) << 12)
      for (word, value) in [
        1, UInt32(file.count), 0, UInt32(run.lowerBound << 12), size, size, 7, 0,
      ].enumerated() {
        file.store(value, at: place + 4 * word)
      }
      file.append(bytes(run))
    }
    return file.bytes
  }
}
