// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import LinuxIOMMU
import Memory
import RemappingState
import Testing

/// What every generation of kernels must read alike, wherever it keeps it.
struct VariantTests {
  /// A kernel with two units, a bridge with a function behind it, two domains and a group each.
  struct Scene {
    let kernel: RemappingKernel
    let units: [RemappingKernel.Unit]
    let nic: RemappingKernel.Function
    let disk: RemappingKernel.Function
    let domains: [FixtureObject]
    var allocator: RemappingKernel.Allocator

    init(_ variant: KernelVariant) {
      kernel = RemappingKernel(variant)
      let bus = kernel.addBus(0)
      let port = kernel.addFunction(
        bus, 0x08, ["pcie_cap": 0x40, "pcie_flags_reg": 0x42, "class": 0x060400])
      let behind = kernel.addBus(1, under: bus, bridge: port)
      nic = kernel.addFunction(behind, 0x00, driver: "e1000e")
      disk = kernel.addFunction(bus, 0x10)
      units = [
        kernel.addUnit(
          ids: [0, 1, 5], copied: [0x0100, 0xffff], includeAll: false,
          scope: [kernel.scopeEntry(nic), nil]),
        kernel.addUnit(ids: [0, 700]),
      ]
      domains = [
        kernel.addDomain(ids: [0: 5]), kernel.addDomain(type: 1, ids: [1: 700], levels: 3),
      ]
      allocator = kernel.setAllocator(of: domains[0], [16...31, 0xfee00...0xfeeff])
      kernel.attach(nic, to: units[0], domains[0])
      kernel.attach(disk, to: units[1], domains[1])
      kernel.addGroup(3, [nic.device], domain: domains[0])
      kernel.addGroup(4, [disk.device], domain: domains[1])
      kernel.addReservedRegion(0x7f00_0000, through: 0x7f0f_ffff, [kernel.scopeEntry(disk), nil])
      kernel.addRootPorts(includeAll: true, segment: 3, [kernel.scopeEntry(port)])
      kernel.addTranslationCache(required: true, [kernel.scopeEntry(nic)])
      kernel.setWindows(of: bus, [0x8000_0000...0xfebf_ffff], offset: 0x1_0000_0000)
      kernel.finish()
    }

    func read() throws -> LinuxIOMMU { try LinuxIOMMU(reading: kernel.kernel.image()) }
  }

  private let nicName = DeviceName.pci(PCIFunction(bus: 1, devfn: 0))
  private let diskName = DeviceName.pci(PCIFunction(bus: 0, devfn: 0x10))

  @Test(arguments: KernelVariant.all)
  func units(_ variant: KernelVariant) throws {
    let scene = Scene(variant)
    let state = try scene.read()
    #expect(state.problems.isEmpty)
    #expect(state.units.map(\.name) == ["dmar0", "dmar1"])
    #expect(state.units.map(\.sequence) == [0, 1])
    let unit = state.units[0]
    #expect(unit.domainIDs == [0, 1, 5])
    #expect(state.units[1].domainIDs == [0, 700])
    #expect(unit.registerBase == PhysicalAddress(0xfed9_0000))
    #expect(unit.scope == [nicName, nil])
    #expect(unit.includeAll == false && state.units[1].includeAll)
    #expect(unit.globalCommand == 0x8600_0000)
    #expect(unit.agaw == 2)
    #expect(
      unit.rootTable
        == scene.kernel.kernel.physical(KernelAddress(scene.units[0].iommu["root_entry"])))
    #expect(unit.copiedContexts == (variant.hasCopiedTables ? [0x0100, 0xffff] : []))
    #expect(unit.translationPreEnabled == (variant.hasFlags ? variant.hasCopiedTables : nil))
    #expect(unit.interruptRemapping?.bitmap?.prefix(3) == [1, 0, 2])
    #expect(unit.interruptRemapping?.table != nil)
    #expect(unit.invalidationQueue?.pending == [4])
    #expect(unit.invalidationQueue?.descriptorSize == 16)
    #expect(unit.tableMode == .legacy)
  }

  @Test(arguments: KernelVariant.all)
  func domains(_ variant: KernelVariant) throws {
    let scene = Scene(variant)
    let state = try scene.read()
    #expect(state.domains.count == 2)
    for (index, fixture) in scene.domains.enumerated() {
      let domain = try #require(state.domains.first { $0.kernelObject == fixture.address })
      #expect(domain.ids == (index == 0 ? [0: 5] : [1: 700]))
      #expect(domain.levels == (index == 0 ? 4 : 3))
      let word =
        variant.top == .generic
        ? fixture["sspt.vtdss_pt.common.top_of_table"] & ~7 : fixture["pgd"]
      #expect(domain.table == scene.kernel.kernel.physical(KernelAddress(word)))
      if variant.embedsDomain {
        #expect(domain.type == (index == 0 ? .dma : .unmanaged))
        #expect(domain.apertureEnd == 0xffff_ffff_ffff)
        #expect(domain.iommuDomain == fixture.address(of: "domain"))
      }
      #expect(
        domain.isFirstStage == (variant.top == .pgd ? nil : false))
    }
  }

  @Test(arguments: KernelVariant.all)
  func devices(_ variant: KernelVariant) throws {
    let scene = Scene(variant)
    let state = try scene.read()
    #expect(
      state.devices.map(\.name.description) == ["0000:00:01.0", "0000:00:02.0", "0000:01:00.0"])
    let nic = try #require(state.devices.last)
    #expect(nic.driver == "e1000e")
    #expect(nic.vendorID == 0x8086 && nic.deviceID == 0x100e && nic.classCode == 0x020000)
    #expect(nic.group == 3)
    #expect(nic.domain == scene.domains[0].address)
    #expect(nic.groupDomain == scene.domains[0].address)
    #expect(nic.groupDefaultDomain == (variant.embedsDomain ? scene.domains[0].address : nil))
    #expect(nic.iommu == scene.units[0].iommu.address)
    #expect(nic.bridges == [PCIFunction(bus: 0, devfn: 8)])
    #expect(nic.aliases.isEmpty)
    #expect(!nic.attachDeferred)
  }

  @Test(arguments: KernelVariant.all)
  func regionsAndWindows(_ variant: KernelVariant) throws {
    let scene = Scene(variant)
    let state = try scene.read()
    #expect(state.reservedRegions.map(\.base) == [0x7f00_0000])
    #expect(state.reservedRegions.map(\.end) == [0x7f0f_ffff])
    #expect(state.reservedRegions.map(\.scope) == [[diskName]])
    #expect(state.atsrs.map(\.includeAll) == [true])
    #expect(state.satcs.map(\.devices) == [[nicName]])
    #expect(state.satcs.map(\.required) == [true] && state.atsrs.map(\.required) == [nil])
    #expect(state.atsrs.map(\.segment) == [3] && state.satcs.map(\.segment) == [nil])
    #expect(state.units.map(\.graphicsOnly).allSatisfy { $0 == false })
    #expect(state.hostBridgeWindows == [0x8000_0000...0xfebf_ffff])
  }

  @Test(arguments: KernelVariant.all)
  func allocators(_ variant: KernelVariant) throws {
    let scene = Scene(variant)
    let kernel = scene.kernel
    var expected: Set<UInt64> = []
    if variant.depot != .none {
      scene.allocator.locals[0][0]["loaded"] = kernel.makeMagazine([16, 17]).address.rawValue
      scene.allocator.locals[5][1]["prev"] = kernel.makeMagazine([0xfee00]).address.rawValue
      let full = (0..<127).map { UInt64(0x1000 + $0) }
      let second = kernel.makeMagazine(full.map { $0 + 0x1000 })
      let cache = scene.allocator.caches[2]
      expected = [16, 17, 0xfee00]
      cache["depot_size"] = 2
      if variant.depot == .list {
        let first = kernel.makeMagazine(full, next: second.address)
        second["next"] = 0
        cache["depot"] = first.address.rawValue
      } else {
        cache.setElement("depot", 0, kernel.makeMagazine(full).address.rawValue)
        cache.setElement("depot", 1, second.address.rawValue)
        // Behind the count nothing is valid.
        cache.setElement("depot", 2, 0xdead)
      }
      expected.formUnion(full + full.map { $0 + 0x1000 })
    }
    let state = try scene.read()
    #expect(state.problems.isEmpty)
    let domain = try #require(state.domains.first { $0.kernelObject == scene.domains[0].address })
    let allocator = try #require(domain.allocator)
    #expect(allocator.granule == 4096)
    #expect(
      allocator.nodes.map { $0.low...$0.high } == [16...31, 0xfee00...0xfeeff])
    #expect(allocator.cached == expected)
    #expect(allocator.queued.isEmpty)
    // Domains of drivers outside the DMA API have none.
    #expect(state.domains.first { $0.kernelObject == scene.domains[1].address }?.allocator == nil)
  }

  @Test(arguments: KernelVariant.all)
  func flushQueues(_ variant: KernelVariant) throws {
    var scene = Scene(variant)
    let kernel = scene.kernel
    var expected: [UInt64: Bool] = [:]
    switch variant.queue {
    case .table:
      scene.kernel.addDeferredFlush(unit: 0, [(scene.allocator.nodes[0], scene.domains[0])])
      scene.kernel.addDeferredFlush(unit: 1, [(scene.allocator.nodes[1], scene.domains[0])])
      expected = [16: true, 0xfee00: true]
    case .perCPUTable:
      scene.kernel.addDeferredFlush(
        cpu: 0, unit: 1, [(20, scene.domains[0]), (9, scene.domains[1])])
      scene.kernel.addDeferredFlush(cpu: 1, unit: 0, [(24, scene.domains[0])])
      expected = [20: true, 24: true]
    default:
      kernel.makeQueues(&scene.allocator, domain: scene.domains[0], finished: 7)
      // Across the ring's end; entries older than the last finished flush are done.
      kernel.fill(scene.allocator.queues[0], head: 254, [(16, 6), (17, 7), (18, 8)])
      kernel.fill(scene.allocator.queues[1], head: 0, [(20, 0), (21, .max)])
      expected = [16: false, 17: true, 18: true, 20: false, 21: true]
    }
    let state = try scene.read()
    #expect(state.problems.isEmpty)
    let domain = try #require(state.domains.first { $0.kernelObject == scene.domains[0].address })
    #expect(domain.allocator?.queued == expected)
  }
}
