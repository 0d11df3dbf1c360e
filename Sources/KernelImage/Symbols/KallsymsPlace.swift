// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// Where a kernel keeps its symbol table.
struct KallsymsPlace {
  var names: KernelAddress
  var count: Int
  var tokenTable: KernelAddress
  var tokenIndex: KernelAddress
  /// What to hold the names against while they are read; `nil` where their place is certain.
  var markers: Markers?
  /// The forms that the addresses may have, to be tried in this order.
  var forms: [AddressForm]

  /// Where each 256th name begins, counted from the first.
  struct Markers {
    var address: KernelAddress
    /// 4, or 8 up to Linux v4.19.
    var byteCount: Int

    func marker(_ index: Int, _ space: KernelReader) throws(KernelError) -> UInt64 {
      let place = KernelAddress(address.rawValue &+ UInt64(index * byteCount))
      guard byteCount == 8 else {
        let marker: UInt32 = try space.littleEndian(at: place)
        return UInt64(marker)
      }
      return try space.littleEndian(at: place)
    }
  }

  /// How the number of a symbol becomes its address.
  enum AddressForm {
    /// The place of the offset plus the signed offset.
    case selfRelative(KernelAddress)
    /// Base plus the unsigned offset.
    case baseRelative(KernelAddress, base: UInt64)
    /// Not negative: the address itself; negative: base − 1 − offset.
    case absolutePerCPU(KernelAddress, base: UInt64)
    /// The address itself: kernels without CONFIG_KALLSYMS_BASE_RELATIVE, all of them up to v4.5.
    case absolute(KernelAddress)

    /// Where the list begins, and the bytes of one number in it.
    var list: (table: KernelAddress, width: Int) {
      switch self {
      case .absolute(let table): (table, 8)
      case .selfRelative(let table), .baseRelative(let table, _), .absolutePerCPU(let table, _):
        (table, 4)
      }
    }

    /// `nil` for a number beyond the address space.
    func address(_ index: Int, _ space: KernelReader) throws(KernelError) -> KernelAddress? {
      let (table, width) = list
      guard let place = table.advanced(by: UInt64(index) * UInt64(width)) else { return nil }
      if width == 8 { return KernelAddress(try space.littleEndian(at: place)) }
      let offset: UInt32 = try space.littleEndian(at: place)
      return address(of: UInt64(offset), at: place)
    }

    /// What the number means that stands there.
    func address(of number: UInt64, at place: KernelAddress) -> KernelAddress {
      let signed = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: number)))
      return switch self {
      case .absolute: KernelAddress(number)
      case .selfRelative: KernelAddress(place.rawValue &+ signed)
      case .baseRelative(_, let base): KernelAddress(base &+ number)
      case .absolutePerCPU(_, let base):
        KernelAddress(number < 1 << 31 ? number : base &- 1 &- signed)
      }
    }
  }

  /// Whether no address is lower than the one before it, as far as they are in the dump.
  ///
  /// Source: kernel/kallsyms.c, function `get_symbol_pos`, which halves the list until it has an address.
  func ascends(_ form: AddressForm, _ space: KernelReader) -> Bool {
    let (table, width) = form.list
    let (byteCount, isTooLong) = count.multipliedReportingOverflow(by: width)
    guard !isTooLong, let end = table.advanced(by: UInt64(byteCount)),
      table.rawValue % UInt64(width) == 0
    else { return false }
    var last = KernelAddress(0)
    for start in stride(from: table.rawValue & ~0xfff, to: end.rawValue, by: Page.size) {
      guard let page = try? space.page(containing: KernelAddress(start)) else { continue }
      let first = max(start, table.rawValue)
      let stop = min(start &+ UInt64(Page.size), end.rawValue)
      for place in stride(from: first, to: stop, by: width) {
        let word = page[word: Int(place - start) / 8]
        let number = width == 8 ? word : word >> ((place & 4) * 8) & 0xffff_ffff
        let address = form.address(of: number, at: KernelAddress(place))
        guard address >= last else { return false }
        last = address
      }
    }
    return true
  }
}

extension KallsymsPlace {
  /// The table's place as VMCOREINFO has it.
  ///
  /// - Throws: `.noSymbol` where it has none.
  init(_ space: KernelReader, info: VMCoreInfo) throws(KernelError) {
    func address(_ name: String) throws(KernelError) -> KernelAddress {
      guard let address = info.symbol(name) else { throw KernelError(.noSymbol(name)) }
      return address
    }
    names = try address("kallsyms_names")
    let offsets = try address("kallsyms_offsets")
    let number: UInt32 = try space.littleEndian(at: try address("kallsyms_num_syms"))
    guard Kallsyms.countRange.contains(number) else {
      throw KernelError(at: names, .malformed("kallsyms claims \(number) symbols"))
    }
    count = Int(number)
    tokenTable = try address("kallsyms_token_table")
    tokenIndex = try address("kallsyms_token_index")
    if let place = info.symbol("kallsyms_relative_base") {
      let base: UInt64 = try space.littleEndian(at: place)
      forms = [.baseRelative(offsets, base: base), .absolutePerCPU(offsets, base: base)]
    } else {
      forms = [.selfRelative(offsets)]
    }
  }
}
