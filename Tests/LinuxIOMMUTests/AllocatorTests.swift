// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import LinuxIOMMU
import Memory
import RemappingState
import Testing

/// IOVA allocators: trees, caches and flush queues of every generation.
struct AllocatorTests {
  private func scene(
    _ variant: KernelVariant,
    _ change: (RemappingKernel, FixtureObject, inout RemappingKernel.Allocator) -> Void
  ) throws -> (state: LinuxIOMMU, allocator: LinuxIOVAAllocator?) {
    let kernel = RemappingKernel(variant)
    let device = kernel.addFunction(kernel.addBus(0), 8)
    let domain = kernel.addDomain(type: 3)
    kernel.attach(device, to: kernel.addUnit(), domain)
    var allocator = kernel.setAllocator(of: domain, [1...4, 8...8])
    change(kernel, domain, &allocator)
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    return (state, state.domains.first { $0.kernelObject == domain.address }?.allocator)
  }

  @Test func singleQueue() throws {
    let (state, allocator) = try scene(.g5c) { kernel, domain, allocator in
      kernel.makeQueues(&allocator, domain: domain, finished: 3, single: true, size: 1024)
      kernel.fill(allocator.queues[0], head: 1023, [(1, 2), (2, 3)], size: 1024)
    }
    #expect(state.problems.isEmpty)
    #expect(allocator?.queued == [1: false, 2: true])
    #expect(allocator?.lacksQueues == false && allocator?.lacksCaches == false)
  }

  @Test func queueWithoutDomainIsNotInUse() throws {
    let (_, allocator) = try scene(.g5a) { kernel, domain, allocator in
      kernel.makeQueues(&allocator, domain: domain, finished: 0)
      kernel.fill(allocator.queues[0], head: 0, [(1, 2)])
      allocator.owner["fq_domain"] = 0
    }
    #expect(allocator?.queued == [:])
  }

  @Test(arguments: [256, UInt64(UInt32.max)], ["head", "tail"])
  func queuePositionsOutsideTheRing(_ position: UInt64, _ member: String) throws {
    for variant in [KernelVariant.g2c, .g3, .g5a, .g5c] {
      let (state, allocator) = try scene(variant) { kernel, domain, allocator in
        kernel.makeQueues(&allocator, domain: domain, finished: 0)
        allocator.queues[0][member] = position
        kernel.fill(allocator.queues[1], head: 3, [(8, 1)])
      }
      #expect(state.problems.count == 1)
      #expect(allocator?.queued == [8: true])
      #expect(allocator?.lacksQueues == true && allocator?.lacksCaches == false)
    }
  }

  @Test func hostileRingSize() throws {
    let (state, _) = try scene(.g5c) { kernel, domain, allocator in
      kernel.makeQueues(&allocator, domain: domain, finished: 0)
      for queue in allocator.queues { queue.set(["mod_mask": 0xffff_ffff, "tail": 0xffff_fffe]) }
    }
    #expect(state.problems.count == 2)
  }

  @Test func messageCookiesHaveNoAllocator() throws {
    for (variant, path, value) in [
      (KernelVariant.g3, "", 1), (.g5c, "", 1), (.g5d, "domain.cookie_type", 2),
      (.g5d, "domain.cookie_type", 0), (.g6, "domain.cookie_type", 5),
    ] {
      let (state, allocator) = try scene(variant) { _, domain, allocator in
        if path.isEmpty {
          allocator.cookie?["type"] = UInt64(value)
        } else {
          domain[path] = UInt64(value)
        }
      }
      #expect(state.problems.isEmpty)
      #expect(allocator == nil)
    }
  }

  @Test func cookieTypeIsTheTypesOwn() throws {
    let (_, allocator) = try scene(.g5d) { kernel, domain, _ in
      kernel.kernel.types.enumerators["IOMMU_COOKIE_DMA_IOVA"] = 4
      domain["domain.cookie_type"] = 4
    }
    #expect(allocator?.nodes.count == 2)
  }

  /// The field outlived its use: no tree was ever made in it.
  @Test(arguments: [KernelVariant.g3, .g4])
  func leftoverField(_ variant: KernelVariant) throws {
    let (state, allocator) = try scene(variant) { _, domain, _ in
      domain["domain.iova_cookie"] = 0
    }
    #expect(state.problems.isEmpty)
    #expect(allocator == nil)
  }

  @Test func reservedTemplate() throws {
    let kernel = RemappingKernel(.g2b)
    let space = kernel.kernel.make("iova_domain")
    var template = RemappingKernel.Allocator(space: space, owner: space)
    kernel.fillSpace(&template, [0xfee00...0xfeeff, UInt64.max >> 12...UInt64.max >> 12])
    kernel.kernel.symbol("reserved_iova_list", space.address)
    kernel.finish()
    #expect(
      try LinuxIOMMU(reading: kernel.kernel.image()).reservedTemplate
        == [0xfee0_0000...0xfeef_ffff, 0xffff_ffff_ffff_f000...UInt64.max])
    space["granule"] = 3
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.reservedTemplate.isEmpty && state.problems.count == 1)
  }

  @Test func nodesThatAreNoRanges() throws {
    let (state, allocator) = try scene(.g5c) { _, _, allocator in
      allocator.nodes[0].set(["pfn_lo": 9, "pfn_hi": 8])
      allocator.nodes[1].set(["pfn_lo": 1, "pfn_hi": .max])
    }
    #expect(allocator?.nodes.isEmpty == true)
    #expect(state.problems.count == 2)
  }

  @Test(arguments: [3, 4097, UInt64.max])
  func granuleThatIsNoPowerOfTwo(_ granule: UInt64) throws {
    let (state, allocator) = try scene(.g5c) { _, _, allocator in
      allocator.space["granule"] = granule
    }
    #expect(allocator == nil)
    #expect(state.problems.count == 1)
  }

  @Test(arguments: [1, 2, 1 << 63] as [UInt64])
  func hostileGranule(_ granule: UInt64) throws {
    let (_, allocator) = try scene(.g5c) { _, _, allocator in
      allocator.space["granule"] = granule
      allocator.nodes[1].set(["pfn_hi": .max])
    }
    #expect(allocator?.granule == granule)
  }

  @Test func depotThatLeadsBack() throws {
    let (state, allocator) = try scene(.g5c) { kernel, _, allocator in
      let magazine = kernel.makeMagazine([7])
      magazine["next"] = magazine.address.rawValue
      allocator.caches[0].set(["depot": magazine.address.rawValue, "depot_size": 1 << 20])
    }
    #expect(state.problems.count == 1)
    #expect(allocator?.cached == [0, 7])
  }

  @Test(arguments: [KernelVariant.g2b, .g5a, .g5c])
  func hostileDepotSize(_ variant: KernelVariant) throws {
    let (state, _) = try scene(variant) { _, _, allocator in
      allocator.caches[0]["depot_size"] = .max
    }
    #expect(state.problems.map(\.structure) == [.depot])
  }

  /// The older driver copies `reserved_iova_list` into its allocators, and no host bridge's windows.
  ///
  /// Source: drivers/iommu/intel-iommu.c of Linux 3.10 and 4.18, `dmar_init_reserved_ranges` and
  /// `domain_reserve_special_ranges`.
  @Test(arguments: [KernelVariant.g0, .g1, .g2b])
  func allocatorsOfTheDriverHaveItsTemplate(_ variant: KernelVariant) throws {
    let (state, allocator) = try scene(variant) { kernel, _, _ in
      let space = kernel.kernel.make("iova_domain")
      var template = RemappingKernel.Allocator(space: space, owner: space)
      kernel.fillSpace(&template, [0xf0000...0xf00ff, 0xfee00...0xfeeff])
      kernel.kernel.symbol("reserved_iova_list", space.address)
    }
    #expect(allocator?.owner == .driver)
    #expect(state.reservedTemplate == [0xf000_0000...0xf00f_ffff, 0xfee0_0000...0xfeef_ffff])
    #expect(state.problems.isEmpty)
    let (_, newer) = try scene(.g5c) { _, _, _ in }
    #expect(newer?.owner == .cookie)
  }

  /// What the tree may have held is not taken for what it did not hold.
  @Test func aTreeWithAMissingNodeLacksNodes() throws {
    let (whole, complete) = try scene(.g5c) { _, _, _ in }
    #expect(whole.problems.isEmpty)
    #expect(complete?.lacksNodes == false)
    let (state, allocator) = try scene(.g5c) { kernel, _, allocator in
      let missing = kernel.kernel.allocatePage()
      kernel.kernel.fillTree(at: allocator.space.address(of: "rbroot"), [missing])
      kernel.kernel.setAbsence(.excluded, at: missing)
    }
    #expect(state.problems.map(\.absence) == [.excluded])
    #expect(allocator?.nodes == [])
    #expect(allocator?.lacksNodes == true)
  }

  @Test func absentMagazineLeavesTheOthers() throws {
    let (state, allocator) = try scene(.g5c) { kernel, _, allocator in
      let missing = kernel.kernel.allocatePage()
      kernel.kernel.setAbsence(.excluded, at: missing)
      allocator.locals[0][0]["loaded"] = missing.rawValue
      allocator.locals[0][0]["prev"] = kernel.makeMagazine([8]).address.rawValue
      allocator.locals[5][1]["loaded"] = kernel.makeMagazine([1]).address.rawValue
    }
    #expect(state.problems.map(\.absence) == [.excluded])
    #expect(allocator?.cached == [1, 8])
  }

  @Test func twoDomainsOfOneCookie() throws {
    let kernel = RemappingKernel(.g5c)
    let bus = kernel.addBus(0)
    let unit = kernel.addUnit()
    let domains = (0..<2).map { index -> FixtureObject in
      let domain = kernel.addDomain()
      kernel.attach(kernel.addFunction(bus, UInt8(index)), to: unit, domain)
      return domain
    }
    _ = kernel.setAllocator(of: domains[0], [1...1])
    domains[1]["domain.iova_cookie"] = domains[0]["domain.iova_cookie"]
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.domains.count { $0.allocator != nil } == 1)
    #expect(state.problems.count == 1)
  }

  @Test func hostileUnitCountOfDeferredFlushes() throws {
    let (state, allocator) = try scene(.g1) { kernel, domain, allocator in
      kernel.addDeferredFlush(unit: 0, [(allocator.nodes[0], domain)])
      kernel.kernel.symbols["g_num_of_iommus"] = nil
      kernel.kernel.variable("g_num_of_iommus", Int32.max)
    }
    #expect(state.problems.map(\.structure) == [.deferredFlush])
    #expect(allocator?.queued.isEmpty == true)
  }
}
