// SPDX-License-Identifier: Apache-2.0

public import Memory

/// How the crashed kernel's virtual addresses map to physical ones.
///
/// Three ranges: the kernel image and the direct map are linear; everything else (vmalloc, ioremap,
/// modules) goes through the kernel's own page tables.
///
/// Source: Documentation/arch/x86/x86_64/mm.rst, arch/x86/include/asm/page_64_types.h.
public struct KernelAddressSpace: Hashable, Sendable {
  /// `__START_KERNEL_map`.
  public static let imageBase = KernelAddress(0xffff_ffff_8000_0000)

  /// Bytes of virtual space for the kernel image, `KERNEL_IMAGE_SIZE`: 512 MiB, 1 GiB with KASLR.
  public var imageSize: UInt64
  /// What is added to an offset into the image range to make it physical; may be negative.
  public var physBase: Int64
  /// `PAGE_OFFSET`: start of the direct map of all physical memory.
  public var directMapBase: KernelAddress
  /// Bytes of the direct map.
  public var directMapSize: UInt64
  /// Physical address of the kernel's top-level page table; `nil` if unknown.
  public var pageTable: PhysicalAddress?
  /// 4 or 5.
  public var levels: Int
  /// Encryption bits in page-table entries (`sme_me_mask`); 0 on Intel machines.
  public var encryptionMask: UInt64

  public init(
    imageSize: UInt64 = 1 << 30, physBase: Int64, directMapBase: KernelAddress,
    directMapSize: UInt64 = 1 << 46, pageTable: PhysicalAddress? = nil, levels: Int = 4,
    encryptionMask: UInt64 = 0
  ) {
    self.imageSize = imageSize
    self.physBase = physBase
    self.directMapBase = directMapBase
    self.directMapSize = directMapSize
    self.pageTable = pageTable
    self.levels = levels
    self.encryptionMask = encryptionMask
  }

  /// The physical address of an address in the kernel image or the direct map, by arithmetic alone;
  /// `nil` for every other address.
  public func linear(_ address: KernelAddress) -> PhysicalAddress? {
    if let offset = address.distance(from: Self.imageBase), offset < imageSize {
      let (sum, overflow) = Int64(offset).addingReportingOverflow(physBase)
      return overflow || sum < 0 ? nil : PhysicalAddress(UInt64(sum))
    }
    if let offset = address.distance(from: directMapBase), offset < directMapSize {
      return PhysicalAddress(offset)
    }
    return nil
  }

  /// Translates any kernel address.
  ///
  /// - Throws: `.unmapped` where the page tables hold nothing, `.memory` where one of their pages
  ///   is absent.
  public func translate(
    _ address: KernelAddress, in memory: any PhysicalMemory
  ) throws(KernelError) -> PhysicalAddress {
    if let physical = linear(address) { return physical }
    return try translateByTables(address, in: memory)
  }

  /// Translates a kernel address by the kernel's own page tables alone, those in linear ranges too.
  ///
  /// - Throws: as `translate`.
  func translateByTables(
    _ address: KernelAddress, in memory: any PhysicalMemory
  ) throws(KernelError) -> PhysicalAddress {
    guard let pageTable else { throw KernelError(at: address, .unmapped(level: levels)) }
    // Addresses that are not sign-extended from the top bit have no translation at all.
    let unused = 64 - 12 - 9 * levels
    guard
      Int64(bitPattern: address.rawValue << UInt64(unused)) >> Int64(unused)
        == Int64(bitPattern: address.rawValue)
    else { throw KernelError(at: address, .unmapped(level: levels)) }

    var table = pageTable
    for level in stride(from: levels, through: 1, by: -1) {
      let shift = UInt64(12 + 9 * (level - 1))
      let index = Int(address.rawValue >> shift & 511)
      let entry: UInt64
      do {
        entry = try memory.page(containing: table)[word: index]
      } catch {
        throw KernelError(at: address, .memory(error))
      }
      guard entry[bit: 0] else { throw KernelError(at: address, .unmapped(level: level)) }
      let target = entry & 0x000f_ffff_ffff_f000 & ~encryptionMask
      if level == 1 || (level <= 3 && entry[bit: 7]) {
        let span = (1 as UInt64) << shift
        return PhysicalAddress(target & ~(span - 1) | address.rawValue & (span - 1))
      }
      table = PhysicalAddress(target)
    }
    throw KernelError(at: address, .unmapped(level: 1))
  }
}
