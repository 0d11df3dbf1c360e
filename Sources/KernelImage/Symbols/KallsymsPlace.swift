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

    /// `nil` for a number beyond the address space.
    func address(_ index: Int, _ space: KernelReader) throws(KernelError) -> KernelAddress? {
      switch self {
      case .absolute(let table):
        guard let place = table.advanced(by: UInt64(index) * 8) else { return nil }
        return KernelAddress(try space.littleEndian(at: place))
      case .selfRelative(let table), .baseRelative(let table, _), .absolutePerCPU(let table, _):
        guard let place = table.advanced(by: UInt64(index) * 4) else { return nil }
        let offset: UInt32 = try space.littleEndian(at: place)
        let signed = UInt64(bitPattern: Int64(Int32(bitPattern: offset)))
        return switch self {
        case .baseRelative(_, let base): KernelAddress(base &+ UInt64(offset))
        case .absolutePerCPU(_, let base):
          KernelAddress(offset < 1 << 31 ? UInt64(offset) : base &- 1 &- signed)
        default: KernelAddress(place.rawValue &+ signed)
        }
      }
    }
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
