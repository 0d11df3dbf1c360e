// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import Testing

/// Where a kernel lies whose dump says nothing of it.
struct ImageOffsetTests {
  private let kernel = SyntheticKernel(cpuCount: 0)
  /// Where the kernel was linked to be; it was moved by 6 MiB.
  private static let moved: UInt64 = 0x60_0000

  private struct Parts {
    var banner: KernelAddress
    var text: KernelAddress
    var top: KernelAddress
  }

  /// A kernel's banner, its text, and page tables of some depth that map the text.
  private func makeKernel(
    banner: String = "Linux version 4.18.0-147.el8.x86_64 (mock) #1", levels: Int = 4,
    textAt shift: UInt64 = 0
  ) -> Parts {
    let place = kernel.allocate(Page.size, alignment: 4096)
    kernel.write(Array(banner.utf8), at: place)
    let text = kernel.allocatePage()
    let top = kernel.allocatePage()
    var table = kernel.physical(top)
    let address = kernel.inImage(text).rawValue
    for level in stride(from: levels, through: 1, by: -1) {
      let index = address >> UInt64(12 + 9 * (level - 1)) & 511
      let next = level == 1 ? text : kernel.allocatePage()
      kernel.write(
        kernel.physical(next).rawValue + (level == 1 ? shift : 0) | 0x63,
        at: kernel.virtual(PhysicalAddress(table.rawValue + index * 8)))
      table = kernel.physical(next)
    }
    return Parts(
      banner: kernel.inImage(place), text: kernel.inImage(text), top: kernel.inImage(top))
  }

  /// As linked: before it was moved.
  private func linked(_ parts: Parts, top: String = "init_top_pgt") -> SymbolTable {
    func before(_ address: KernelAddress) -> [KernelAddress] {
      [KernelAddress(address.rawValue &- Self.moved)]
    }
    return SymbolTable(
      ["linux_banner": before(parts.banner), "_stext": before(parts.text), top: before(parts.top)],
      origin: .vmlinux)
  }

  private func offset(_ symbols: SymbolTable) -> ImageOffset? {
    ImageOffset(of: symbols, in: kernel.image().reader)
  }

  @Test(arguments: [4, 5], ["init_top_pgt", "init_level4_pgt", "swapper_pg_dir"])
  func bannerAndTablesTellIt(_ levels: Int, _ top: String) throws {
    let parts = makeKernel(levels: levels)
    let found = try #require(offset(linked(parts, top: top)))
    #expect(found.bytes == Self.moved)
    #expect(found.release == "4.18.0-147.el8.x86_64")
    #expect(found.pageTable == kernel.space.linear(parts.top))
  }

  @Test func eitherIsEnoughWhereTheOtherIsAbsent() throws {
    let parts = makeKernel()
    let symbols = linked(parts)
    kernel.setAbsence(.notInDump, at: parts.banner)
    let tables = try #require(offset(symbols))
    #expect(tables.bytes == Self.moved && tables.release == nil && tables.pageTable != nil)
    kernel.setAbsence(nil, at: parts.banner)
    kernel.setAbsence(.notInDump, at: parts.top)
    let banner = try #require(offset(symbols))
    #expect(banner.bytes == Self.moved && banner.release != nil && banner.pageTable == nil)
    kernel.setAbsence(.notInDump, at: parts.banner)
    #expect(offset(symbols) == nil)
  }

  @Test func neitherMayContradict() {
    #expect(offset(linked(makeKernel(banner: "Linux version "))) == nil)
    #expect(offset(linked(makeKernel(banner: "linux version 6.1.0"))) == nil)
    // Tables of something else: the text is mapped to the page behind it.
    #expect(offset(linked(makeKernel(textAt: 0x1000))) == nil)
  }

  @Test func anotherKernelIsNowhere() {
    let parts = makeKernel()
    var symbols = linked(parts)
    symbols.addresses["linux_banner"] = [KernelAddress(parts.banner.rawValue &- Self.moved &+ 8)]
    #expect(offset(symbols) == nil)
    #expect(offset(SymbolTable([:], origin: .vmlinux)) == nil)
    // Absolute symbols and those at the end of the address space.
    for address in [0, 0x1000, 0xffff_ffff_ffff_fff0] as [UInt64] {
      symbols.addresses = symbols.addresses.mapValues { _ in [KernelAddress(address)] }
      #expect(offset(symbols) == nil)
    }
  }

  @Test func twoPlacesAreNone() {
    // Two banners at the same distance from a multiple of 2 MiB, and no tables to tell them apart.
    let parts = makeKernel()
    kernel.setAbsence(.notInDump, at: parts.top)
    let other = KernelAddress(parts.banner.rawValue + 0x20_0000)
    kernel.write(Array("Linux version 5.14.0 ".utf8), at: other)
    #expect(offset(linked(parts)) == nil)
  }

  @Test func theNoteIsCompleted() throws {
    let parts = makeKernel()
    let found = try #require(offset(linked(parts)))
    let empty = VMCoreInfo([])
    #expect(empty.isMute && !empty.isFound)
    let info = empty.completed(by: found, linked(parts).relocated(by: found.bytes))
    #expect(!info.isMute && info.isFound)
    #expect(info.kernelOffset == Self.moved && info.symbol("_stext") == parts.text)
    #expect(info.release == "4.18.0-147.el8.x86_64")
  }
}
