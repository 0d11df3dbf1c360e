// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import Testing

/// The direct map's base against the kernel's own page tables.
struct DirectMapTests {
  private let kernel = SyntheticKernel(cpuCount: 0)

  /// Page tables that map the kernel's image and `size` GiB of memory from `base` on.
  private func makeTables(base: UInt64, levels: Int, gigabytes: Int = 2, small: Bool = false) {
    let top = kernel.allocatePage()
    func table(_ address: UInt64, to level: Int) -> PhysicalAddress {
      var place = kernel.physical(top)
      for step in stride(from: levels, to: level, by: -1) {
        let index = address >> UInt64(12 + 9 * (step - 1)) & 511
        let slot = kernel.virtual(PhysicalAddress(place.rawValue + index * 8))
        if kernel.word(at: slot) == 0 {
          kernel.write(kernel.physical(kernel.allocatePage()).rawValue | 0x63, at: slot)
        }
        place = PhysicalAddress(kernel.word(at: slot) & 0x000f_ffff_ffff_f000)
      }
      return place
    }
    func map(_ virtual: UInt64, _ physical: UInt64, level: Int) {
      let place = table(virtual, to: level)
      let index = virtual >> UInt64(12 + 9 * (level - 1)) & 511
      kernel.write(
        physical | (level == 1 ? 0x63 : 0xe3),
        at: kernel.virtual(PhysicalAddress(place.rawValue + index * 8)))
    }
    for gigabyte in 0..<UInt64(gigabytes) {
      if small, gigabyte == 0 {
        // The first 2 MiB in pages of 4 KiB, the rest in larger ones, as kernels have it.
        for page in 0..<512 as Range<UInt64> { map(base + page << 12, page << 12, level: 1) }
        for page in 1..<512 as Range<UInt64> { map(base + page << 21, page << 21, level: 2) }
      } else {
        map(base + gigabyte << 30, gigabyte << 30, level: 3)
      }
    }
    // The image: physical 0x80000 and on is at its base, see `SyntheticKernel.space`.
    for page in 0..<2048 as Range<UInt64> {
      map(
        KernelAddressSpace.imageBase.rawValue + page << 12, 0x8_0000 + page << 12, level: 1)
    }
    kernel.space.pageTable = kernel.physical(top)
  }

  /// What the reader believes after it looked at the kernel's variable, if there is one.
  private func adopt(variable: UInt64?) -> (space: KernelAddressSpace, error: KernelError?) {
    if let variable {
      kernel.variable("page_offset_base", variable)
      // Kernel variables are read through the image, whose place does not depend on the direct map.
      kernel.symbols["page_offset_base"] = kernel.symbols["page_offset_base"].map {
        $0.map(kernel.inImage)
      }
    }
    let reader = kernel.image().reader
    do throws(KernelError) {
      try reader.adoptDirectMap(from: SymbolTable(kernel.symbols, origin: .kallsyms))
      return (reader.space, nil)
    } catch {
      return (reader.space, error)
    }
  }

  private static let four: UInt64 = 0xffff_8880_0000_0000
  private static let five: UInt64 = 0xff11_0000_0000_0000

  @Test(arguments: [(4, 0xffff_9a40_c000_0000), (4, four), (5, 0xff2d_b2c0_8000_0000), (5, five)])
  func tablesConfirmTheVariable(_ levels: Int, _ base: UInt64) {
    makeTables(base: base, levels: levels, small: true)
    kernel.space.levels = levels
    let result = adopt(variable: base)
    #expect(result.error == nil)
    #expect(result.space.directMapBase == KernelAddress(base))
    #expect(result.space.levels == levels)
  }

  /// No variable, a wrong one, or the wrong depth: the tables tell both.
  @Test(arguments: [nil, 0xffff_a000_0000_0000, 0x1234, four] as [UInt64?], [4, 5])
  func tablesCorrectTheBase(_ variable: UInt64?, _ assumedLevels: Int) {
    makeTables(base: 0xffff_9a40_c000_0000, levels: 4, small: true)
    kernel.space.levels = assumedLevels
    let result = adopt(variable: variable)
    #expect(result.error == nil)
    #expect(result.space.directMapBase == KernelAddress(0xffff_9a40_c000_0000))
    #expect(result.space.levels == 4)
  }

  @Test func fiveLevelsWithoutANote() {
    makeTables(base: 0xff2d_b2c0_8000_0000, levels: 5)
    let result = adopt(variable: nil)
    #expect(result.space.directMapBase == KernelAddress(0xff2d_b2c0_8000_0000))
    #expect(result.space.levels == 5)
  }

  /// Nothing at the place where a direct map would have the tables' own page.
  @Test func noDirectMapAtAll() {
    makeTables(base: Self.four, levels: 4, gigabytes: 0)
    let result = adopt(variable: 0xffff_9a40_c000_0000)
    #expect(result.error != nil)
    #expect(result.space.directMapBase == KernelAddress(0xffff_9a40_c000_0000))
  }

  @Test func absentTablesRefuteNothing() throws {
    makeTables(base: Self.four, levels: 4)
    kernel.setAbsence(.excluded, at: kernel.virtual(try #require(kernel.space.pageTable)))
    let result = adopt(variable: 0xffff_9a40_c000_0000)
    #expect(result.error == nil)
    #expect(result.space.directMapBase == KernelAddress(0xffff_9a40_c000_0000))
  }

  @Test func withoutTablesTheVariableIsBelieved() {
    let result = adopt(variable: 0xffff_9a40_c000_0000)
    #expect(result.error == nil)
    #expect(result.space.directMapBase == KernelAddress(0xffff_9a40_c000_0000))
  }
}
