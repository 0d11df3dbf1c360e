// SPDX-License-Identifier: Apache-2.0

public import Memory

/// How the kernel's symbol table stores addresses.
public enum KallsymsRule: CaseIterable, Sendable {
  case selfRelative
  case baseRelative
  case absolutePerCPU
}

extension SyntheticKernel {
  /// Puts a compressed symbol table into the kernel image and its addresses into VMCOREINFO.
  ///
  /// Source of the form: scripts/kallsyms.c, function `write_src`.
  ///
  /// - Parameters:
  ///   - list: names with addresses, in the table's order; `_stext` should be among them.
  ///   - tokens: texts that take one byte each in names, besides every ASCII character.
  public func makeKallsyms(
    _ list: [(name: String, address: KernelAddress)], rule: KallsymsRule,
    tokens: [String] = ["Tintel_", "Ddmar_", "iommu", "_units"]
  ) {
    let coded = CodedNames(list.map(\.name), tokens: tokens)
    let offsets = inImage(allocate(list.count * 4))
    let kernelHalf: UInt64 = 1 << 63
    let base = list.map(\.address).filter { $0.rawValue >= kernelHalf }.min() ?? KernelAddress(0)
    for (position, entry) in list.enumerated() {
      let place = KernelAddress(offsets.rawValue + UInt64(position) * 4)
      let address = entry.address.rawValue
      let offset: UInt64 =
        switch rule {
        case .selfRelative: address &- place.rawValue
        case .baseRelative: address &- base.rawValue
        case .absolutePerCPU:
          address < kernelHalf ? address : base.rawValue &- 1 &- address
        }
      write(UInt32(truncatingIfNeeded: offset), at: place)
    }
    func store(_ symbol: String, _ bytes: [UInt8]) {
      let address = inImage(allocate(bytes.count + 64))
      write(bytes, at: address)
      note(symbol, address)
    }
    store("kallsyms_names", coded.names)
    store("kallsyms_token_table", coded.tokenTable)
    store("kallsyms_token_index", coded.tokenIndex)
    note("kallsyms_offsets", offsets)
    let count = inImage(allocate(4))
    write(UInt32(list.count), at: count)
    note("kallsyms_num_syms", count)
    if rule != .selfRelative {
      let place = inImage(allocate(8))
      write(base.rawValue, at: place)
      note("kallsyms_relative_base", place)
    }
    if let stext = list.first(where: { $0.name == "_stext" }) { note("_stext", stext.address) }
  }

  /// Adds a symbol's line to VMCOREINFO.
  public func note(_ symbol: String, _ address: KernelAddress) {
    notes.append("SYMBOL(\(symbol))=\(String(address.rawValue, radix: 16))")
  }
}

/// Names as a kernel's symbol table stores them.
private struct CodedNames {
  var tokenTable: [UInt8] = []
  var tokenIndex: [UInt8] = []
  var names: [UInt8] = []
  /// Where each 256th name begins.
  var markers: [Int] = []

  /// - Parameter tokens: texts that take one byte each, besides every ASCII character.
  init(_ list: [String], tokens: [String]) {
    var texts = (0..<256).map { $0 < 0x80 ? [UInt8($0)] : [] }
    for (index, token) in tokens.enumerated() { texts[0x80 + index] = Array(token.utf8) }
    // Token 0 would be an empty text in the table.
    texts[0] = []
    for text in texts {
      tokenIndex += [UInt8(tokenTable.count & 0xff), UInt8(tokenTable.count >> 8)]
      tokenTable += text + [0]
    }
    for (index, name) in list.enumerated() {
      if index % 256 == 0 { markers.append(names.count) }
      let type = name.hasPrefix("dmar") ? "D" : "T"
      var text = Array((type + name).utf8)[...]
      var coded: [UInt8] = []
      while !text.isEmpty {
        let token = tokens.firstIndex { text.starts(with: $0.utf8) }
        coded.append(token.map { UInt8(0x80 + $0) } ?? text[text.startIndex])
        text = text.dropFirst(token.map { tokens[$0].utf8.count } ?? 1)
      }
      names +=
        coded.count < 0x80
        ? [UInt8(coded.count)]
        : [UInt8(coded.count & 0x7f | 0x80), UInt8(coded.count >> 7)]
      names += coded
    }
  }
}

/// The order in which kernels write the parts of their symbol table, and how wide some are.
///
/// Source: scripts/kallsyms.c, function `write_src`.
public enum KallsymsLayout: CaseIterable, Sendable {
  /// Words for addresses, numbers and markers: Linux v3.10, and later without
  /// CONFIG_KALLSYMS_BASE_RELATIVE.
  case addresses
  /// Offsets and their base first, markers of eight bytes: v4.6 to v4.19.
  case offsetsWideMarkers
  /// The same with markers of four bytes: v4.20 to v6.1.
  case offsets
  /// The same with the order of the names between markers and tokens: v6.2, and later ones of v6.1.
  case offsetsAndOrder
  /// The same with four bytes for each name's place in the order, as first committed.
  case offsetsAndWideOrder
  /// Offsets and their base behind the tokens: v6.3 and later.
  case offsetsBehind
  /// Offsets relative to their own place behind the tokens: without a base in between.
  case selfRelativeBehind
  /// The same with parts at multiples of four bytes: v7.2 and later.
  case selfRelativeCompact
  /// Words for addresses behind the tokens: v6.3 to v6.5 without CONFIG_KALLSYMS_BASE_RELATIVE.
  case addressesBehind

  /// Bytes of each number of the order between markers and tokens.
  fileprivate var orderWidth: Int {
    switch self {
    case .offsetsAndOrder: 3
    case .offsetsAndWideOrder: 4
    default: 0
    }
  }
}

extension SyntheticKernel {
  /// Puts a compressed symbol table into the kernel image as the linker lays it out, with nothing but
  /// `_stext` in VMCOREINFO to find it by.
  ///
  /// - Parameters:
  ///   - list: names with addresses; only those in the kernel's image have a place in each layout.
  ///   - padding: bytes of other data before the table.
  /// - Returns: the parts by the names of their labels.
  @discardableResult
  public func makeHiddenKallsyms(
    _ list: [(name: String, address: KernelAddress)], layout: KallsymsLayout, padding: Int = 4096,
    tokens: [String] = ["Tintel_", "Ddmar_", "iommu", "_units"]
  ) -> [String: KernelAddress] {
    let coded = CodedNames(list.map(\.name), tokens: tokens)
    let total = padding + coded.names.count + list.count * 16 + 16384
    let start = inImage(allocate(total, alignment: 4096))
    var labels: [String: KernelAddress] = [:]
    var next = start.rawValue + UInt64(padding)
    let alignment: UInt64 = layout == .selfRelativeCompact ? 4 : 8
    func part(_ label: String, _ bytes: [UInt8]) {
      next = (next + alignment - 1) & ~(alignment - 1)
      labels[label] = KernelAddress(next)
      write(bytes, at: KernelAddress(next))
      next += UInt64(bytes.count)
    }
    func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }
    let base = list.map(\.address.rawValue).min() ?? 0
    let isWide = layout == .addresses || layout == .offsetsWideMarkers
    func addresses() {
      switch layout {
      case .addresses, .addressesBehind:
        part("kallsyms_addresses", list.flatMap { bytes($0.address.rawValue, 8) })
      case .selfRelativeBehind, .selfRelativeCompact:
        let place = (next + alignment - 1) & ~(alignment - 1)
        part(
          "kallsyms_offsets",
          list.enumerated().flatMap { bytes($1.address.rawValue &- place &- UInt64($0 * 4), 4) })
      case .offsets, .offsetsAndOrder, .offsetsAndWideOrder, .offsetsWideMarkers, .offsetsBehind:
        part("kallsyms_offsets", list.flatMap { bytes(base &- 1 &- $0.address.rawValue, 4) })
        part("kallsyms_relative_base", bytes(base, 8))
      }
    }
    let isBehind = [.offsetsBehind, .selfRelativeBehind, .selfRelativeCompact, .addressesBehind]
      .contains(layout)
    if !isBehind { addresses() }
    part("kallsyms_num_syms", bytes(UInt64(list.count), isWide ? 8 : 4))
    part("kallsyms_names", coded.names)
    part("kallsyms_markers", coded.markers.flatMap { bytes(UInt64($0), isWide ? 8 : 4) })
    if layout.orderWidth > 0 {
      // Each number once, the highest byte first where it takes three; any order does here.
      let order = list.indices.sorted { list[$0].name < list[$1].name }
      part(
        "kallsyms_seqs_of_names",
        order.flatMap { number in
          layout.orderWidth == 3
            ? bytes(UInt64(number), 3).reversed() : bytes(UInt64(number), 4)
        })
    }
    part("kallsyms_token_table", coded.tokenTable)
    part("kallsyms_token_index", coded.tokenIndex)
    if isBehind { addresses() }
    return labels
  }
}
