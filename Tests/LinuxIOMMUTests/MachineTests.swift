// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import RemappingState
import Testing

@testable import LinuxIOMMU

/// What lies where in memory, and which pages are free.
struct MachineTests {
  // MARK: Free pages

  /// A kernel with `struct page`s for 4,096 frames, all of them in use.
  ///
  /// - Parameter isOld: names as of Linux 3.10 (include/linux/mm_types.h), where `_count` was the
  ///   references of a page up to 4.5, and the value of a free page -128.
  private static func pages(
    isOld: Bool = false, _ prepare: (SyntheticKernel, _ page: (UInt64) -> FixtureObject) -> Void
  ) throws -> LinuxPages {
    let type = isOld ? "_mapcount" : "page_type"
    let count = isOld ? "_count" : "_refcount"
    let kernel = SyntheticKernel(cpuCount: 0)
    kernel.types.define(
      "page", "ulong flags", "list_head lru", "ulong mapping", "ulong index", "ulong private",
      "u32 \(type)", "u32 \(count)", "ulong memcg_data")
    let map = kernel.allocate(64 * 4096, alignment: 4096)
    kernel.variable("vmemmap_base", map.rawValue)
    kernel.notes = ["NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=\(isOld ? -128 : -129)"]
    func page(_ frame: UInt64) -> FixtureObject {
      kernel.object("page", at: KernelAddress(map.rawValue + frame * 64))
    }
    for frame in 0..<4096 as Range<UInt64> {
      page(frame).set([type: 0xffff_ffff, count: 1])
    }
    prepare(kernel, page)
    return try #require(LinuxPages(kernel.image()))
  }

  private static func free(_ page: FixtureObject, order: UInt64) {
    page.set(["page_type": 0xffff_ff7f, "_refcount": 0, "private": order])
  }

  @Test func everyPageOfAFreeBlockIsFree() throws {
    let pages = try Self.pages { _, page in
      Self.free(page(64), order: 4)
      for frame in 65..<80 as Range<UInt64> { page(frame).set(["_refcount": 0]) }
    }
    #expect(
      (63..<82).map { pages.isFree($0) } == [false] + Array(repeating: true, count: 16) + [
        false, false,
      ])
  }

  @Test func pagesOfKernelsBefore46CountUnderAnotherName() throws {
    let pages = try Self.pages(isOld: true) { _, page in
      page(64).set(["_mapcount": 0xffff_ff80, "_count": 0, "private": 1])
      page(65).set(["_count": 0])
    }
    #expect((63...66).map { pages.isFree($0) } == [false, true, true, false])
  }

  @Test func aBlockAsLargeAsTheyGetIsFreeToItsEnd() throws {
    let pages = try Self.pages { _, page in
      Self.free(page(1024), order: 10)
      page(2047).set(["_refcount": 0])
      page(2048).set(["_refcount": 0])
    }
    #expect(pages.isFree(2047) == true)
    #expect(pages.isFree(2048) == false)
  }

  @Test func aPageThatIsReferencedIsNotFreeWhateverItsNeighboursSay() throws {
    let pages = try Self.pages { _, page in
      Self.free(page(64), order: 4)
      page(70).set(["_refcount": 1])
    }
    #expect(pages.isFree(70) == false)
  }

  @Test func anOrderThatNoKernelHasIsNoBlock() throws {
    let pages = try Self.pages { _, page in Self.free(page(64), order: 63) }
    #expect(pages.isFree(64) == false)
  }

  @Test func aPageInAListOfFreePagesIsFree() throws {
    let pages = try Self.pages { kernel, page in
      let head = kernel.make("list_head")
      page(7).set([
        "_refcount": 0, "lru.next": head.address.rawValue, "lru.prev": head.address.rawValue,
      ])
      let own = page(7).address(of: "lru").rawValue
      head.set(["next": own, "prev": own])
      // The second page of a block in use: no reference, and a list that does not know it.
      page(8).set([
        "_refcount": 0, "lru.next": head.address.rawValue, "lru.prev": head.address.rawValue,
      ])
      // The later page of a compound: the first word leads to its head, with bit 0 set.
      page(9).set(["_refcount": 0, "lru.next": page(8).address.rawValue | 1])
      // A slab that needs no reference.
      page(10).set(["_refcount": 0, "page_type": 0xf5ff_ffff])
    }
    #expect((7...10).map { pages.isFree($0) } == [true, false, false, false])
  }

  @Test func whatIsNotInTheDumpIsUnknown() throws {
    let pages = try Self.pages { _, _ in }
    #expect(pages.isFree(1 << 30) == nil)
    #expect(pages.isFree(.max) == nil)
  }

  @Test func withoutTheKernelsValueNothingIsTold() {
    let kernel = SyntheticKernel(cpuCount: 0)
    kernel.types.define("page", "ulong flags", "ulong private", "u32 page_type", "u32 _refcount")
    #expect(LinuxPages(kernel.image()) == nil)
  }

  // MARK: The width of addresses

  @Test(arguments: [
    (["first", "DMAR: Host address width 39", "last"], nil as UInt64?, 39 as Int?),
    (["DMAR: Host address width 46"], 52, 46),
    (["no such line"], 40, 40),
    (["DMAR: Host address width x"], 36, 36),
    (["DMAR: Host address width 7"], 36, nil),
    (["nothing"], 200, nil),
    (["nothing"], nil, nil),
  ])
  func theLogTellsTheWidthElseTheProcessor(
    _ messages: [String], _ processor: UInt64?, _ expected: Int?
  ) {
    let kernel = SyntheticKernel(cpuCount: 0)
    _ = kernel.makeLog(messages)
    if let processor {
      kernel.types.define("cpuinfo_x86", "u8 x86", "u8 x86_phys_bits")
      kernel.symbols["boot_cpu_data"] = [
        kernel.make("cpuinfo_x86", ["x86_phys_bits": processor]).address
      ]
    }
    #expect(HostAddressWidth(image: kernel.image(), log: ProblemLog()).bits() == expected)
  }

  // MARK: The memory map

  private func map(
    _ prepare: (SyntheticKernel) -> Void
  ) -> (regions: [LinuxMemoryRegion], problems: [LinuxProblem]) {
    let kernel = SyntheticKernel(cpuCount: 0)
    kernel.types.define(
      "resource", "u64 start", "u64 end", "char *name", "ulong flags", "resource *parent",
      "resource *sibling", "resource *child")
    prepare(kernel)
    let log = ProblemLog()
    let regions = MemoryMapReader(image: kernel.image(), log: log).regions()
    return (regions, log.problems)
  }

  private func resource(
    _ kernel: SyntheticKernel, _ name: String, _ start: UInt64, _ end: UInt64
  ) -> FixtureObject {
    kernel.make(
      "resource", ["start": start, "end": end, "name": kernel.string(name).rawValue])
  }

  @Test func readsTheTreeOfResources() {
    let (regions, problems) = map { kernel in
      let root = resource(kernel, "PCI mem", 0, .max)
      let memory = resource(kernel, "System RAM", 0x1000, 0xffff)
      let code = resource(kernel, "Kernel code", 0x2000, 0x2fff)
      let reserved = resource(kernel, "Reserved", 0x10000, 0x1ffff)
      root.set(["child": memory.address.rawValue])
      memory.set(["child": code.address.rawValue, "sibling": reserved.address.rawValue])
      kernel.symbol("iomem_resource", root.address)
    }
    #expect(problems.isEmpty)
    #expect(
      regions == [
        LinuxMemoryRegion(range: 0x1000...0xffff, name: "System RAM"),
        LinuxMemoryRegion(range: 0x2000...0x2fff, name: "Kernel code"),
        LinuxMemoryRegion(range: 0x10000...0x1ffff, name: "Reserved"),
      ])
  }

  @Test func aTreeThatDoesNotEndIsNoMap() {
    let (regions, problems) = map { kernel in
      let root = resource(kernel, "PCI mem", 0, .max)
      let memory = resource(kernel, "System RAM", 0x1000, 0xffff)
      root.set(["child": memory.address.rawValue])
      memory.set(["sibling": memory.address.rawValue])
      kernel.symbol("iomem_resource", root.address)
    }
    #expect(regions.isEmpty)
    #expect(problems.map(\.structure) == [.resources])
  }

  @Test func aPartThatIsUnreadableIsNoMap() {
    let (regions, problems) = map { kernel in
      let root = resource(kernel, "PCI mem", 0, .max)
      let memory = resource(kernel, "System RAM", 0x1000, 0xffff)
      root.set(["child": memory.address.rawValue])
      memory.set(["sibling": 0xffff_8880_7f00_0000])
      kernel.symbol("iomem_resource", root.address)
    }
    #expect(regions.isEmpty)
    #expect(problems.count == 1)
  }

  @Test func aKernelWithoutTheSymbolHasNoMap() {
    let (regions, problems) = map { _ in }
    #expect(regions.isEmpty && problems.isEmpty)
  }
}
