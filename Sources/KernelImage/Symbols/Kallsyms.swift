// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// The kernel's own symbol table, read out of the dump.
///
/// Names are stored as sequences of tokens, each a piece of text; addresses as 32-bit offsets whose
/// meaning changed over time. The meaning is found by trying: the right one gives `_stext` the
/// address that VMCOREINFO has for it.
///
/// VMCOREINFO has the table's addresses since Linux commit 5fd8fea935a1 ("vmcoreinfo: include
/// kallsyms symbols") (in v6.0). Later kernels dropped the absolute rule for per-CPU symbols, and
/// then the base, in favour of offsets relative to their own place.
///
/// Source: kernel/kallsyms.c, functions `kallsyms_expand_symbol` and `kallsyms_sym_address`;
/// scripts/kallsyms.c.
struct Kallsyms {
  /// Twice KSYM_NAME_LEN, the longest name with its type letter.
  private static let nameLimit = 1024
  /// Bytes of all names together; a kernel has a few MiB of them.
  private static let namesLimit = 1 << 28
  /// Static symbols share names, but not that many.
  private static let matchLimit = 1 << 16

  private let space: KernelReader
  private let info: VMCoreInfo
  private let names: KernelAddress
  private let offsets: KernelAddress
  private let count: Int
  /// The text of each of the 256 tokens.
  private let tokens: [[UInt8]]

  /// - Throws: `.noSymbol` where VMCOREINFO does not know the table.
  init(_ space: KernelReader, info: VMCoreInfo) throws(KernelError) {
    func address(_ name: String) throws(KernelError) -> KernelAddress {
      guard let address = info.symbol(name) else { throw KernelError(.noSymbol(name)) }
      return address
    }
    self.space = space
    self.info = info
    names = try address("kallsyms_names")
    offsets = try address("kallsyms_offsets")
    let number: UInt32 = try space.littleEndian(at: try address("kallsyms_num_syms"))
    // A kernel has a few hundred thousand symbols; ten million would be 40 MB of offsets.
    guard (1...10_000_000).contains(number) else {
      throw KernelError(at: names, .malformed("kallsyms claims \(number) symbols"))
    }
    count = Int(number)

    let index = try space.bytes(at: try address("kallsyms_token_index"), count: 512)
    let tableAddress = try address("kallsyms_token_table")
    // The last token starts at most 64 KiB in, its text is short.
    let last = Int(index[510]) | Int(index[511]) << 8
    let table = try space.bytes(at: tableAddress, count: last + 64)
    tokens = (0..<256).map { token in
      let start = Int(index[2 * token]) | Int(index[2 * token + 1]) << 8
      guard start < table.count else { return [] }
      return Array(table[start...].prefix(Self.nameLimit + 1).prefix { $0 != 0 })
    }
  }

  /// Finds the wanted names in one pass.
  ///
  /// A name's hash is put together from the hashes of its tokens, so that the text of a name is only
  /// made where the hash is a wanted one.
  func symbols(_ wanted: Set<String>) throws(KernelError) -> SymbolTable {
    var byHash: [UInt64: [String]] = [:]
    for name in wanted.union(["_stext"]) {
      byHash[PolynomialHash(name.utf8).value, default: []].append(name)
    }
    let hashes = tokens.map { PolynomialHash($0) }
    // The first character of a symbol is its type letter, not part of the name.
    let firstHashes = tokens.map { PolynomialHash($0.dropFirst()) }

    var matches: [(index: Int, name: String)] = []
    var cursor = ByteCursor(space, at: names)
    var symbol: [UInt8] = []
    var byteCount = 0
    for index in 0..<count {
      var length = Int(try cursor.next())
      if length & 0x80 != 0 {
        // Long names take two length bytes. Since Linux commit 73bbb94466fd (in v6.1).
        length = length & 0x7f | Int(try cursor.next()) << 7
      }
      byteCount += length + 2
      guard length <= Self.nameLimit, byteCount <= Self.namesLimit else {
        throw KernelError(
          at: names,
          .malformed("kallsyms name \(index) of \(length) tokens is longer than a name can be"))
      }
      symbol.removeAll(keepingCapacity: true)
      var hash = PolynomialHash()
      for position in 0..<length {
        let token = try cursor.next()
        symbol.append(token)
        hash.append(position == 0 ? firstHashes[Int(token)] : hashes[Int(token)])
      }
      guard let candidates = byHash[hash.value] else { continue }
      let textLength = symbol.reduce(0) { $0 + tokens[Int($1)].count }
      guard textLength <= Self.nameLimit else { continue }
      let name = symbol.flatMap { tokens[Int($0)] }.dropFirst()
      if let match = candidates.first(where: { $0.utf8.elementsEqual(name) }) {
        guard matches.count < Self.matchLimit else {
          throw KernelError(
            at: names, .malformed("kallsyms has \(match) more than \(Self.matchLimit) times"))
        }
        matches.append((index, match))
      }
    }

    guard let stext = info.symbol("_stext"),
      let reference = matches.first(where: { $0.name == "_stext" })
    else { throw KernelError(at: names, .malformed("kallsyms has no _stext to check against")) }
    let base: UInt64? =
      if let place = info.symbol("kallsyms_relative_base") {
        try space.littleEndian(at: place)
      } else { nil }
    for rule in Rule.allCases {
      guard try address(reference.index, by: rule, base: base) == stext else { continue }
      var found: [String: [KernelAddress]] = [:]
      for match in matches {
        guard let address = try address(match.index, by: rule, base: base) else { continue }
        found[match.name, default: []].append(address)
      }
      return SymbolTable(found, origin: .kallsyms)
    }
    throw KernelError(
      at: offsets, .malformed("no known form of kallsyms offsets gives _stext \(stext)"))
  }

  /// How an offset becomes an address.
  private enum Rule: CaseIterable {
    /// The place of the offset plus the signed offset.
    case selfRelative
    /// Base plus the unsigned offset.
    case baseRelative
    /// Not negative: the address itself; negative: base − 1 − offset.
    case absolutePerCPU
  }

  private func address(
    _ index: Int, by rule: Rule, base: UInt64?
  ) throws(KernelError) -> KernelAddress? {
    guard let place = offsets.advanced(by: UInt64(index) * 4) else { return nil }
    let offset: UInt32 = try space.littleEndian(at: place)
    let signed = UInt64(bitPattern: Int64(Int32(bitPattern: offset)))
    switch (rule, base) {
    case (.selfRelative, nil): return KernelAddress(place.rawValue &+ signed)
    case (.baseRelative, let base?): return KernelAddress(base &+ UInt64(offset))
    case (.absolutePerCPU, let base?):
      return KernelAddress(
        offset < 1 << 31 ? UInt64(offset) : base &- 1 &- signed)
    default: return nil
    }
  }
}

/// A hash of text that two halves' hashes can be joined to.
private struct PolynomialHash {
  private(set) var value: UInt64 = 0
  private var power: UInt64 = 1
  private static let base: UInt64 = 0x100_0000_01b3

  init() {}

  init(_ text: some Sequence<UInt8>) {
    for byte in text {
      value = value &* Self.base &+ UInt64(byte) &+ 1
      power = power &* Self.base
    }
  }

  mutating func append(_ other: PolynomialHash) {
    value = value &* other.power &+ other.value
    power = power &* other.power
  }
}

/// Reads bytes one after another from the kernel's memory, a page at a time.
private struct ByteCursor {
  private let space: KernelReader
  private var address: KernelAddress
  private var chunk: [UInt8] = []
  private var position = 0

  init(_ space: KernelReader, at address: KernelAddress) {
    self.space = space
    self.address = address
  }

  mutating func next() throws(KernelError) -> UInt8 {
    if position == chunk.count {
      let length = Page.size - address.pageOffset
      chunk = try space.bytes(at: address, count: length)
      guard let following = address.advanced(by: UInt64(length)) else {
        throw KernelError(at: address, .malformed("kallsyms runs over the end of memory"))
      }
      address = following
      position = 0
    }
    defer { position += 1 }
    return chunk[position]
  }
}
