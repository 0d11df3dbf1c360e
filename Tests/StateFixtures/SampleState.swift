// SPDX-License-Identifier: Apache-2.0

public import Memory
public import RemappingState

extension RemappingState {
  /// A small healthy machine: one legacy and one scalable unit, and every kind of domain.
  ///
  /// No audit rule may find anything here. Tests change one thing and see what is said about it.
  ///
  ///     dmar0 (legacy)    00:02.0  display, DMA domain 5, has a reserved region
  ///                       00:1f.2  AHCI, DMA domain 6, its alias 00:1f.7 shares the domain
  ///                       00:14.0  USB, pass-through, domain-id 1, has a reserved region
  ///                       00:03.0  assigned to a guest: unmanaged domain 7, no allocator
  ///     dmar1 (scalable)  40:00.0  NVMe, first-stage DMA domain 8; PASID 3 is a process
  ///                       40:01.0  pass-through, domain-id 1
  public static var sample: RemappingState {
    RemappingState(
      dump: DumpSummary(
        file: "sample.vmcore", format: "kdump", release: "6.1.0-56-amd64",
        buildID: "8f3a5b0c", typesFrom: "btf", pageSize: 4096, kaslrOffset: 0x1a00_0000,
        panic: "Kernel panic - not syncing: sysrq triggered crash", crashTime: 1_795_342_333),
      units: [.legacySample, .scalableSample],
      contexts: Context.samples,
      domains: Domain.samples,
      devices: Device.samples,
      reservedRegions: [
        ReservedRegion(
          kind: .isa, segment: 0, base: 0, end: 0xff_ffff, devices: ["0000:00:1f.2"],
          mapped: .identity),
        ReservedRegion(
          kind: .rmrr, segment: 0, base: 0xbd80_0000, end: 0xbd80_1fff,
          devices: ["0000:00:02.0", "0000:00:14.0"], mapped: .identity),
        ReservedRegion(
          kind: .msi, segment: nil, base: 0xfee0_0000, end: 0xfeef_ffff,
          devices: ["0000:00:02.0"], mapped: nil),
      ],
      memoryMap: [
        MemoryRegion(kind: .memory, start: 0, end: 0x9_ffff),
        MemoryRegion(kind: .memory, start: 0x10_0000, end: 0xbd7f_ffff),
        MemoryRegion(kind: .kernelText, start: 0x4000_0000, end: 0x40ff_ffff),
        MemoryRegion(kind: .crashKernel, start: 0xa000_0000, end: 0xafff_ffff),
        MemoryRegion(kind: .firmware, start: 0xbd80_0000, end: 0xbfff_ffff),
        MemoryRegion(kind: .memory, start: 0x1_0000_0000, end: 0x7_ffff_ffff),
      ],
      faults: FaultSummary(),
      startUp: StartUp(
        commandLine: ["intel_iommu=on"],
        log: [
          "DMAR: IOMMU enabled", "iommu: Default domain type: Translated",
          "iommu: DMA domain TLB invalidation policy: lazy mode",
        ]))
  }
}

extension Unit {
  fileprivate static var legacySample: Unit {
    Unit(
      name: "dmar0", segment: 0, registerBase: 0xfed9_0000, capability: 0xd2_008c_222f_0686,
      extendedCapability: 0xf000_0f4a, tableMode: .legacy, translationEnabled: true,
      interruptRemappingEnabled: true, rootTable: 0x10_2000, rootFrom: .kernel,
      domainIDs: DomainIDs(supported: 65536, used: [0, 1, 5, 6, 7]),
      kernelObject: 0xffff_8881_0003_0000, sequence: 0, globalCommand: 0x8600_0000, levels: 4,
      ignored: false, includeAll: true, scope: [], inherited: false,
      interruptRemapping: InterruptRemapping(
        table: 0x120_0000, entries: 65536, present: 21, posted: 0, allocated: 24),
      invalidationQueue: InvalidationQueue(
        base: 0x10_5000, entries: 256, descriptorSize: 16, freeHead: 40, freeTail: 38, pending: 0))
  }

  fileprivate static var scalableSample: Unit {
    Unit(
      name: "dmar1", segment: 0, registerBase: 0xfed9_1000, capability: 0xd2_008c_222f_0686,
      extendedCapability: 0x8000_0f00_0f4a, tableMode: .scalable, translationEnabled: true,
      interruptRemappingEnabled: true, rootTable: 0x20_2000, rootFrom: .kernel,
      domainIDs: DomainIDs(supported: 65536, used: [0, 1, 8]),
      kernelObject: 0xffff_8881_0003_1000, sequence: 1, globalCommand: 0x8600_0000, levels: 4,
      ignored: false, includeAll: false, scope: ["0000:40:00.0", nil], inherited: false,
      interruptRemapping: InterruptRemapping(
        table: 0x130_0000, entries: 65536, present: 8, posted: 2, allocated: 8),
      invalidationQueue: InvalidationQueue(
        base: 0x20_5000, entries: 256, descriptorSize: 32, freeHead: 2, freeTail: 0, pending: 0))
  }
}

extension Context {
  fileprivate static var samples: [Context] {
    [
      legacy(0x00_10, domainID: 5, table: 0x30_0000),
      legacy(0x00_18, domainID: 7, table: 0x50_0000),
      passThrough(0x00_a0),
      legacy(0x00_fa, domainID: 6, table: 0x40_0000),
      legacy(0x00_ff, domainID: 6, table: 0x40_0000),
      Context(
        unit: "dmar1", device: "0000:40:00.0", pasid: 0, translation: .firstStage, domainID: 8,
        levels: 4, table: 0x60_0000, faultProcessingDisabled: false,
        raw: [0x41, 0x8, 0x60_0001, 0, 0, 0, 0, 0], entry: 0x20_8000),
      Context(
        unit: "dmar1", device: "0000:40:00.0", pasid: 3, translation: .firstStage, domainID: 1,
        levels: 4, table: 0x70_0000, faultProcessingDisabled: false,
        raw: [0x41, 0x1, 0x70_0001, 0, 0, 0, 0, 0], entry: 0x20_80c0,
        servesRequestsWithoutPASID: false),
      Context(
        unit: "dmar1", device: "0000:40:01.0", pasid: 0, translation: .passThrough, domainID: 1,
        levels: nil, table: nil, faultProcessingDisabled: false,
        raw: [0x101, 0x1, 0, 0, 0, 0, 0, 0], entry: 0x20_9000),
    ]
  }

  private static func legacy(
    _ sourceID: UInt16, domainID: UInt32, table: PhysicalAddress
  ) -> Context {
    Context(
      unit: "dmar0", device: PCIFunction(bus: 0, devfn: UInt8(sourceID & 0xff)), pasid: nil,
      translation: .secondStage, domainID: domainID, levels: 4, table: table,
      faultProcessingDisabled: false,
      raw: [HexWord(table.rawValue | 1), HexWord(UInt64(domainID) << 8 | 2)],
      entry: PhysicalAddress(0x10_3000 + UInt64(sourceID) * 16))
  }

  private static func passThrough(_ sourceID: UInt16) -> Context {
    Context(
      unit: "dmar0", device: PCIFunction(bus: 0, devfn: UInt8(sourceID & 0xff)), pasid: nil,
      translation: .passThrough, domainID: 1, levels: nil, table: nil,
      faultProcessingDisabled: false, raw: [0x9, 0x102],
      entry: PhysicalAddress(0x10_3000 + UInt64(sourceID) * 16))
  }
}

extension Domain {
  fileprivate static var samples: [Domain] {
    [
      Domain(
        unit: "dmar0", domainID: 1, type: .identity, kernelObject: 0xffff_ffff_8260_0000,
        devices: ["0000:00:14.0"]),
      Domain(
        unit: "dmar0", domainID: 5, type: .dmaFQ, kernelObject: 0xffff_8881_0100_0000,
        stage: .second, table: 0x30_0000, levels: 4, devices: ["0000:00:02.0"], inFlight: true,
        mapping: Mapping(
          leaves: 7, bytes: 0x7000,
          runs: [
            Run(iova: 0xbd80_0000, length: 0x2000, physical: 0xbd80_0000, access: .readWrite),
            Run(iova: 0xffff_a000, length: 0x3000, physical: 0x1_2345_6000, access: .read),
            Run(iova: 0xffff_e000, length: 0x1000, physical: 0x1_2345_1000, access: .readWrite),
            Run(iova: 0xffff_f000, length: 0x1000, physical: 0x8000, access: .write),
          ]),
        iova: IOVASpace(
          allocated: [
            IOVARange(start: 0xbd80_0000, end: 0xbd80_1fff, state: .reserved),
            IOVARange(start: 0xfee0_0000, end: 0xfeef_ffff, state: .reserved),
            IOVARange(start: 0xffff_0000, end: 0xffff_0fff, state: .cached),
            IOVARange(start: 0xffff_1000, end: 0xffff_1fff, state: .pending),
            IOVARange(start: 0xffff_2000, end: 0xffff_2fff, state: .flushed),
            IOVARange(start: 0xffff_4000, end: 0xffff_7fff, state: .cached),
            IOVARange(start: 0xffff_a000, end: 0xffff_dfff, state: .live),
            IOVARange(start: 0xffff_e000, end: 0xffff_efff, state: .live),
            IOVARange(start: 0xffff_f000, end: 0xffff_ffff, state: .live),
          ], unallocated: []),
        walk: WalkSummary(tables: 5)),
      Domain(
        unit: "dmar0", domainID: 6, type: .dma, kernelObject: 0xffff_8881_0200_0000,
        stage: .second, table: 0x40_0000, levels: 4, devices: ["0000:00:1f.2", "0000:00:1f.7"],
        inFlight: false,
        mapping: Mapping(
          leaves: 8, bytes: 0x100_0000,
          runs: [Run(iova: 0, length: 0x100_0000, physical: 0, access: .readWrite)]),
        iova: IOVASpace(
          allocated: [
            IOVARange(start: 0, end: 0xff_ffff, state: .reserved),
            IOVARange(start: 0xfee0_0000, end: 0xfeef_ffff, state: .reserved),
          ], unallocated: []),
        walk: WalkSummary(tables: 3)),
      Domain(
        unit: "dmar0", domainID: 7, type: .unmanaged, kernelObject: 0xffff_8881_0300_0000,
        stage: .second, table: 0x50_0000, levels: 4, devices: ["0000:00:03.0"], inFlight: true,
        mapping: Mapping(
          leaves: 2, bytes: 0x8000_0000,
          runs: [
            Run(iova: 0, length: 0x8000_0000, physical: 0x2_0000_0000, access: .readWrite)
          ]), walk: WalkSummary(tables: 2)),
      Domain(
        unit: "dmar1", domainID: 1, type: .sva, kernelObject: 0xffff_8881_0500_0000,
        stage: .first, table: 0x70_0000, levels: 4, devices: ["0000:40:00.0"], inFlight: true,
        mapping: Mapping(
          leaves: 1, bytes: 0x1000,
          runs: [
            Run(
              iova: 0x7fff_ffff_e000, length: 0x1000, physical: 0x3_0000_0000, access: .readWrite)
          ]), walk: WalkSummary(tables: 4)),
      Domain(
        unit: "dmar1", domainID: 1, type: .identity, kernelObject: 0xffff_ffff_8260_0000,
        devices: ["0000:40:01.0"]),
      Domain(
        unit: "dmar1", domainID: 8, type: .dmaFQ, kernelObject: 0xffff_8881_0400_0000,
        stage: .first, table: 0x60_0000, levels: 4, devices: ["0000:40:00.0"], inFlight: true,
        mapping: Mapping(
          leaves: 1, bytes: 0x20_0000,
          runs: [
            Run(iova: 0xffe0_0000, length: 0x20_0000, physical: 0x4_0000_0000, access: .readWrite)
          ]),
        iova: IOVASpace(
          allocated: [IOVARange(start: 0xffe0_0000, end: 0xffff_ffff, state: .live)],
          unallocated: []), walk: WalkSummary(tables: 3)),
      Domain(
        unit: nil, domainID: nil, type: .blocked, kernelObject: 0xffff_ffff_8260_1000),
    ]
  }
}

extension Device {
  fileprivate static var samples: [Device] {
    let reserved = DeviceRegion(
      kind: .rmrr, base: 0xbd80_0000, end: 0xbd80_1fff, mapped: .identity)
    return [
      Device(
        device: "0000:00:02.0", unit: "dmar0", domainID: 5,
        reservedRegions: [
          reserved,
          DeviceRegion(kind: .msi, base: 0xfee0_0000, end: 0xfeef_ffff, mapped: nil),
        ], group: 0, driver: "i915", kernelObject: 0xffff_8881_0010_0000,
        domain: 0xffff_8881_0100_0000, defaultDomainType: .dmaFQ, pciID: "8086:5916"),
      Device(
        device: "0000:00:03.0", unit: "dmar0", domainID: 7, group: 1, driver: "vfio-pci",
        kernelObject: 0xffff_8881_0010_0100, domain: 0xffff_8881_0300_0000,
        defaultDomainType: .dmaFQ, pciID: "10de:1eb8"),
      Device(
        device: "0000:00:14.0", unit: "dmar0", domainID: 1, reservedRegions: [reserved], group: 2,
        driver: "xhci_hcd", kernelObject: 0xffff_8881_0010_0200, domain: 0xffff_ffff_8260_0000,
        defaultDomainType: .identity, pciID: "8086:9d2f"),
      Device(
        device: "0000:00:1f.2", unit: "dmar0", domainID: 6, aliases: ["0000:00:1f.7"],
        reservedRegions: [DeviceRegion(kind: .isa, base: 0, end: 0xff_ffff, mapped: .identity)],
        group: 3, driver: "ahci", kernelObject: 0xffff_8881_0010_0300,
        domain: 0xffff_8881_0200_0000, defaultDomainType: .dma, pciID: "8086:2922"),
      Device(
        device: "0000:40:00.0", unit: "dmar1", domainID: 8, group: 4, driver: "nvme",
        kernelObject: 0xffff_8881_0010_0400, domain: 0xffff_8881_0400_0000,
        defaultDomainType: .dmaFQ, pciID: "8086:0953"),
      Device(
        device: "0000:40:01.0", unit: "dmar1", domainID: 1, group: 5, driver: "idxd",
        kernelObject: 0xffff_8881_0010_0500, domain: 0xffff_ffff_8260_0000,
        defaultDomainType: .identity, pciID: "8086:0b25"),
    ]
  }
}

// Fixtures and tests write addresses and devices as literals.

extension PhysicalAddress: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt64) { self.init(value) }
}

extension IOVirtualAddress: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt64) { self.init(value) }
}

extension KernelAddress: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt64) { self.init(value) }
}

extension DeviceName: ExpressibleByUnicodeScalarLiteral {}
extension DeviceName: ExpressibleByExtendedGraphemeClusterLiteral {}
extension DeviceName: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self.init(text) }
}

extension PCIFunction: ExpressibleByUnicodeScalarLiteral {}
extension PCIFunction: ExpressibleByExtendedGraphemeClusterLiteral {}
extension PCIFunction: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) {
    self = PCIFunction(text) ?? PCIFunction(segment: .max, bus: 0xff, devfn: 0xff)
  }
}
