// SPDX-License-Identifier: Apache-2.0

public import Memory

extension KernelAddressSpace {
  /// The address space as the dump describes it, before any symbol is known.
  ///
  /// - Parameters:
  ///   - info: the dump's VMCOREINFO.
  ///   - physicalBase: `phys_base` from the dump's own header, where VMCOREINFO has none.
  ///   - segments: virtual start, physical start and bytes of the dump's ELF segments; the direct
  ///     map's base follows from any segment of it.
  /// - Returns: `nil` if nothing tells where the kernel image lies in physical memory.
  public init?(
    info: VMCoreInfo, physicalBase: UInt64?,
    segments: [(virtual: KernelAddress, physical: PhysicalAddress, byteCount: UInt64)]
  ) {
    let image = segments.first {
      $0.virtual >= Self.imageBase && $0.virtual.rawValue < 0xffff_ffff_c000_0000
    }
    let physBase: Int64
    if let number = info.number("phys_base") {
      physBase = number
    } else if let physicalBase {
      physBase = Int64(bitPattern: physicalBase)
    } else if let image {
      physBase = Int64(
        bitPattern: image.physical.rawValue
          &- (image.virtual.rawValue &- Self.imageBase.rawValue))
    } else {
      return nil
    }
    let levels = info.number("pgtable_l5_enabled") == 1 ? 5 : 4
    // The kernel image's range starts 2 GiB below the top; everything lower in the kernel's half is
    // the direct map.
    let direct = segments.first {
      $0.virtual.rawValue >= 1 << 63 && $0.virtual < Self.imageBase
        && $0.virtual.rawValue >= $0.physical.rawValue
    }
    self.init(
      imageSize: info.number("KERNEL_IMAGE_SIZE").map { UInt64(bitPattern: $0) } ?? 1 << 30,
      physBase: physBase,
      directMapBase: KernelAddress(
        direct.map { $0.virtual.rawValue - $0.physical.rawValue }
          ?? (levels == 5 ? 0xff11_0000_0000_0000 : 0xffff_8880_0000_0000)),
      directMapSize: levels == 5 ? 1 << 52 : 1 << 46, levels: levels,
      encryptionMask: info.number("sme_mask").map { UInt64(bitPattern: $0) } ?? 0)
    if let top = info.symbol("init_top_pgt") ?? info.symbol("init_level4_pgt")
      ?? info.symbol("swapper_pg_dir")
    {
      pageTable = linear(top)
    }
  }
}

extension KernelReader {
  /// The wanted symbols from the kernel's own table in the dump.
  ///
  /// - Parameter unrecorded: the same memory without a decorator that remembers what is read; where
  ///   VMCOREINFO does not tell the table's place, much of the kernel's image is looked through, and
  ///   only what belongs to the table is wanted in an extract.
  /// - Throws: `.noSymbol` where VMCOREINFO does not tell the place and none is found.
  public func kallsyms(
    info: VMCoreInfo, wanted: Set<String>, unrecorded: (any PhysicalMemory)? = nil
  ) throws(KernelError) -> SymbolTable {
    let absence: KernelError
    do throws(KernelError) {
      return try Kallsyms(self, info: info, at: try KallsymsPlace(self, info: info)).symbols(wanted)
    } catch {
      guard case .noSymbol = error.reason else { throw error }
      absence = error
    }
    // Without an address to check against, no find could be believed.
    guard let start = info.symbol("_stext") else { throw absence }
    let plain = KernelReader(unrecorded ?? memory, space)
    var found: SymbolTable?
    KallsymsSearch(plain).find(from: start) { place in
      found = try? Kallsyms(plain, info: info, at: place).symbols(wanted, isGuessed: true)
      // Once more through the decorator, which the table's own pages are to pass.
      if found != nil, unrecorded != nil {
        found = try? Kallsyms(self, info: info, at: place).symbols(wanted)
      }
      return found != nil
    }
    guard let found else { throw absence }
    return found
  }

  /// The kernel's BTF as it lies in the dump, or `nil` if the symbols do not name one.
  public func btf(_ symbols: SymbolTable) throws(KernelError) -> [UInt8]? {
    guard let start = symbols["__start_BTF"], let stop = symbols["__stop_BTF"] else { return nil }
    // A kernel's BTF is a few MiB.
    guard let size = stop.distance(from: start), size < 1 << 28 else {
      throw KernelError(
        at: start, .malformed("BTF ends at \(stop), before or far behind its start"))
    }
    return size == 0 ? nil : try bytes(at: start, count: Int(size))
  }
}
