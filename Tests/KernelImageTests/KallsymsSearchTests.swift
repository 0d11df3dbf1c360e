// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import MemoryFixtures
import Testing

/// Symbol tables that VMCOREINFO does not tell the place of.
struct KallsymsSearchTests {
  private let kernel = SyntheticKernel()
  private let stext: KernelAddress

  init() {
    // The image begins before everything that tests allocate in it.
    stext = kernel.inImage(kernel.virtual(PhysicalAddress(0x10_0000)))
    kernel.note("_stext", stext)
  }

  private func list(_ count: Int = 700) -> [(name: String, address: KernelAddress)] {
    let start = stext.rawValue
    return [("_stext", stext)]
      + (0..<count).map { ("filler_\($0)", KernelAddress(start + 0x1000 + UInt64($0) * 16)) }
      + [
        ("dmar_drhd_units", KernelAddress(start + 0x20_0010)),
        ("init_uts_ns", KernelAddress(start + 0x20_1000)),
        ("intel_iommu_ops", KernelAddress(start + 0x20_2000)),
      ]
  }

  private func symbols(unrecorded: Bool = false) throws -> SymbolTable {
    let image = kernel.image()
    return try image.reader.kallsyms(
      info: image.info, wanted: ["dmar_drhd_units", "intel_iommu_ops", "filler_699"],
      unrecorded: unrecorded ? kernel.memory : nil)
  }

  @Test(arguments: KallsymsLayout.allCases, [0, 1, 4096, 5003, 1 << 20])
  func everyLayoutIsFound(_ layout: KallsymsLayout, _ padding: Int) throws {
    kernel.makeHiddenKallsyms(list(), layout: layout, padding: padding)
    let table = try symbols()
    #expect(table.origin == .kallsyms)
    #expect(table["dmar_drhd_units"] == KernelAddress(stext.rawValue + 0x20_0010))
    #expect(table["intel_iommu_ops"] == KernelAddress(stext.rawValue + 0x20_2000))
    #expect(table["filler_699"] == KernelAddress(stext.rawValue + 0x1000 + 699 * 16))
    #expect(table.addresses.count == 3)
  }

  /// Numbers of names around the limits of the markers, with padding behind them and without.
  @Test(arguments: KallsymsLayout.allCases, [254, 255, 256, 257, 508, 509, 765, 1020])
  func everyNumberOfNames(_ layout: KallsymsLayout, _ count: Int) throws {
    kernel.makeHiddenKallsyms(list(count), layout: layout)
    #expect(try symbols()["intel_iommu_ops"] == KernelAddress(stext.rawValue + 0x20_2000))
  }

  @Test(arguments: KallsymsLayout.allCases)
  func anotherKernelsTableIsPassedBy(_ layout: KallsymsLayout) throws {
    // What the page cache may hold of another build's image.
    kernel.makeHiddenKallsyms(
      list().map { ($0.name, KernelAddress($0.address.rawValue &+ 0x10)) }, layout: layout)
    #expect(throws: KernelError.self) { try symbols() }
    kernel.makeHiddenKallsyms(list(), layout: layout)
    #expect(try symbols()["dmar_drhd_units"] == KernelAddress(stext.rawValue + 0x20_0010))
  }

  /// The kernel halves the list to find an address in it, so a list that does not ascend is none.
  @Test(arguments: KallsymsLayout.allCases)
  func addressesAscend(_ layout: KallsymsLayout) throws {
    var list = list()
    list[300].address = KernelAddress(list[300].address.rawValue + 0x1000)
    kernel.makeHiddenKallsyms(list, layout: layout)
    #expect(throws: KernelError.self) { try symbols() }
  }

  /// Equal addresses are ordinary: aliases, and the ends of sections.
  @Test(arguments: KallsymsLayout.allCases)
  func addressesMayRepeat(_ layout: KallsymsLayout) throws {
    var list = list()
    list[300].address = list[301].address
    kernel.makeHiddenKallsyms(list, layout: layout)
    #expect(try symbols()["intel_iommu_ops"] == KernelAddress(stext.rawValue + 0x20_2000))
  }

  /// Markers are looked for behind every zero word, and what stands there may look like them.
  @Test(arguments: [KallsymsLayout.offsetsAndOrder, .offsetsAndWideOrder])
  func wordsThatLookLikeMarkers(_ layout: KallsymsLayout) throws {
    let labels = kernel.makeHiddenKallsyms(list(), layout: layout)
    let order = try #require(labels["kallsyms_seqs_of_names"])
    // The order is not read, so it may hold anything.
    for place in stride(from: order.rawValue, to: order.rawValue + 2000, by: 24) {
      kernel.write(UInt64(0x1000) << 32, at: KernelAddress(place))
    }
    #expect(try symbols()["intel_iommu_ops"] == KernelAddress(stext.rawValue + 0x20_2000))
  }

  @Test func everySymbolOfVMCOREINFOMustAgree() throws {
    kernel.makeHiddenKallsyms(list(), layout: .offsets)
    kernel.note("init_uts_ns", KernelAddress(stext.rawValue + 0x20_1000))
    _ = try symbols()
    kernel.notes.removeLast()
    kernel.note("init_uts_ns", KernelAddress(stext.rawValue + 0x20_1008))
    #expect(throws: KernelError.self) { try symbols() }
  }

  @Test func withoutStextNothingIsBelieved() {
    kernel.makeHiddenKallsyms(list(), layout: .offsets)
    kernel.notes = []
    #expect(throws: KernelError(.noSymbol("kallsyms_names"))) { try symbols() }
  }

  @Test(arguments: [
    "kallsyms_names", "kallsyms_markers", "kallsyms_token_table", "kallsyms_token_index",
    "kallsyms_offsets",
  ])
  func anAbsentPart(_ label: String) throws {
    let labels = kernel.makeHiddenKallsyms(list(3000), layout: .offsets)
    kernel.setAbsence(.excluded, at: try #require(labels[label]))
    #expect(throws: KernelError.self) { try symbols() }
  }

  /// One byte of any part of the table changed: the right symbols, or none.
  @Test func damagedTables() throws {
    let labels = kernel.makeHiddenKallsyms(list(), layout: .offsets)
    let first = try #require(labels["kallsyms_offsets"])
    var random = SeededGenerator(seed: 11)
    for _ in 0..<60 {
      let place = KernelAddress(first.rawValue + UInt64.random(in: 0..<13_000, using: &random))
      let old = kernel.word(at: place)
      kernel.write(UInt8.random(in: 0...255, using: &random), at: place)
      // A changed name or offset of one symbol cannot be told; that of another does no harm.
      if let table = try? symbols() { #expect(table.addresses.count <= 3) }
      kernel.write(old, at: place)
    }
    #expect(try symbols().addresses.count == 3)
  }

  /// What is looked through but does not belong to the table stays out of an extract.
  @Test func theSearchLeavesNoTrace() throws {
    let labels = kernel.makeHiddenKallsyms(list(), layout: .offsets, padding: 1 << 20)
    let recorder = RecordingMemory(kernel.memory)
    let image = kernel.image(memory: recorder)
    _ = try image.reader.kallsyms(
      info: image.info, wanted: ["dmar_drhd_units"], unrecorded: kernel.memory)
    let pages = recorder.record.map(\.frame)
    #expect(pages.count < 16)
    // Enough to find it again.
    for label in ["kallsyms_names", "kallsyms_markers", "kallsyms_token_table"] {
      let place = kernel.physical(try #require(labels[label]))
      #expect(pages.contains(place.frame))
    }
    let copy = SyntheticMemory()
    for frame in pages {
      copy.write(
        kernel.memory.read(at: PhysicalAddress(frame << 12), count: 4096),
        at: PhysicalAddress(frame << 12))
    }
    let again = kernel.image(memory: copy)
    #expect(
      try again.reader.kallsyms(info: again.info, wanted: ["dmar_drhd_units"])["dmar_drhd_units"]
        == KernelAddress(stext.rawValue + 0x20_0010))
  }
}
