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
/// - In v6.2, and in kernels that this was brought back to, the order of the names lies between markers
///   and tokens; its size tells the number of names to within three.
/// - Addresses lie before the number up to Linux v6.2, behind the tokens' index since v6.3.
/// - Every part begins at a multiple of eight bytes; in v7.2 and later ones, of four.
///
/// What follows is a table that may be: who takes it reads all names against their markers, and holds
/// the addresses against VMCOREINFO and against the order that they are stored in.
///
/// Source: scripts/kallsyms.c, function `write_src`, of Linux v3.10, v4.18, v5.4, v5.10, v6.1, v6.1.170,
/// v6.2, v7.3.
struct KallsymsSearch {
  /// A kernel's image with everything built in has some 100 MiB.
  private static let imageLimit: UInt64 = 1 << 28
  /// False finds that are followed; an honest image has one that is right.
  private static let candidateLimit = 64
  /// Tables of tokens that are looked around.
  private static let tokenTableLimit = 16
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
    var tokenTables = 0
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
        guard let tokens = tokenTable(around: digits) else { continue }
        guard tokenTables < Self.tokenTableLimit else { return }
        tokenTables += 1
        let isDone = withNameLists(of: tokens) { list in
          for place in places(list, tokens) {
            guard candidates < Self.candidateLimit else { return true }
            candidates += 1
            if body(place) { return true }
          }
          return false
        }
        if isDone { return }
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

  /// The tokens' texts and the index of where each of them begins.
  private typealias Tokens = (table: KernelAddress, index: KernelAddress)

  /// Markers, what the last of them says, and how many names there may be of which they are.
  private struct NameList {
    var markers: KallsymsPlace.Markers
    var last: UInt64
    var numbers: ClosedRange<Int>
  }

  /// Hands over what may be the markers that belong to these tokens, of every layout, until `body`
  /// returns that it was the one.
  private func withNameLists(of tokens: Tokens, _ body: (NameList) -> Bool) -> Bool {
    for byteCount in [4, 8] {
      if let list = markers(before: tokens.table, byteCount: byteCount), body(list) { return true }
    }
    return withMarkersBeforeOrder(of: tokens.table, body)
  }

  /// The tables that may have these names.
  private func places(_ list: NameList, _ tokens: Tokens) -> [KallsymsPlace] {
    names(of: list).map { names, count in
      KallsymsPlace(
        names: names, count: count, tokenTable: tokens.table, tokenIndex: tokens.index,
        markers: list.markers, forms: forms(names: names, count: count, tokenIndex: tokens.index))
    }
  }

  /// The whole table of tokens and its index, if the digits are tokens 48 to 57 of one.
  ///
  /// The tokens from the digits on lead to the index; this tells where the table begins, which nothing
  /// else does: what lies before it may have any bytes.
  private func tokenTable(around digits: KernelAddress) -> Tokens? {
    guard let end = end(ofTokens: 256 - 48, from: digits) else { return nil }
    for alignment in [8, 4] as [UInt64] {
      let index = KernelAddress((end.rawValue &+ alignment &- 1) & ~(alignment &- 1))
      guard let bytes = try? space.bytes(at: index, count: 512) else { continue }
      let starts = stride(from: 0, to: bytes.count, by: 2).map {
        Int(bytes[$0]) | Int(bytes[$0 + 1]) << 8
      }
      guard starts[0] == 0, UInt64(starts[48]) <= digits.rawValue else { continue }
      let table = KernelAddress(digits.rawValue - UInt64(starts[48]))
      guard table.rawValue & 3 == 0, let size = end.distance(from: table),
        let texts = try? space.bytes(at: table, count: Int(size))
      else { continue }
      // A token begins behind the zero byte of the one before it, and nowhere else.
      let ends = texts.indices.filter { texts[$0] == 0 }
      if ends.count == 256, zip(ends, starts.dropFirst()).allSatisfy({ $0 + 1 == $1 }) {
        return (table, index)
      }
    }
    return nil
  }

  /// The byte behind so many texts that end with a zero byte each.
  private func end(ofTokens count: Int, from start: KernelAddress) -> KernelAddress? {
    // A token has 2 to some 30 bytes; the longest name has a thousand.
    let limit = start.rawValue &+ UInt64(count * 64)
    var left = count
    var place = start.rawValue
    while place < limit {
      let next = (place | 0xfff) &+ 1
      // What lies farther away than the table reaches may well be absent.
      guard let bytes = try? space.bytes(at: KernelAddress(place), count: Int(next &- place)) else {
        return nil
      }
      for (offset, byte) in bytes.enumerated() where byte == 0 {
        left -= 1
        if left == 0 { return KernelAddress(place &+ UInt64(offset + 1)) }
      }
      place = next
    }
    return nil
  }

  /// The markers that end just before the tokens.
  private func markers(before tokens: KernelAddress, byteCount: Int) -> NameList? {
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
        return NameList(
          markers: KallsymsPlace.Markers(address: KernelAddress(place), byteCount: byteCount),
          last: last, numbers: Self.numbers(count))
      }
      next = value
    }
    return nil
  }

  /// How many names there may be if so many markers are theirs.
  private static func numbers(_ markers: Int) -> ClosedRange<Int> {
    (markers - 1) * 256 + 1...markers * 256
  }

  /// The most names behind whose order markers are looked for; a kernel has some 200,000.
  private static let orderLimit = 1 << 20
  /// The bytes that 256 names take: at least one for the length and one for the type each.
  private static let markerSteps: ClosedRange<UInt32> = 512...256 * 514

  /// Markers with the order of the names between them and the tokens: a number for each name, of three
  /// bytes, or of four in kernels that have the first commit without the second.
  ///
  /// Source: `kallsyms_seqs_of_names` of Linux commits 60443c88f3a8 ("kallsyms: Improve the performance
  /// of kallsyms_lookup_name()") and 19bd8981dc2e ("kallsyms: Reduce the memory occupied by
  /// kallsyms_seqs_of_names[]") (both in v6.2).
  private func withMarkersBeforeOrder(
    of tokens: KernelAddress, _ body: (NameList) -> Bool
  ) -> Bool {
    let end = tokens.rawValue
    let reach = min(UInt64(Self.orderLimit) * 4 + UInt64(Self.orderLimit / 64), end)
    for page in stride(from: end & ~0xfff, through: (end - reach) & ~0xfff, by: -Page.size) {
      guard let words = try? space.page(containing: KernelAddress(page)) else { continue }
      for index in (0..<Page.wordCount).reversed() {
        // The first two markers: 0, and what 256 names take.
        let word = words[word: index]
        let place = page + UInt64(index * 8)
        guard UInt32(truncatingIfNeeded: word) == 0,
          Self.markerSteps.contains(UInt32(truncatingIfNeeded: word >> 32)), place < end
        else { continue }
        for width in [3, 4] {
          guard
            let list = markers(
              at: KernelAddress(place), distance: Int(end - place), orderWidth: width)
          else { continue }
          if body(list) { return true }
        }
      }
    }
    return false
  }

  /// The markers here, if there are as many as an order of the names has room for that ends `distance`
  /// bytes farther on.
  private func markers(at place: KernelAddress, distance: Int, orderWidth: Int) -> NameList? {
    // A whole number of markers, or one begun.
    let whole = distance / (256 * orderWidth + 4)
    for count in [whole, whole + 1] where count > 1 {
      let order = distance - (count * 4 + 7) & ~7
      guard order > 7, order & 7 == 0 else { continue }
      // Up to seven bytes of padding.
      let fewest = max(Self.numbers(count).lowerBound, (order - 7 + orderWidth - 1) / orderWidth)
      let most = min(Self.numbers(count).upperBound, order / orderWidth)
      guard fewest <= most,
        let bytes = try? space.bytes(at: place, count: count * 4)
      else { continue }
      let markers = stride(from: 0, to: bytes.count, by: 4).map { start in
        bytes[start..<start + 4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
      }
      guard
        zip(markers, markers.dropFirst()).allSatisfy({
          $0 < $1 && Self.markerSteps.contains($1 - $0)
        }),
        let last = markers.last
      else { continue }
      return NameList(
        markers: KallsymsPlace.Markers(address: place, byteCount: 4), last: UInt64(last),
        numbers: fewest...most)
    }
    return nil
  }

  /// Where the names may begin: behind a number of symbols that has just these markers.
  private func names(of list: NameList) -> [(KernelAddress, Int)] {
    // The last 256 names have at most two bytes of length and 512 tokens each.
    let slack: UInt64 = 256 * 514
    var found: [(KernelAddress, Int)] = []
    let end = list.markers.address.rawValue &- list.last
    let start = end &- min(slack, end)
    for page in stride(from: end & ~0xfff, through: start & ~0xfff, by: -Page.size) {
      guard let words = try? space.page(containing: KernelAddress(page)) else { continue }
      for index in (0..<Page.wordCount).reversed() {
        // The number is a word of eight bytes, or one of four with padding; names follow it. Where
        // parts begin at multiples of four bytes it has no padding, in either half of a word.
        let word = words[word: index]
        let place = page &+ UInt64(index * 8)
        for (number, names) in [
          (word, place &+ 8), (word >> 32, place &+ 8), (word & 0xffff_ffff, place &+ 4),
        ] where names > start && names <= end {
          guard let number = Int(exactly: number), list.numbers.contains(number) else { continue }
          found.append((KernelAddress(names), number))
        }
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
    // As well aligned as the index itself is.
    let behind = tokenIndex.rawValue &+ 512
    relative(behind, base: behind &+ size)
    forms.append(.absolute(KernelAddress(behind)))
    forms.append(.selfRelative(KernelAddress(behind)))
    return forms
  }
}
