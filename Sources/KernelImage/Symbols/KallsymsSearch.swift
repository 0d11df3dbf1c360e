// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Finds the kernel's symbol table in the memory of its image, where VMCOREINFO does not tell its place.
///
/// The table of tokens has the ten digits one after another, each a token of its own, because every
/// kernel's names use them: twenty bytes that nothing else is likely to hold. From there everything
/// follows from the order in which the parts were written, and each step is held against the bytes:
///
/// - The index behind the tokens repeats where each of them begins.
/// - The markers before the tokens ascend from 0 and tell how many names there are, give or take 255,
///   and how many bytes these take: the names with their number lie just before the markers.
/// - Addresses lie before the number up to Linux v6.2, behind the tokens' index since v6.3.
///
/// Source: scripts/kallsyms.c, function `write_src`, of Linux v3.10, v4.18, v5.4, v5.10, v6.1, v7.3.
struct KallsymsSearch {
  /// A kernel's image with everything built in has some 100 MiB.
  private static let imageLimit: UInt64 = 1 << 28
  /// False finds that are followed; an honest image has one that is right.
  private static let candidateLimit = 64
  private static let digits: [UInt8] = (0..<10).flatMap { [UInt8(ascii: "0") + $0, 0] }

  private let space: KernelReader

  /// - Parameter space: reads memory; a plain one, because most of what is looked at is of no use.
  init(_ space: KernelReader) {
    self.space = space
  }

  /// Places that look like symbol tables, from `start` on; `body` returns whether it was the one.
  func find(from start: KernelAddress, _ body: (KallsymsPlace) -> Bool) {
    guard
      let offset = start.distance(from: KernelAddressSpace.imageBase),
      offset < space.space.imageSize
    else { return }
    let length = min(space.space.imageSize - offset, Self.imageLimit)
    guard let physical = space.space.linear(start) else { return }
    let image = physical.frame..<physical.frame + length / UInt64(Page.size)
    var candidates = 0
    var seen: KernelAddress?
    for frame in space.memory.memoryFrames.lazy.flatMap({ $0.clamped(to: image) }) {
      let address = KernelAddress(
        (start.rawValue & ~0xfff) + (frame - physical.frame) * UInt64(Page.size))
      guard let page = try? space.memory.page(frame) else { continue }
      for index in 0..<Page.wordCount {
        guard let distance = Self.digitsBefore(page[word: index]) else { continue }
        let digits = KernelAddress(
          address.rawValue &+ UInt64(index * 8) &- UInt64(bitPattern: Int64(distance)))
        // Two words of the twenty bytes may be whole.
        guard digits != seen, let bytes = try? space.bytes(at: digits, count: Self.digits.count),
          bytes == Self.digits
        else { continue }
        seen = digits
        for place in places(around: digits) {
          guard candidates < Self.candidateLimit else { return }
          candidates += 1
          if body(place) { return }
        }
      }
    }
  }

  /// How many bytes before this word the digit 0 stands, if the word is part of the digits.
  private static func digitsBefore(_ word: UInt64) -> Int? {
    let text: UInt64
    let shift: Int
    if word & 0xff00_ff00_ff00_ff00 == 0 {
      (text, shift) = (word, 0)
    } else if word & 0x00ff_00ff_00ff_00ff == 0 {
      (text, shift) = (word >> 8, 1)
    } else {
      return nil
    }
    let first = text & 0xff
    guard (0x30...0x36).contains(first),
      text == first &* 0x0001_0001_0001_0001 &+ 0x0003_0002_0001_0000
    else { return nil }
    return Int(first - 0x30) * 2 - shift
  }

  // MARK: The parts

  /// The tables whose tokens may be those around the digits.
  private func places(around digits: KernelAddress) -> [KallsymsPlace] {
    guard let tokens = tokenTable(around: digits) else { return [] }
    return [4, 8].flatMap { byteCount -> [KallsymsPlace] in
      guard let markers = markers(before: tokens.table, byteCount: byteCount) else { return [] }
      return names(before: markers.list, markers.count, last: markers.last).map { names, count in
        KallsymsPlace(
          names: names, count: count, tokenTable: tokens.table, tokenIndex: tokens.index,
          markers: markers.list,
          forms: forms(names: names, count: count, tokenIndex: tokens.index))
      }
    }
  }

  /// The whole table of tokens and its index, if the digits are tokens 48 to 57 of one.
  private func tokenTable(
    around digits: KernelAddress
  ) -> (table: KernelAddress, index: KernelAddress)? {
    // A token has 2 to some 30 bytes; the longest name has a thousand.
    let before = 48 * 64
    let after = 208 * 64
    guard digits.rawValue >= UInt64(before) else { return nil }
    // What lies farther away than the table reaches may well be absent.
    let pages = stride(
      from: (digits.rawValue - UInt64(before)) & ~0xfff, to: digits.rawValue &+ UInt64(after),
      by: Page.size)
    var first = digits.rawValue
    var bytes: [UInt8] = []
    for page in pages {
      if let part = try? space.bytes(at: KernelAddress(page), count: Page.size) {
        if bytes.isEmpty { first = page }
        bytes += part
      } else if page > digits.rawValue {
        break
      } else {
        bytes = []
      }
    }
    guard first <= digits.rawValue, digits.rawValue - first < bytes.count else { return nil }
    // Back over the ends of tokens 47 to 0, to the padding or marker that stands before token 0.
    var start = Int(digits.rawValue - first)
    var ends = 0
    while start > 0, ends < 48 || bytes[start - 1] != 0 {
      if bytes[start - 1] == 0 { ends += 1 }
      start -= 1
    }
    guard ends == 48 else { return nil }
    // An empty token at the start looks like padding; the index tells where the table begins.
    for begin in (max(0, start - 8)...start).reversed() where (first &+ UInt64(begin)) & 3 == 0 {
      var starts: [UInt8] = []
      var position = begin
      for _ in 0..<256 {
        let offset = position - begin
        starts += [UInt8(truncatingIfNeeded: offset), UInt8(truncatingIfNeeded: offset >> 8)]
        guard let end = bytes[position...].firstIndex(of: 0) else { return nil }
        position = end + 1
      }
      let end = first &+ UInt64(position)
      for alignment in [8, 4] as [UInt64] {
        let index = KernelAddress((end &+ alignment &- 1) & ~(alignment &- 1))
        if let bytes = try? space.bytes(at: index, count: 512), bytes == starts {
          return (KernelAddress(first &+ UInt64(begin)), index)
        }
      }
    }
    return nil
  }

  /// The markers that end just before the tokens.
  private func markers(
    before tokens: KernelAddress, byteCount: Int
  ) -> (list: KallsymsPlace.Markers, count: Int, last: UInt64)? {
    let size = UInt64(byteCount)
    var place = tokens.rawValue
    func marker(_ place: UInt64) -> UInt64? {
      if byteCount == 8 { return try? space.littleEndian(at: KernelAddress(place)) }
      let marker: UInt32? = try? space.littleEndian(at: KernelAddress(place))
      return marker.map(UInt64.init)
    }
    // Padding to eight bytes.
    if byteCount == 4, marker(place &- size) == 0 { place &-= size }
    // A kernel has thousands of names, so more than the first marker, which is 0.
    guard let last = marker(place &- size), last > 0, last < 1 << 28 else { return nil }
    var next = last &+ 1
    for count in 1...(Int(Kallsyms.countRange.upperBound) / 256 + 1) {
      place &-= size
      guard let value = marker(place), value < next else { return nil }
      if value == 0 {
        return (
          KallsymsPlace.Markers(address: KernelAddress(place), byteCount: byteCount), count, last
        )
      }
      next = value
    }
    return nil
  }

  /// Where the names may begin: behind a number of symbols that has just that many markers.
  private func names(
    before markers: KallsymsPlace.Markers, _ count: Int, last: UInt64
  ) -> [(KernelAddress, Int)] {
    // The last 256 names have at most two bytes of length and 512 tokens each.
    let slack: UInt64 = 256 * 514
    var found: [(KernelAddress, Int)] = []
    let end = markers.address.rawValue &- last
    let start = end &- min(slack, end)
    for page in stride(from: end & ~0xfff, through: start & ~0xfff, by: -Page.size) {
      guard let words = try? space.page(containing: KernelAddress(page)) else { continue }
      for index in (0..<Page.wordCount).reversed() {
        // The number is a word of eight bytes, or one of four with padding; names follow it.
        let number = words[word: index]
        guard number <= UInt64(Kallsyms.countRange.upperBound), number > 0,
          (Int(number) + 255) / 256 == count
        else { continue }
        let place = page &+ UInt64(index * 8 + 8)
        if place > start, place <= end { found.append((KernelAddress(place), Int(number))) }
      }
    }
    return found
  }

  /// Where the addresses may be.
  private func forms(
    names: KernelAddress, count: Int, tokenIndex: KernelAddress
  ) -> [KallsymsPlace.AddressForm] {
    let size = (UInt64(count) * 4 + 7) & ~7
    var forms: [KallsymsPlace.AddressForm] = []
    func relative(_ offsets: UInt64, base place: UInt64) {
      guard let base: UInt64 = try? space.littleEndian(at: KernelAddress(place)) else { return }
      let offsets = KernelAddress(offsets)
      forms += [.baseRelative(offsets, base: base), .absolutePerCPU(offsets, base: base)]
    }
    relative(names.rawValue &- 16 &- size, base: names.rawValue &- 16)
    forms.append(.absolute(KernelAddress(names.rawValue &- 8 &- UInt64(count) &* 8)))
    let behind = (tokenIndex.rawValue &+ 512 &+ 7) & ~7
    relative(behind, base: behind &+ size)
    forms.append(.selfRelative(KernelAddress(behind)))
    return forms
  }
}
