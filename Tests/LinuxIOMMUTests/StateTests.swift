// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import LinuxIOMMU
import Memory
import RemappingState
import Testing

/// Domains, the devices that lead to them, and their allocators: what only some kernels have.
struct DomainTests {
  private let function = PCIFunction(bus: 0, devfn: 8)

  private func read(_ kernel: RemappingKernel) throws -> LinuxIOMMU {
    kernel.finish()
    return try LinuxIOMMU(reading: kernel.kernel.image())
  }

  private func kernel(
    _ variant: KernelVariant
  ) -> (RemappingKernel, RemappingKernel.Unit, RemappingKernel.Function) {
    let kernel = RemappingKernel(variant)
    let device = kernel.addFunction(kernel.addBus(0), 8)
    return (kernel, kernel.addUnit(), device)
  }

  @Test(arguments: [KernelVariant.g5b, .g5c, .g6])
  func firstStage(_ variant: KernelVariant) throws {
    let (kernel, unit, device) = kernel(variant)
    kernel.attach(device, to: unit, kernel.addDomain(ids: [0: 2], levels: 5, firstStage: true))
    let domain = try #require(try read(kernel).domains.first)
    #expect(domain.isFirstStage == true)
    #expect(domain.levels == 5)
    #expect(domain.table != nil)
  }

  @Test func staticDomains() throws {
    let (kernel, unit, device) = kernel(.g5c)
    let identity = kernel.kernel.make("iommu_domain", ["type": 4])
    let blocking = kernel.kernel.make("iommu_domain")
    let ops = kernel.kernel.make(
      "iommu_ops",
      ["identity_domain": identity.address.rawValue, "blocked_domain": blocking.address.rawValue])
    kernel.kernel.symbols["intel_iommu_ops"] = [ops.address]
    kernel.attach(device, to: unit, nil)
    kernel.setInfo(of: device, kernel.infos[0].address.rawValue, ops: ops.address)
    let group = kernel.addGroup(0, [device.device])
    group.set([
      "domain": identity.address.rawValue, "blocking_domain": blocking.address.rawValue,
    ])
    let state = try read(kernel)
    #expect(state.problems.isEmpty)
    #expect(state.devices.first?.groupDomain == identity.address)
    #expect(state.devices.first?.domain == nil)
    #expect(Set(state.domains.map(\.type)) == [.identity, .blocked])
  }

  /// A device that the remapping code put into a group is one that it knows, whatever can be read of it.
  @Test(arguments: [KernelVariant.el7, .el8, .g5c])
  func aGroupThatCannotBeReadIsOneAllTheSame(_ variant: KernelVariant) throws {
    let (kernel, _, device) = kernel(variant)
    #expect(try read(kernel).devices.map(\.hasGroup) == [false])
    kernel.addGroup(3, [device.device])
    #expect(try read(kernel).devices.map(\.hasGroup) == [true])
    // The kernel's half of the address space, in which nothing is.
    device.device["iommu_group"] = 0xffff_8f00_0000_0000
    let state = try read(kernel)
    #expect(state.devices.map(\.hasGroup) == [true])
    #expect(state.devices.map(\.group) == [nil])
    #expect(state.problems.map(\.structure) == [.group])
  }

  @Test func namesOfStaticDomainsMayRepeat() throws {
    let (kernel, _, device) = kernel(.g5c)
    let other = kernel.kernel.make("iommu_domain")
    let ours = kernel.kernel.make("iommu_domain", ["type": 4])
    for domain in [other, ours] { kernel.kernel.symbol("identity_domain", domain.address) }
    kernel.addGroup(0, [device.device])["domain"] = ours.address.rawValue
    #expect(try read(kernel).domains.map(\.type) == [.identity])
  }

  /// Up to 5.2 the driver made its domains itself and left the type at 0.
  @Test(arguments: [KernelVariant.el7, .g1, .g2b, .g2c, .el8])
  func driversOwnDomainsHaveNoType(_ variant: KernelVariant) throws {
    let (kernel, unit, device) = kernel(variant)
    let own = kernel.addDomain(type: 0, ids: [0: 1])
    _ = kernel.setAllocator(of: own, [1...1])
    kernel.attach(device, to: unit, own)
    let identity = kernel.addDomain(type: 0, ids: [0: 0])
    kernel.kernel.variable("si_domain", identity.address.rawValue)
    let state = try read(kernel)
    let found = Dictionary(uniqueKeysWithValues: state.domains.map { ($0.kernelObject, $0) })
    #expect(found[own.address]?.type == .dma)
    #expect(found[own.address]?.table != nil)
    #expect(found[own.address]?.allocator?.nodes.count == 1)
    #expect(found[identity.address]?.type == .identity)
    #expect(found[identity.address]?.allocator == nil)
  }

  @Test func flagsOfTheOldestKernels() throws {
    let (kernel, unit, device) = kernel(.g0)
    let domains = ([0, 2, 4] as [UInt64]).map { flags in
      let domain = kernel.addDomain(ids: [0: UInt32(flags / 2)])
      domain["flags"] = flags
      return domain
    }
    kernel.attach(device, to: unit, domains[0])
    unit.iommu["domain_ids"] = kernel.kernel.bitmap([0, 1, 2], count: 4096).rawValue
    let state = try read(kernel)
    #expect(
      domains.map { domain in
        state.domains.first { $0.kernelObject == domain.address }?.type
      } == [.dma, .unmanaged, .identity])
  }

  /// The `id` of a domain for a virtual machine is no hardware id; the units' tables have that.
  @Test(arguments: [KernelVariant.g0, .g1])
  func flatTablesTellTheIDs(_ variant: KernelVariant) throws {
    let (kernel, unit, device) = kernel(variant)
    let domain = kernel.addDomain(type: 1, ids: [0: 1])
    domain["id"] = 77
    kernel.attach(device, to: unit, domain)
    #expect(try read(kernel).domains.map(\.ids) == [[0: 1]])
  }

  @Test func idsOfUnusedSlotsDoNotCount() throws {
    let (kernel, unit, device) = kernel(.g3)
    let domain = kernel.addDomain(ids: [0: 5])
    domain.setElement("iommu_refcnt", 0, 0)
    kernel.attach(device, to: unit, domain)
    #expect(try read(kernel).domains.map(\.ids) == [[:]])
  }

  @Test func sequenceBeyondTheArrays() throws {
    for variant in [KernelVariant.g0, .g3] {
      let (kernel, unit, device) = kernel(variant)
      kernel.attach(device, to: unit, kernel.addDomain(ids: [0: 5]))
      unit.iommu["seq_id"] = 5000
      let state = try read(kernel)
      #expect(state.domains.map(\.ids) == [[:]])
    }
  }

  @Test(arguments: [KernelVariant.g5b, .g5c, .g5d, .g6])
  func pasidArray(_ variant: KernelVariant) throws {
    let (kernel, unit, device) = kernel(variant)
    let first = kernel.addDomain(ids: [0: 9])
    let second = kernel.addDomain(ids: [0: 10])
    kernel.attach(device, to: unit, first)
    var words: [UInt64: UInt64] = [
      1: kernel.generic(first).rawValue, 70: kernel.generic(second).rawValue,
    ]
    if variant.pasids == .handle || variant.pasids == .tagged {
      for (pasid, word) in words where variant.pasids == .handle || pasid == 70 {
        let handle = kernel.kernel.make("iommu_attach_handle", ["domain": word])
        words[pasid] = handle.address.rawValue | (variant.pasids == .tagged ? 1 : 0)
      }
    }
    kernel.addGroup(0, [device.device], domain: first, pasids: words)
    let state = try read(kernel)
    #expect(state.problems.isEmpty)
    #expect(state.devices.first?.pasidDomains == [1: first.address, 70: second.address])
  }

  @Test(arguments: [KernelVariant.g5b, .g5c])
  func processAddressSpaces(_ variant: KernelVariant) throws {
    let (kernel, _, device) = kernel(variant)
    let table = kernel.kernel.allocatePage()
    let process = kernel.kernel.make("mm_struct", ["pgd": table.rawValue])
    // Up to 6.9 nothing but an `iommu_domain`.
    let domain: FixtureObject
    if variant.pasids == .domain {
      domain = kernel.kernel.object("iommu_domain", at: kernel.kernel.allocatePage())
    } else {
      domain = kernel.addDomain(type: 0x10, ids: [:]).object("domain")
    }
    domain.set(["type": 0x10, "mm": process.address.rawValue])
    kernel.addGroup(0, [device.device])["domain"] = domain.address.rawValue
    let state = try read(kernel)
    #expect(state.problems.isEmpty)
    let found = try #require(state.domains.first)
    #expect(found.type == .sva && found.isFirstStage == true && found.levels == 4)
    #expect(found.table == kernel.kernel.physical(table))
    #expect(found.iommuDomain == domain.address)
  }

  @Test func nestedDomainsLeadToTheirParents() throws {
    let (kernel, unit, device) = kernel(.g5c)
    let parent = kernel.addDomain(type: 1, ids: [0: 3])
    let nested = kernel.addDomain(type: 0x40)
    nested["s2_domain"] = parent.address.rawValue
    kernel.attach(device, to: unit, nested)
    let state = try read(kernel)
    #expect(state.domains.first { $0.kernelObject == nested.address }?.parent == parent.address)
    #expect(state.domains.count == 2)
  }

  @Test func chainOfNestedDomains() throws {
    let (kernel, unit, device) = kernel(.g5c)
    let chain = (0..<20_000).map { _ in kernel.kernel.make("dmar_domain", ["domain.type": 0x40]) }
    for (domain, next) in zip(chain, chain.dropFirst() + [chain[0]]) {
      domain["s2_domain"] = next.address.rawValue
    }
    kernel.attach(device, to: unit, chain[0])
    #expect(try read(kernel).domains.count == 20_000)
  }

  @Test(arguments: [KernelVariant.g2c, .g3])
  func sentinels(_ variant: KernelVariant) throws {
    for (word, isDeferred) in [
      (0, false), (UInt64(bitPattern: -1), false), (UInt64(bitPattern: -2), true),
      (UInt64(bitPattern: -4095), false),
    ] {
      let (kernel, _, device) = kernel(variant)
      kernel.setInfo(of: device, word)
      let state = try read(kernel)
      #expect(state.problems.isEmpty)
      #expect(state.devices.map(\.attachDeferred) == [isDeferred])
      #expect(state.devices.map(\.info) == [nil])
    }
  }

  @Test func dataOfAnotherVendorsUnitIsNotOurs() throws {
    let (kernel, unit, device) = kernel(.g5c)
    let info = kernel.attach(device, to: unit, nil)
    kernel.setInfo(of: device, info.address.rawValue, ops: KernelAddress(0xffff_8880_0000_1000))
    #expect(try read(kernel).devices.map(\.info) == [nil])
  }

  @Test func deferredAttachment() throws {
    let (kernel, unit, device) = kernel(.g5c)
    kernel.attach(device, to: unit, nil)
    kernel.kernel.object("dev_iommu", at: KernelAddress(device.device["iommu"]))[
      "attach_deferred"] = 1
    #expect(try read(kernel).devices.map(\.attachDeferred) == [true])
  }

  @Test func pasidDirectory() throws {
    let (kernel, unit, device) = kernel(.g5c)
    let directory = kernel.kernel.allocatePage()
    let table = kernel.kernel.make("pasid_table", ["table": directory.rawValue])
    kernel.attach(device, to: unit, nil)["pasid_table"] = table.address.rawValue
    #expect(
      try read(kernel).devices.map(\.pasidDirectory) == [kernel.kernel.physical(directory)])
  }

  @Test(arguments: ["pgd", "agaw"])
  func pageTableThatMakesNoSense(_ member: String) throws {
    let (kernel, unit, device) = kernel(.g5c)
    let domain = kernel.addDomain(ids: [0: 2])
    domain[member] = member == "pgd" ? 0x1234 : 0x7fff_ffff
    kernel.attach(device, to: unit, domain)
    let state = try read(kernel)
    #expect(state.domains.map(\.levels) == [nil])
    #expect(state.domains.map(\.ids) == [[0: 2]])
    #expect(state.problems.map(\.structure) == [.pageTable])
  }

  @Test func domainThatCannotBeReadIsNotedOnce() throws {
    let kernel = RemappingKernel(.g5c)
    let bus = kernel.addBus(0)
    let unit = kernel.addUnit()
    let missing = kernel.kernel.allocatePage()
    for devfn in 0..<8 {
      let device = kernel.addFunction(bus, UInt8(devfn))
      kernel.attach(device, to: unit, kernel.kernel.object("dmar_domain", at: missing))
    }
    kernel.kernel.setAbsence(.excluded, at: missing)
    let state = try read(kernel)
    #expect(state.devices.count == 8)
    #expect(state.problems.map(\.absence) == [.excluded])
  }
}
