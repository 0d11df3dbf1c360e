// SPDX-License-Identifier: Apache-2.0

import KernelImage
import Memory
import Testing

struct VMCoreInfoTests {
  private func info(_ text: String) -> VMCoreInfo { VMCoreInfo(Array(text.utf8)) }

  @Test func ordinaryLines() {
    let info = info(
      """
      OSRELEASE=6.12.107+deb13-amd64
      BUILD-ID=00ff
      PAGESIZE=4096
      SYMBOL(_stext)=ffffffff9a000000
      NUMBER(phys_base)=-123
      NUMBER(sme_mask)=0x8000000000000000
      NUMBER(big)=18446744073709551615
      KERNELOFFSET=19000000
      CRASHTIME=1700000000

      """)
    #expect(info.release == "6.12.107+deb13-amd64")
    #expect(info.buildID == "00ff")
    #expect(info.pageSize == 4096)
    #expect(info.symbol("_stext") == KernelAddress(0xffff_ffff_9a00_0000))
    #expect(info.number("phys_base") == -123)
    #expect(info.number("sme_mask") == .min)
    #expect(info.number("big") == -1)
    #expect(info.kernelOffset == 0x1900_0000)
    #expect(info.crashTime == 1_700_000_000)
    #expect(info.symbol("_etext") == nil)
    #expect(info.number("_stext") == nil)
  }

  @Test func firstOfTwoLinesCounts() {
    #expect(info("CRASHTIME=1\nCRASHTIME=2").crashTime == 1)
  }

  @Test func valueMayHoldEqualsSigns() {
    #expect(info("A=b=c").values == ["A": "b=c"])
  }

  @Test(arguments: ["", "\n\n\n", "no equals sign", "\0\0\0\0"])
  func passesByWhatIsNoLine(_ text: String) {
    #expect(info(text).values.isEmpty)
  }

  @Test func paddingOfZerosEndsTheLastValue() {
    let info = VMCoreInfo(Array("PAGESIZE=4096".utf8) + [0, 0, 0])
    #expect(info.pageSize == 4096)
  }

  @Test func oddBytesBecomeReplacementCharacters() {
    let info = VMCoreInfo([0x41, 0xff, 0x3d, 0xfe, 0x42])
    #expect(info.values == ["A\u{fffd}": "\u{fffd}B"])
  }

  @Test(arguments: ["", "x", "0x", "ffffffffffffffffff", "-1 "])
  func numbersThatAreNone(_ text: String) {
    let info = info("SYMBOL(a)=\(text)\nNUMBER(a)=\(text)\nCRASHTIME=\(text)\nPAGESIZE=\(text)")
    #expect(info.number("a") == nil)
    #expect(info.symbol("a") == nil)
    #expect(info.crashTime == nil)
    #expect(info.pageSize == nil)
  }
}

struct SystemMapTests {
  private func symbols(_ text: String, _ wanted: Set<String>) -> SymbolTable? {
    SystemMap.symbols(in: Array(text.utf8), wanted: wanted)
  }

  @Test func wantedNamesWithAllTheirAddresses() throws {
    let table = try #require(
      symbols(
        """
        0000000000000000 A fixed_percpu_data
        ffffffff81000000 T _stext
        ffffffff82000000 d identity_domain
        ffffffff82000100 d identity_domain
        ffffffff82000200 d identity_domain_2
        """, ["_stext", "identity_domain", "fixed_percpu_data", "absent"]))
    #expect(table.origin == .systemMap)
    #expect(table.addresses["identity_domain"]?.count == 2)
    #expect(table["_stext"] == KernelAddress(0xffff_ffff_8100_0000))
    #expect(table["absent"] == nil)
    let moved = table.relocated(by: 0x1000)
    #expect(moved["_stext"] == KernelAddress(0xffff_ffff_8100_1000))
    #expect(moved["fixed_percpu_data"] == KernelAddress(0))
  }

  @Test(arguments: [
    "", "hello", "ffffffff81000000 T ", "ffffffff8100000 T _stext", "fffffffx81000000 T _stext",
    "ffffffff81000000_T _stext",
  ])
  func textThatIsNoMap(_ text: String) {
    #expect(symbols(text, ["_stext"]) == nil)
  }

  @Test func otherLinesArePassedBy() throws {
    let table = try #require(
      symbols("garbage\n\u{0}\u{0}\nffffffff81000000 T _stext\nffff", ["_stext"]))
    #expect(table.addresses.count == 1)
  }
}
