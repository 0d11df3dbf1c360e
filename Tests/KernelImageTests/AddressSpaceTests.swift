// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import MemoryFixtures
import Testing

struct AddressSpaceTests {
  private let kernel = SyntheticKernel()

  /// Builds tables that map `virtual` with one leaf at `level`, and returns the space.
  private func mapped(
    _ virtual: UInt64, to physical: UInt64, levels: Int, leaf: Int, mask: UInt64 = 0
  ) -> (space: KernelAddressSpace, tables: [PhysicalAddress]) {
    var space = kernel.space
    space.levels = levels
    space.encryptionMask = mask
    var tables = [kernel.physical(kernel.allocatePage())]
    space.pageTable = tables[0]
    for level in stride(from: levels, through: leaf, by: -1) {
      let index = virtual >> UInt64(12 + 9 * (level - 1)) & 511
      let place = kernel.virtual(PhysicalAddress(tables[tables.count - 1].rawValue + index * 8))
      if level == leaf {
        kernel.write(physical | mask | (leaf > 1 ? 0xe3 : 0x63), at: place)
      } else {
        tables.append(kernel.physical(kernel.allocatePage()))
        kernel.write(tables[tables.count - 1].rawValue | mask | 0x63, at: place)
      }
    }
    return (space, tables)
  }

  @Test(arguments: [
    (0xffff_ffff_8000_0000, 0x8_0000), (0xffff_ffff_bfff_ffff, 0x4007_ffff),
    (0xffff_8880_0000_1234, 0x1234), (0xffff_c87f_ffff_ffff, 0x3fff_ffff_ffff),
  ])
  func linearRanges(_ virtual: UInt64, _ physical: UInt64) {
    #expect(kernel.space.linear(KernelAddress(virtual)) == PhysicalAddress(physical))
  }

  @Test(arguments: [
    0xffff_ffff_c000_0000, 0xffff_ffff_7fff_ffff, 0xffff_887f_ffff_ffff, 0xffff_c880_0000_0000, 0,
    UInt64.max,
  ])
  func notLinear(_ virtual: UInt64) {
    #expect(kernel.space.linear(KernelAddress(virtual)) == nil)
  }

  @Test func imageBelowPhysicalZeroHasNoTranslation() {
    var space = kernel.space
    space.physBase = -0x1000
    #expect(space.linear(KernelAddress(0xffff_ffff_8000_0fff)) == nil)
    #expect(space.linear(KernelAddress(0xffff_ffff_8000_1000)) == PhysicalAddress(0))
    space.physBase = .max
    #expect(space.linear(KernelAddress(0xffff_ffff_8000_0001)) == nil)
  }

  @Test(arguments: [4, 5], [1, 2, 3])
  func pageTables(_ levels: Int, _ leaf: Int) throws {
    let virtual: UInt64 = levels == 5 ? 0xffa1_2345_6789_abcd : 0xffff_c9ab_cdef_1234
    let span: UInt64 = 1 << UInt64(12 + 9 * (leaf - 1))
    let physical: UInt64 = 0x12_4000_0000
    let (space, _) = mapped(virtual, to: physical, levels: levels, leaf: leaf)
    #expect(
      try space.translate(KernelAddress(virtual), in: kernel.memory)
        == PhysicalAddress(physical | virtual & (span - 1)))
  }

  @Test func encryptionMaskIsNotPartOfAddresses() throws {
    let mask: UInt64 = 1 << 47
    let (space, _) = mapped(0xffff_c900_0000_0000, to: 0x7000, levels: 4, leaf: 1, mask: mask)
    #expect(
      try space.translate(KernelAddress(0xffff_c900_0000_0008), in: kernel.memory)
        == PhysicalAddress(0x7008))
  }

  @Test(arguments: [0x0001_0000_0000_0000, 0xfffe_c900_0000_0000, 0x8000_0000_0000_0000])
  func nonCanonicalAddressesAreUnmapped(_ virtual: UInt64) {
    let (space, _) = mapped(0xffff_c900_0000_0000, to: 0x7000, levels: 4, leaf: 1)
    #expect(throws: KernelError(at: KernelAddress(virtual), .unmapped(level: 4))) {
      try space.translate(KernelAddress(virtual), in: kernel.memory)
    }
  }

  @Test func entryThatIsNotPresentNamesItsLevel() {
    let (space, _) = mapped(0xffff_c900_0000_0000, to: 0x7000, levels: 4, leaf: 1)
    for (virtual, level) in [
      (0xffff_c900_0000_1000, 1), (0xffff_c900_0020_0000, 2), (0xffff_c900_4000_0000, 3),
      (0xffff_c980_0000_0000, 4),
    ] as [(UInt64, Int)] {
      #expect(throws: KernelError(at: KernelAddress(virtual), .unmapped(level: level))) {
        try space.translate(KernelAddress(virtual), in: kernel.memory)
      }
    }
  }

  @Test func absentTablePageKeepsItsReason() {
    let (space, tables) = mapped(0xffff_c900_0000_0000, to: 0x7000, levels: 4, leaf: 1)
    kernel.memory.setAbsence(.excluded, at: tables[2])
    let error = #expect(throws: KernelError.self) {
      try space.translate(KernelAddress(0xffff_c900_0000_0000), in: kernel.memory)
    }
    #expect(error?.absence == .excluded)
  }

  @Test func withoutPageTableOnlyLinearRangesTranslate() {
    #expect(throws: KernelError.self) {
      try kernel.space.translate(KernelAddress(0xffff_c900_0000_0000), in: kernel.memory)
    }
  }

  @Test func readsAcrossPagesThatAreNotNeighbours() throws {
    let (first, _) = mapped(0xffff_c900_0000_0000, to: 0x90_0000, levels: 4, leaf: 1)
    kernel.memory.write([1, 2, 3, 4], at: PhysicalAddress(0x90_0ffc))
    kernel.memory.write([5, 6, 7, 8], at: PhysicalAddress(0x70_0000))
    // The next entry of the same table leads elsewhere.
    let leaf = try leafTable(of: first)
    kernel.memory.write([0x63, 0, 0x70], at: PhysicalAddress(leaf.rawValue + 8))
    let reader = KernelReader(kernel.memory, first)
    let word: UInt64 = try reader.littleEndian(at: KernelAddress(0xffff_c900_0000_0ffc))
    #expect(word == 0x0807_0605_0403_0201)
    #expect(
      try reader.bytes(at: KernelAddress(0xffff_c900_0000_0ffe), count: 3) == [3, 4, 5])
  }

  private func leafTable(of space: KernelAddressSpace) throws -> PhysicalAddress {
    var table = try #require(space.pageTable)
    for shift in [39, 30, 21] as [UInt64] {
      let index = Int((0xffff_c900_0000_0000 as UInt64) >> shift & 511)
      let word = try kernel.memory.page(containing: table)[word: index]
      table = PhysicalAddress(word & ~0xfff)
    }
    return table
  }

  @Test func readsOverTheEndOfMemoryFail() throws {
    var space = kernel.space
    space.imageSize = 1 << 31
    space.physBase = 0
    kernel.memory.write([0xaa], at: PhysicalAddress(0x7fff_ffff))
    let reader = KernelReader(kernel.memory, space)
    #expect(try reader.bytes(at: KernelAddress(.max), count: 1) == [0xaa])
    #expect(throws: KernelError.self) { try reader.bytes(at: KernelAddress(.max), count: 2) }
    #expect(throws: KernelError.self) {
      try reader.littleEndian(at: KernelAddress(.max - 3), as: UInt64.self)
    }
    #expect(try reader.string(at: KernelAddress(.max)).isEmpty == false)
  }

  @Test func zerosAreAssumedForElfHolesOnly() throws {
    let address = kernel.allocatePage()
    let next = kernel.allocatePage()
    kernel.write([7], at: next)
    let reader = KernelReader(kernel.memory, kernel.space)
    kernel.setAbsence(.zeroOrExcluded, at: address)
    var assumed: [KernelAddress] = []
    let bytes = try reader.bytesAssumingZero(at: address, count: 4097) { assumed.append($0) }
    #expect(bytes.count == 4097 && bytes[4096] == 7 && bytes[..<4096].allSatisfy { $0 == 0 })
    #expect(assumed == [address])
    kernel.setAbsence(.excluded, at: address)
    #expect(throws: KernelError.self) { try reader.bytesAssumingZero(at: address, count: 1) }
  }

  @Test func stringsEndAtZeroOrLimit() throws {
    let text = kernel.string("dmar0")
    let reader = KernelReader(kernel.memory, kernel.space)
    #expect(try reader.string(at: text) == "dmar0")
    #expect(try reader.string(at: text, limit: 3) == "dma")
    let odd = kernel.allocate(4)
    kernel.write([0xff, 0x41], at: odd)
    let later = KernelReader(kernel.memory, kernel.space)
    #expect(try later.string(at: odd) == "\u{fffd}A")
  }
}

/// The space as the dump describes it.
struct DescribedSpaceTests {
  private func space(
    _ lines: [String], physicalBase: UInt64? = nil,
    segments: [(KernelAddress, PhysicalAddress)] = []
  ) -> KernelAddressSpace? {
    KernelAddressSpace(
      info: VMCoreInfo(Array(lines.joined(separator: "\n").utf8)), physicalBase: physicalBase,
      segments: segments.map { (virtual: $0.0, physical: $0.1, byteCount: 0x1000) })
  }

  @Test func numbersOfTheNote() throws {
    let found = try #require(
      space([
        "NUMBER(phys_base)=-16777216", "NUMBER(KERNEL_IMAGE_SIZE)=1073741824",
        "NUMBER(pgtable_l5_enabled)=1", "NUMBER(sme_mask)=0x800000000000",
        "SYMBOL(init_top_pgt)=ffffffff82a10000",
      ]))
    #expect(found.physBase == -0x100_0000)
    #expect(found.levels == 5)
    #expect(found.encryptionMask == 1 << 47)
    #expect(found.pageTable == PhysicalAddress(0x1a1_0000))
    #expect(found.directMapBase == KernelAddress(0xff11_0000_0000_0000))
  }

  @Test func segmentsGiveWhatTheNoteLacks() throws {
    let found = try #require(
      space(
        [],
        segments: [
          (KernelAddress(0xffff_ffff_8100_0000), PhysicalAddress(0x2f00_0000)),
          (KernelAddress(0xffff_9a80_0010_0000), PhysicalAddress(0x10_0000)),
        ]))
    #expect(found.physBase == 0x2e00_0000)
    #expect(found.directMapBase == KernelAddress(0xffff_9a80_0000_0000))
    #expect(found.levels == 4)
    #expect(found.pageTable == nil)
  }

  @Test func headerBaseComesBeforeSegments() throws {
    let found = try #require(
      space(
        [], physicalBase: 0x1000_0000,
        segments: [(KernelAddress(0xffff_ffff_8100_0000), PhysicalAddress(0x100_0000))]))
    #expect(found.physBase == 0x1000_0000)
  }

  @Test func nothingTellsTheBase() {
    #expect(space(["OSRELEASE=6.1"]) == nil)
  }

  @Test(
    arguments: [
      (0xffff_9a80_0000_0000, 0xffff_b000_0000_0000, 0xffff_9a80_0000_0000, 0x1580_0000_0000),
      // Not 1 GiB aligned, not in the kernel's half, in front of nothing: not adopted.
      (0xffff_9a80_0000_1000, 0xffff_c900_0000_0000, 0xffff_8880_0000_0000, 1 << 46),
      (0x0000_1234_0000_0000, 0, 0xffff_8880_0000_0000, 1 << 46),
    ] as [(UInt64, UInt64, UInt64, UInt64)])
  func directMapFromVariables(
    _ base: UInt64, _ end: UInt64, _ expectedBase: UInt64, _ expectedSize: UInt64
  ) throws {
    let kernel = SyntheticKernel()
    // The variables are read through the image, before the direct map is known.
    kernel.symbol("page_offset_base", kernel.inImage(kernel.variable("a", base)))
    kernel.symbol("vmalloc_base", kernel.inImage(kernel.variable("b", end)))
    let reader = KernelReader(kernel.memory, kernel.space)
    try reader.adoptDirectMap(from: SymbolTable(kernel.symbols, origin: .kallsyms))
    #expect(reader.space.directMapBase == KernelAddress(expectedBase))
    #expect(reader.space.directMapSize == expectedSize)
  }
}
