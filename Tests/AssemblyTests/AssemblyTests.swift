// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Memory
import MemoryFixtures
import Testing

@testable import Assembly
@testable import LinuxIOMMU
@testable import RemappingState

/// One unit in legacy mode, seen by both witnesses.
struct AssemblyTests {
  // Domain-ids stand in bits 8 and up of an entry's high word, AW in bits 2:0.
  private static let levels4: UInt64 = 2

  static let tables: [UInt64: UInt64] = [
    0x1000: 0x2001,  // root[00] → 0x2000
    0x2000: 0x1_0001, 0x2008: 5 << 8 | levels4,  // 00:00.0 → 0x1_0000, domain-id 5
    0x2010: 0x1_0001, 0x2018: 5 << 8 | levels4,  // 00:00.1, its alias, the same
    0x2080: 0x9, 0x2088: 6 << 8 | levels4,  // 00:01.0 pass-through, domain-id 6
    0x2200: 0x2_0001, 0x2208: 7 << 8 | levels4,  // 00:04.0 → 0x2_0000, unknown to the kernel
    0x1_0000: 0x1_1003, 0x1_1000: 0x1_2003, 0x1_2000: 0x1_3003,
    0x1_3000: 0x50_0003,  // IOVA 0 → 0x50_0000
    0x1_3008: 0x50_1001,  // IOVA 0x1000 → 0x50_1000, read only
    0x1_3780: 0xf_0003,  // IOVA 0xf_0000 onto itself
    0x3_0000: 0x3_1003, 0x3_1000: 0x3_2003, 0x3_2000: 0x3_3003,
    0x3_3000: 0x60_0003,  // the table of a domain that no context uses
  ]
  static let memory = SyntheticMemory(tables, memory: [0..<0x800])

  static func unit() -> LinuxUnit {
    LinuxUnit(
      name: "dmar0", segment: 0, registerBase: PhysicalAddress(0xfed9_0000), ignored: false,
      includeAll: true, scope: [], kernelObject: KernelAddress(0xffff_0000_0000_1000),
      capability: 0xd2_008c_222f_0606, extendedCapability: 0xf0_0f4a, globalCommand: 0x8000_0000,
      sequence: 0, agaw: 2, rootTable: PhysicalAddress(0x1000), tableMode: .legacy,
      domainIDs: [0, 5, 6, 8], copiedContexts: [])
  }

  static func domain(
    _ address: UInt64, _ type: LinuxDomainType, id: UInt32?, table: UInt64?
  ) -> LinuxDomain {
    LinuxDomain(
      kernelObject: KernelAddress(address), type: type, ids: id.map { [0: $0] } ?? [:],
      table: table.map { PhysicalAddress($0) }, levels: table == nil ? nil : 4)
  }

  static func device(
    _ name: String, domain: UInt64?, aliases: [String] = [], classCode: UInt32 = 0x02_0000
  ) -> LinuxDevice {
    LinuxDevice(
      name: DeviceName(name), kernelObject: KernelAddress(0xffff_0000_0001_0000),
      classCode: classCode, driver: "test", hasGroup: true, group: 0,
      info: KernelAddress(0xffff_0000_0002_0000),
      iommu: KernelAddress(0xffff_0000_0000_1000), domain: domain.map { KernelAddress($0) },
      attachDeferred: false, pasidDomains: [:], aliases: aliases.compactMap { PCIFunction($0) },
      bridges: [])
  }

  static var kernel: LinuxIOMMU {
    var kernel = LinuxIOMMU()
    kernel.units = [unit()]
    var dma = domain(0xa000, .dma, id: 5, table: 0x1_0000)
    dma.allocator = LinuxIOVAAllocator(granule: 4096)
    dma.allocator?.nodes = [.init(low: 0, high: 0), .init(low: 0xf0, high: 0xff)]
    kernel.domains = [
      dma, domain(0xb000, .identity, id: 6, table: nil),
      domain(0xc000, .unmanaged, id: 8, table: 0x3_0000),
      domain(0xd000, .blocked, id: nil, table: nil),
    ]
    kernel.devices = [
      device("00:00.0", domain: 0xa000, aliases: ["00:00.1"]), device("00:01.0", domain: 0xb000),
      device("00:02.0", domain: nil),
    ]
    kernel.reservedRegions = [
      LinuxReservedRegion(
        kernelObject: KernelAddress(0xe000), base: 0xf_0000, end: 0xf_0fff,
        scope: [DeviceName("00:00.0")]),
      LinuxReservedRegion(
        kernelObject: KernelAddress(0xe100), base: 0x70_0000, end: 0x70_0fff,
        scope: [DeviceName("00:00.0"), DeviceName("00:01.0")]),
    ]
    return kernel
  }

  static func state(
    _ kernel: LinuxIOMMU = kernel, _ memory: any PhysicalMemory = memory
  ) -> RemappingState {
    RemappingState(DumpSummary(file: "test", format: "elf"), memory: memory, kernel: kernel)
  }

  @Test func aDeviceWhoseGroupCannotBeReadHasARow() {
    var kernel = Self.kernel
    var device = Self.device("00:05.0", domain: nil)
    (device.hasGroup, device.group, device.info, device.iommu) = (false, nil, nil, nil)
    kernel.devices = [device]
    #expect(Self.state(kernel).devices.isEmpty)
    kernel.devices[0].hasGroup = true
    #expect(Self.state(kernel).devices.map(\.device) == [DeviceName("00:05.0")])
  }

  @Test func aRootThatTheKernelLacksComesFromTheRegisters() {
    let registers = UnitRegisters(
      rootTable: PhysicalAddress(0x1000), tableMode: .legacy, globalStatus: 0xc000_0000,
      words: [
        UnitRegisters.Word(offset: 0x08, value: 0xd2_008c_222f_0606),
        UnitRegisters.Word(offset: 0x18, value: 0xc000_0000_0000_0000),
        UnitRegisters.Word(offset: 0x20, value: 0x1000),
      ])
    func state(_ change: (inout LinuxUnit) -> Void) -> RemappingState {
      var kernel = Self.kernel
      change(&kernel.units[0])
      return RemappingState(
        DumpSummary(file: "x", format: "elf"), memory: Self.memory, kernel: kernel,
        registers: [registers])
    }
    let whole = state { _ in }
    #expect(whole.units.map(\.rootFrom) == [.kernel])
    #expect(whole.registers?.map(\.unit) == ["dmar0"])
    let torn = state { $0.rootTable = nil }
    #expect(torn.units.map(\.rootFrom) == [.given])
    #expect(torn.units.map(\.rootTable) == [PhysicalAddress(0x1000)])
    #expect(torn.contexts.map(\.raw) == whole.contexts.map(\.raw))
    // The kernel's word stands where there is one.
    let other = state { $0.rootTable = PhysicalAddress(0x3_0000) }
    #expect(other.units.map(\.rootTable) == [PhysicalAddress(0x3_0000)])
  }

  @Test func contextsAreTheHardwaresAlone() {
    let state = Self.state()
    #expect(
      state.contexts.map { "\($0.device) \($0.translation.rawValue) \($0.domainID ?? 0)" } == [
        "0000:00:00.0 second-stage 5", "0000:00:00.1 second-stage 5",
        "0000:00:01.0 pass-through 6", "0000:00:04.0 second-stage 7",
      ])
    #expect(state.contexts[0].raw == [0x1_0001, 0x502])
    #expect(state.contexts[0].entry == PhysicalAddress(0x2000))
    // Without kernel structures beyond the root the contexts are the same.
    var bare = LinuxIOMMU()
    bare.units = [Self.unit()]
    #expect(Self.state(bare).contexts == state.contexts)
  }

  @Test func aRowForEachDomainInUseAndForEachThatOnlyTheKernelHolds() {
    let rows = Self.state().domains
    #expect(
      rows.map { "\($0.unit ?? "-") \($0.domainID.map(String.init) ?? "-") \($0.type.rawValue)" }
        == [
          "dmar0 5 dma", "dmar0 6 identity", "dmar0 7 unknown", "dmar0 8 unmanaged", "- - blocked",
        ])
    #expect(rows[0].devices == [DeviceName("00:00.0"), DeviceName("00:00.1")])
    #expect(rows[0].kernelObject == KernelAddress(0xa000))
    #expect(rows.map(\.inFlight) == [true, false, false, false, false])
    #expect(rows[1].mapping == nil)
    #expect(rows[3].devices.isEmpty)
    #expect(rows[3].mapping?.runs.map(\.physical) == [PhysicalAddress(0x60_0000)])
  }

  @Test func runsAndAllocatorMeetInTheRow() {
    let row = Self.state().domains[0]
    #expect(
      row.mapping?.runs.map { "\($0.iova) \($0.length) \($0.physical) \($0.access.rawValue)" } == [
        "0x0 0x1000 0x500000 rw", "0x1000 0x1000 0x501000 r", "0xf0000 0x1000 0xf0000 rw",
      ])
    #expect(row.mapping?.leaves == 3)
    #expect(row.iova?.allocated.map(\.state) == [.live, .reserved])
    #expect(row.iova?.unallocated?.map(\.start) == [IOVirtualAddress(0x1000)])
  }

  @Test func regionsAreJudgedByTheDevicesOwnTables() {
    let state = Self.state()
    let regions = state.reservedRegions.filter { $0.kind == .rmrr }
    #expect(regions.map(\.mapped) == [.identity, .absent])
    // Pass-through maps everything onto itself.
    let second = state.devices[1].reservedRegions.first { $0.kind == .rmrr }
    #expect(second?.mapped == .identity)
    #expect(regions[1].devices == [DeviceName("00:00.0"), DeviceName("00:01.0")])
  }

  @Test func aDomainThatMapsOnlyFixedRegionsIsNotInFlight() {
    var tables = Self.tables
    tables[0x1_3000] = 0
    tables[0x1_3008] = 0
    let state = Self.state(Self.kernel, SyntheticMemory(tables, memory: [0..<0x800]))
    #expect(state.domains[0].inFlight == false)
    #expect(state.domains[0].mapping?.leaves == 1)
  }

  @Test func aMissingTableMakesTheCoverageUnknown() {
    let memory = SyntheticMemory(
      Self.tables, absences: [0x1_3000: .excluded], memory: [0..<0x800])
    let state = Self.state(Self.kernel, memory)
    #expect(state.domains[0].walk?.unreadable == 1)
    #expect(state.devices[0].reservedRegions.first { $0.kind == .rmrr }?.mapped == .some(nil))
    #expect(state.observations.contains { $0.kind == .unreadable })
    // The rest of the report stands.
    #expect(state.contexts.count == 4)
    #expect(state.domains.count == 5)
  }

  /// A context that was not read is not one that is not there.
  @Test func aMissingContextMakesTheCoverageUnknown() {
    let memory = SyntheticMemory(Self.tables, absences: [0x1000: .excluded], memory: [0..<0x800])
    var rootless = Self.kernel
    rootless.units[0].rootTable = nil
    for state in [Self.state(Self.kernel, memory), Self.state(rootless)] {
      #expect(state.contexts.isEmpty)
      for region in state.devices.flatMap(\.reservedRegions) where region.kind == .rmrr {
        #expect(region.mapped == nil)
      }
      #expect(state.reservedRegions.allSatisfy { $0.mapped == nil })
      #expect(state.hiddenContexts.mayHide(contextsOn: "dmar0"))
      #expect(!state.hiddenContexts.lacksUnits)
    }
    // Of a machine whose only unit is off, nothing is hidden.
    rootless.units[0].globalCommand = 0
    #expect(Self.state(rootless).reservedRegions.contains { $0.mapped == .absent })
  }

  @Test func aDomainOnTwoUnitsIsTwoRowsWithOneObject() {
    var kernel = Self.kernel
    var second = Self.unit()
    second.name = "dmar1"
    second.sequence = 1
    second.registerBase = PhysicalAddress(0xfed9_1000)
    second.rootTable = PhysicalAddress(0x4000)
    kernel.units.append(second)
    kernel.domains[0].ids = [0: 5, 1: 9]
    let rows = Self.state(kernel).domains.filter { $0.kernelObject == KernelAddress(0xa000) }
    #expect(rows.map(\.unit) == ["dmar0", "dmar1"])
    #expect(rows.map(\.domainID) == [5, 9])
    #expect(rows[0].iova == rows[1].iova)
  }

  @Test func theKernelObjectIsFoundThroughTheDeviceBeforeTheID() {
    var kernel = Self.kernel
    // The kernel attached the device to a domain with another id than the context's.
    kernel.domains[0].ids = [0: 9]
    kernel.domains[2].ids = [0: 5]
    let row = Self.state(kernel).domains[0]
    #expect(row.domainID == 5)
    #expect(row.kernelObject == KernelAddress(0xa000))
  }
}
