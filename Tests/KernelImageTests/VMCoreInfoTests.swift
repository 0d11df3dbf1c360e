// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import MemoryFixtures
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

/// Damage to the text: what a kernel would not write, and what its own copy contradicts.
struct VMCoreInfoSoundnessTests {
  private static let lines = [
    "OSRELEASE=6.1.0-56-amd64", "BUILD-ID=eb4f", "PAGESIZE=4096", "SYMBOL(_stext)=ffffffff81200000",
    "OFFSET(page.flags)=0", "NUMBER(phys_base)=-299892736", "NUMBER(sme_mask)=0x8000000000000000",
    "CONFIG_X86_PAE=y", "KERNELOFFSET=200000", "CRASHTIME=1795768439",
  ]

  private func info(_ lines: [String]) -> VMCoreInfo {
    VMCoreInfo(Array(lines.map { $0 + "\n" }.joined().utf8) + [0, 0])
  }

  @Test func `a kernel's text is sound`() {
    #expect(info(Self.lines).obstacles == [])
    #expect(VMCoreInfo([]).obstacles == [])
    #expect(VMCoreInfo([0, 0, 0, 0]).obstacles == [])
  }

  @Test(
    arguments: [
      "BUILD-ID", "=eb4f", "BUILD-ID=", "PAGESIZE=4k", "CRASHTIME=17957\u{0}8439", "A=\u{7f}",
      "CRASHTIME=", "KERNELOFFSET=2000g0", "SYMBOL(_stext)=0xffffffff81200000", "OFFSET(a.b)=x",
      "SIZE(page)=", "LENGTH(a)=-", "NUMBER(a)=1 ", "BUILD\u{1b}ID=eb4f", "BUILD-ID=eb\u{e9}f",
    ])
  func `a line that no kernel writes is told`(_ line: String) {
    let obstacles = info(Self.lines + [line]).obstacles
    #expect(obstacles.count == 1)
    #expect(obstacles.first?.hasPrefix("VMCOREINFO is damaged: ") == true)
    let two = info(Self.lines + [line, line]).obstacles
    #expect(two.first?.hasSuffix(", nor are 1 more") == true)
  }

  @Test(arguments: ["OSREL5ASE=6.1.0", "OSRELEASE="])
  func `a release that is not there is told`(_ line: String) {
    let damaged = info([line] + Self.lines.dropFirst())
    #expect(damaged.release == nil)
    #expect(damaged.obstacles.contains { $0.contains("does not name the kernel's release") })
  }

  /// What a dump's text becomes beside the copy.
  private func checked(
    _ lines: [String], own: [String]? = Self.lines, _ form: SyntheticKernel.OwnNote = .pointer,
    damage: (SyntheticKernel, KernelAddress) -> Void = { _, _ in }
  ) -> VMCoreInfo {
    let kernel = SyntheticKernel()
    if let own {
      let note = kernel.makeOwnNote(form)
      kernel.writeOwnNote(own, at: note)
      damage(kernel, note)
    }
    let image = kernel.image()
    return image.reader.checked(info(lines), image.symbols)
  }

  @Test(arguments: SyntheticKernel.OwnNote.allCases)
  func `the copy agrees`(_ form: SyntheticKernel.OwnNote) {
    #expect(checked(Self.lines, form) == info(Self.lines))
  }

  @Test(arguments: SyntheticKernel.OwnNote.allCases)
  func `where both have a line the dump's stands`(_ form: SyntheticKernel.OwnNote) {
    let info = checked(["OSRELEASE=5.1.0-56-amd64"] + Self.lines.dropFirst(), form)
    #expect(info.release == "5.1.0-56-amd64")
    #expect(info.obstacles.count == 1)
    #expect(
      info.obstacles.first?.hasSuffix(
        "says: it has OSRELEASE=5.1.0-56-amd64, the copy 6.1.0-56-amd64") == true)
  }

  @Test func `a lost line is taken from the copy`() {
    let info = checked(["OSREL5ASE=6.1.0-56-amd64"] + Self.lines.dropFirst().dropLast())
    #expect(info.release == "6.1.0-56-amd64")
    #expect(info.crashTime == 1_795_768_439)
    let told = info.obstacles.last ?? ""
    #expect(told.contains("it lacks CRASHTIME, which is taken from the copy: 1795768439"))
    #expect(told.contains("it has OSREL5ASE=6.1.0-56-amd64, which the copy lacks"))
    #expect(told.contains("it lacks OSRELEASE, which is taken from the copy: 6.1.0-56-amd64"))
  }

  @Test func `many differences are counted`() {
    let own = (0..<9).map { "SYMBOL(s\($0))=1" }
    #expect(
      checked(Self.lines, own: Self.lines + own).obstacles.last?.hasSuffix("and 5 more") == true)
  }

  @Test func `a long line is cut where it is quoted`() {
    let long = "OSRELEASE=" + String(repeating: "x", count: 1 << 20)
    let obstacles = checked([long, String(repeating: "y", count: 1 << 20)]).obstacles
    #expect(obstacles.count == 2)
    #expect(obstacles.allSatisfy { $0.utf8.count < 1000 })
  }

  /// Nothing is known of a text whose copy is not there or is none.
  @Test func `no copy says nothing`() {
    let text = ["OSRELEASE=5.1.0-56-amd64"] + Self.lines.dropFirst()
    #expect(checked(text, own: nil) == info(text))
    #expect(checked(text) { $0.setAbsence(.excluded, at: $1) } == info(text))
    #expect(checked(text) { $0.write([UInt8](repeating: 7, count: 4), at: $1) } == info(text))
    #expect(
      checked(text) {
        $0.write(UInt32.max, at: KernelAddress($1.rawValue + 4))
      } == info(text))
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
