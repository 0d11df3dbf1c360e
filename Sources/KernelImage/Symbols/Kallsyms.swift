// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// The kernel's own symbol table, read out of the dump.
///
/// Names are stored as sequences of tokens, each a piece of text; addresses as words or as 32-bit
/// offsets whose meaning changed over time. The meaning is found by trying: the right one gives
/// `_stext` and the other symbols of VMCOREINFO the addresses that stand there.
///
/// VMCOREINFO has the table's place since Linux commit 5fd8fea935a1 ("vmcoreinfo: include kallsyms
/// symbols") (in v6.0); for older kernels `KallsymsSearch` finds it. Later kernels dropped the absolute
/// rule for per-CPU symbols, and then the base, in favour of offsets relative to their own place.
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
  /// A kernel has a few hundred thousand symbols; ten million would be 40 MB of offsets.
  static let countRange: ClosedRange<UInt32> = 1...10_000_000

  /// Symbols whose address VMCOREINFO may have as well, under the same name or another. Data among
  /// them is in a table only where the kernel was built with CONFIG_KALLSYMS_ALL.
  private static let references: [(name: String, key: String)] = [
    ("_stext", "_stext"), ("init_uts_ns", "init_uts_ns"), ("init_top_pgt", "swapper_pg_dir"),
    ("init_level4_pgt", "swapper_pg_dir"), ("prb", "prb"), ("log_buf", "log_buf"),
  ]

  private let space: KernelReader
  private let info: VMCoreInfo
  private let place: KallsymsPlace
  private var names: KernelAddress { place.names }
  private var count: Int { place.count }
  /// The text of each of the 256 tokens.
  private let tokens: [[UInt8]]

  init(
    _ space: KernelReader, info: VMCoreInfo, at place: KallsymsPlace
  ) throws(KernelError) {
    self.space = space
    self.info = info
    self.place = place
    let index = try space.bytes(at: place.tokenIndex, count: 512)
    // The last token starts at most 64 KiB in, its text is short.
    let last = Int(index[510]) | Int(index[511]) << 8
    let table = try space.bytes(at: place.tokenTable, count: last + 64)
    tokens = (0..<256).map { token in
      let start = Int(index[2 * token]) | Int(index[2 * token + 1]) << 8
      guard start < table.count else { return [] }
      return Array(table[start...].prefix(Self.nameLimit + 1).prefix { $0 != 0 })
    }
  }

  /// Finds the wanted names in one pass.
  ///
  /// Most names are passed by after a look at their first and last token. Of the others a hash is put
  /// together from the hashes of the tokens, and the text is made only where the hash is a wanted one.
  ///
  /// - Parameter isGuessed: whether the table's place was found by its looks; then all its addresses are
  ///   to ascend as well.
  func symbols(
    _ wanted: Set<String>, isGuessed: Bool = false
  ) throws(KernelError) -> SymbolTable {
    let filter = NameFilter(wanted.union(Self.references.lazy.map(\.name)), tokens: tokens)
    var matches: [(index: Int, name: String)] = []
    // A name takes 12 bytes on average, and no fewer than 8.
    space.willRead(names, count: min(8 * count, Self.namesLimit))
    var cursor = ByteCursor(space, at: names)
    var byteCount = 0
    for index in 0..<count {
      if index & 0xff == 0, let markers = place.markers {
        let marker = try markers.marker(index >> 8, space)
        guard marker == UInt64(cursor.offset) else {
          throw KernelError(
            at: names, .malformed("kallsyms name \(index) is not where its marker says"))
        }
      }
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
      let symbol = try cursor.next(length)
      guard let candidates = filter.candidates(cursor.bytes[symbol]) else { continue }
      let symbols = cursor.bytes[symbol]
      let textLength = symbols.reduce(0) { $0 + tokens[Int($1)].count }
      guard textLength <= Self.nameLimit else { continue }
      let name = symbols.flatMap { tokens[Int($0)] }.dropFirst()
      if let match = candidates.first(where: { $0.utf8.elementsEqual(name) }) {
        guard matches.count < Self.matchLimit else {
          throw KernelError(
            at: names, .malformed("kallsyms has \(match) more than \(Self.matchLimit) times"))
        }
        matches.append((index, match))
      }
    }

    guard info.symbol("_stext") != nil, matches.contains(where: { $0.name == "_stext" }) else {
      throw KernelError(at: names, .malformed("kallsyms has no _stext to check against"))
    }
    var obstacle: KernelError?
    for form in place.forms {
      var found: [String: [KernelAddress]] = [:]
      do throws(KernelError) {
        for match in matches {
          guard let address = try form.address(match.index, space) else { continue }
          found[match.name, default: []].append(address)
        }
      } catch {
        // What a wrong form leads to need not be in the dump.
        obstacle = obstacle ?? error
        continue
      }
      let agrees = Self.references.allSatisfy { reference in
        guard let expected = info.symbol(reference.key), let list = found[reference.name] else {
          // `_stext` is in both, and a form that gives it no address is not the table's.
          return reference.name != "_stext"
        }
        return list.contains(expected)
      }
      guard agrees, !isGuessed || place.ascends(form, space) else { continue }
      found = found.filter { wanted.contains($0.key) }
      return SymbolTable(found, origin: .kallsyms)
    }
    if let obstacle { throw obstacle }
    throw KernelError(
      at: names,
      .malformed(
        "no known form of kallsyms addresses gives _stext "
          + "\(info.symbol("_stext")?.description ?? "its address")"))
  }
}
