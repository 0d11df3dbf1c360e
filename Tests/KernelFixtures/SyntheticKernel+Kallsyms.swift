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
    var texts = (0..<256).map { $0 < 0x80 ? [UInt8($0)] : [] }
    for (index, token) in tokens.enumerated() { texts[0x80 + index] = Array(token.utf8) }
    // Token 0 would be an empty text in the table.
    texts[0] = []
    var table: [UInt8] = []
    var index: [UInt8] = []
    for text in texts {
      index += [UInt8(table.count & 0xff), UInt8(table.count >> 8)]
      table += text + [0]
    }

    var names: [UInt8] = []
    for (name, _) in list {
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
    store("kallsyms_names", names)
    store("kallsyms_token_table", table)
    store("kallsyms_token_index", index)
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
