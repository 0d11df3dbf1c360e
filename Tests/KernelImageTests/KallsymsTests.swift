// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import Testing

struct KallsymsTests {
  private let kernel = SyntheticKernel()
  private let long = String(repeating: "very_long_name_of_a_generic_", count: 12)
  private let wanted: Set<String> = ["dmar_drhd_units", "intel_iommu_ops", "identity_domain"]

  private var list: [(name: String, address: KernelAddress)] {
    [
      ("fixed_percpu_data", KernelAddress(0)), ("deferred_flush", KernelAddress(0x1f0a8)),
      ("_text", KernelAddress(0xffff_ffff_8110_0000)),
      ("_stext", KernelAddress(0xffff_ffff_8110_1000)),
      (long, KernelAddress(0xffff_ffff_8110_2000)),
      ("intel_iommu_ops", KernelAddress(0xffff_ffff_8234_5678)),
      ("identity_domain", KernelAddress(0xffff_ffff_8234_6000)),
      ("dmar_drhd_units", KernelAddress(0xffff_ffff_82f0_0010)),
      ("identity_domain", KernelAddress(0xffff_ffff_82f0_0020)),
    ]
  }

  private func symbols(_ wanted: Set<String>) throws -> SymbolTable {
    let image = kernel.image()
    return try image.reader.kallsyms(info: image.info, wanted: wanted)
  }

  /// Moves a VMCOREINFO symbol to other bytes.
  private func replace(_ symbol: String, _ bytes: [UInt8]) {
    let address = kernel.inImage(kernel.allocate(bytes.count))
    kernel.write(bytes, at: address)
    kernel.notes.removeAll { $0.hasPrefix("SYMBOL(\(symbol))") }
    kernel.note(symbol, address)
  }

  @Test(arguments: KallsymsRule.allCases)
  func everyRuleGivesTheAddresses(_ rule: KallsymsRule) throws {
    // Only the absolute rule can hold per-CPU offsets next to image addresses.
    kernel.makeKallsyms(
      rule == .absolutePerCPU ? list : Array(list.dropFirst(2)), rule: rule)
    let table = try symbols(wanted.union([long, "deferred_flush", "absent"]))
    #expect(table.origin == .kallsyms)
    #expect(table["dmar_drhd_units"] == KernelAddress(0xffff_ffff_82f0_0010))
    #expect(table["intel_iommu_ops"] == KernelAddress(0xffff_ffff_8234_5678))
    #expect(
      table.addresses["identity_domain"]
        == [KernelAddress(0xffff_ffff_8234_6000), KernelAddress(0xffff_ffff_82f0_0020)])
    #expect(table[long] == KernelAddress(0xffff_ffff_8110_2000))
    #expect(table["absent"] == nil)
    #expect(
      table["deferred_flush"] == (rule == .absolutePerCPU ? KernelAddress(0x1f0a8) : nil))
  }

  @Test func withoutNotesThereIsNoTable() {
    let error = #expect(throws: KernelError.self) { try symbols(wanted) }
    #expect(error?.reason == .noSymbol("kallsyms_names"))
  }

  @Test func withoutStextNothingChecksTheRule() {
    kernel.makeKallsyms(list.filter { $0.name != "_stext" }, rule: .absolutePerCPU)
    #expect(throws: KernelError.self) { try symbols(wanted) }
  }

  @Test func noRuleFits() {
    kernel.makeKallsyms(list, rule: .absolutePerCPU)
    kernel.notes.removeAll { $0.hasPrefix("SYMBOL(_stext)") }
    kernel.note("_stext", KernelAddress(0xffff_ffff_8110_1001))
    let error = #expect(throws: KernelError.self) { try symbols(wanted) }
    #expect(error?.description.contains("no known form") == true)
  }

  @Test(arguments: [0, 10_000_001, UInt32.max])
  func hostileCount(_ count: UInt32) {
    kernel.makeKallsyms(list, rule: .absolutePerCPU)
    replace("kallsyms_num_syms", (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) })
    #expect(throws: KernelError.self) { try symbols(wanted) }
  }

  @Test func namesThatRunOffTheDump() {
    kernel.makeKallsyms(list, rule: .absolutePerCPU)
    replace("kallsyms_num_syms", [0x80, 0x96, 0x98, 0])
    #expect(throws: KernelError.self) { try symbols(wanted) }
  }

  @Test func namesLongerThanAnyNameAreRefused() {
    kernel.makeKallsyms(list, rule: .absolutePerCPU)
    // 16,383 tokens of 60,000 bytes each would make a name of a gigabyte.
    let token = [UInt8](repeating: 0x61, count: 60_000) + [0]
    replace("kallsyms_token_table", token)
    replace("kallsyms_token_index", [UInt8](repeating: 0, count: 512))
    replace("kallsyms_names", [UInt8](repeating: 0xff, count: 1 << 20))
    let error = #expect(throws: KernelError.self) { try symbols(wanted) }
    #expect(error?.description.contains("name") == true)
  }

  @Test func oneNameManyTimesIsRefused() {
    let many = 70_000
    kernel.makeKallsyms(
      [("_stext", KernelAddress(0xffff_ffff_8110_1000))]
        + (0..<many).map { ("a", KernelAddress(0xffff_ffff_8110_1000 + UInt64($0))) },
      rule: .baseRelative)
    #expect(throws: KernelError.self) { try symbols(["a"]) }
  }

  @Test func absentPageOfNames() throws {
    kernel.makeKallsyms(list, rule: .absolutePerCPU)
    let names = try #require(kernel.image().info.symbol("kallsyms_names"))
    kernel.setAbsence(.excluded, at: names)
    let error = #expect(throws: KernelError.self) { try symbols(wanted) }
    #expect(error?.absence == .excluded)
  }

  @Test func typesOfTheDump() throws {
    let start = kernel.allocate(0x20)
    kernel.write([0x9f, 0xeb], at: start)
    kernel.symbol("__start_BTF", start)
    kernel.symbol("__stop_BTF", KernelAddress(start.rawValue + 0x18))
    let table = SymbolTable(kernel.symbols, origin: .kallsyms)
    let bytes = try #require(try kernel.image().reader.btf(table))
    #expect(bytes.count == 0x18 && bytes[0] == 0x9f)
    #expect(try kernel.image().reader.btf(SymbolTable([:], origin: .kallsyms)) == nil)
    for stop in [start.rawValue - 1, start.rawValue + 1 << 28] {
      #expect(throws: KernelError.self) {
        try kernel.image().reader.btf(
          SymbolTable(
            ["__start_BTF": [start], "__stop_BTF": [KernelAddress(stop)]], origin: .kallsyms))
      }
    }
  }
}
