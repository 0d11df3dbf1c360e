// SPDX-License-Identifier: Apache-2.0

internal import Memory

extension KernelReader {
  /// Takes the direct map's base from the kernel's own variable, where it has one, and holds it against
  /// the kernel's page tables.
  ///
  /// `page_offset_base` exists where the kernel can randomise its memory ranges
  /// (arch/x86/mm/kaslr.c); without it the base is what the dump's segments say, or the fixed one.
  /// The direct map begins with physical address 0 and maps the page tables' top page too, which tells
  /// a right base from a wrong one; a wrong one is replaced by what the tables say.
  ///
  /// - Throws: where the variable cannot be read, or the page tables map no such range at all; the
  ///   base then is the best that is known. Page tables that the dump lacks are no error.
  public func adoptDirectMap(from symbols: SymbolTable) throws(KernelError) {
    var obstacle: KernelError?
    do throws(KernelError) {
      if let place = symbols["page_offset_base"] {
        let base: UInt64 = try littleEndian(at: place)
        if Self.isBase(base) { space.directMapBase = KernelAddress(base) }
      }
    } catch {
      obstacle = error
    }
    switch verifyDirectMap() {
    case .confirmed: obstacle = nil
    case .found(let base):
      space.directMapBase = base
      obstacle = nil
    case .refuted:
      obstacle = KernelError(
        at: space.directMapBase,
        .malformed("the kernel's page tables map no memory from the direct map's base on"))
    case .unknown: break
    }
    if let place = symbols["vmalloc_base"] {
      let end: UInt64 = try littleEndian(at: place)
      if let size = KernelAddress(end).distance(from: space.directMapBase), size > 0 {
        space.directMapSize = min(space.directMapSize, size)
      }
    }
    if let obstacle { throw obstacle }
  }

  /// A direct map begins at a multiple of 1 GiB in the kernel's half.
  private static func isBase(_ base: UInt64) -> Bool { base >= 1 << 63 && base & 0x3fff_ffff == 0 }

  /// What the kernel's page tables say about the direct map.
  private enum DirectMapVerdict {
    case confirmed
    /// The tables map all of memory, but from another base on.
    case found(KernelAddress)
    /// They map it nowhere.
    case refuted
    /// They are not in the dump, or their place is not known.
    case unknown
  }

  private func verifyDirectMap() -> DirectMapVerdict {
    guard space.pageTable != nil, let levels = tableLevels() else { return .unknown }
    space.levels = levels
    switch maps(space.directMapBase) {
    case nil: return .unknown
    case true: return .confirmed
    case false: break
    }
    var isComplete = true
    for index in 256..<512 {
      switch firstMapping(below: index) {
      case .absent: isComplete = false
      case .none: break
      case .some(let virtual, let physical):
        let (base, overflow) = virtual.subtractingReportingOverflow(physical)
        guard !overflow, Self.isBase(base) else { continue }
        if maps(KernelAddress(base)) == true { return .found(KernelAddress(base)) }
      }
    }
    return isComplete ? .refuted : .unknown
  }

  /// The number of levels by which the page tables map their own top page where the kernel's image is;
  /// `nil` where the dump does not tell.
  private func tableLevels() -> Int? {
    guard let top = space.pageTable else { return nil }
    let offset = Int64(bitPattern: top.rawValue).subtractingReportingOverflow(space.physBase)
    guard !offset.overflow, offset.partialValue >= 0,
      let image = KernelAddressSpace.imageBase.advanced(by: UInt64(offset.partialValue))
    else { return nil }
    return [space.levels, 9 - space.levels].first { levels in
      var space = space
      space.levels = levels
      return (try? space.translateByTables(image, in: memory)) == top
    }
  }

  /// Whether a direct map at `base` would map the page tables' top page; `nil` where a page is absent.
  private func maps(_ base: KernelAddress) -> Bool? {
    guard let top = space.pageTable, let address = base.advanced(by: top.rawValue) else {
      return false
    }
    do throws(KernelError) {
      return try space.translateByTables(address, in: memory) == top
    } catch {
      if case .memory = error.reason { return nil }
      return false
    }
  }

  private enum FirstMapping {
    case none
    case absent
    case some(virtual: UInt64, physical: UInt64)
  }

  /// The lowest page that is mapped below an entry of the top table.
  private func firstMapping(below index: Int) -> FirstMapping {
    guard var table = space.pageTable else { return .none }
    var virtual: UInt64 = 0
    for level in stride(from: space.levels, through: 1, by: -1) {
      guard let page = try? memory.page(containing: table) else { return .absent }
      let shift = UInt64(12 + 9 * (level - 1))
      let indices = level == space.levels ? index...index : 0...511
      guard let present = indices.first(where: { page[word: $0][bit: 0] }) else { return .none }
      let entry = page[word: present]
      virtual |= UInt64(present) << shift
      let target = entry & 0x000f_ffff_ffff_f000 & ~space.encryptionMask
      if level == 1 || level <= 3 && entry[bit: 7] {
        // Addresses are sign-extended from the top bit of the top index.
        let unused = UInt64(64 - 12 - 9 * space.levels)
        let address = UInt64(bitPattern: Int64(bitPattern: virtual << unused) >> Int64(unused))
        return .some(virtual: address, physical: target & ~((1 << shift) - 1))
      }
      table = PhysicalAddress(target)
    }
    return .none
  }
}
