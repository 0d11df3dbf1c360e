// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import Memory
import RemappingState

extension MachinePlan {
  /// The machine of `samples/synthetic-machine.vmcore`: what no guest of an emulator has at once.
  ///
  ///     dmar0  segment 0, legacy, 4 levels    00:02.0 display with a reserved region, 00:1f.2 AHCI
  ///     dmar1  segment 0, scalable            17:00.0 accelerator: three PASIDs, one of them nested;
  ///                                           18:00.0 NIC, first stage of 5 levels
  ///     dmar2  segment 1, scalable            0001:03:00.0 open through vfio-pci, domain of iommufd's;
  ///                                           0001:03:10.0 NVMe in the bus's upper half
  ///     dmar3  segment 1, legacy, 3 levels    0001:80:0e.0 VMD with a disk behind it, an ACPI UART,
  ///                                           0001:81:00.0 in pass-through
  public static var sample: MachinePlan {
    var plan = MachinePlan(.g6)
    plan.release = "7.3.0-synthetic"
    plan.log = [
      "DMAR: IOMMU enabled", "DMAR: Host address width 46",
      "Kernel panic - not syncing: a machine made by a test",
    ]
    let units = [
      plan.addUnit(), plan.addUnit(mode: .scalable, includeAll: true),
      plan.addUnit(mode: .scalable, segment: 1, includeAll: true),
      plan.addUnit(levels: 3, segment: 1),
    ]
    let display = plan.addDomain(
      .dma, [.init(0xffe0_0000, to: 0x400_0000, bytes: 0x20_0000, level: 2)])
    let ahci = plan.addDomain(
      .dmaFQ,
      [
        .init(0xffff_0000, to: 0x500_0000, bytes: 0x8000),
        .init(0xfffe_0000, to: 0x520_0000, bytes: 0x1000, rights: 1),
      ])
    let accelerator = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x600_0000, bytes: 0x4000)])
    let process = plan.addDomain(
      .unmanaged, [.init(0x7f00_0000_0000, to: 0x620_0000, bytes: 0x3000)], stage: .first)
    let guest = plan.addDomain(
      .nested, [.init(0x1000, to: 0x4000_0000, bytes: 0x4000)],
      guestMemory: [.init(0x4000_0000, to: 0x640_0000, bytes: 0x4000)])
    let queue = plan.addDomain(.unmanaged, [.init(0x10_0000, to: 0x660_0000, bytes: 0x2000)])
    let nic = plan.addDomain(
      .dma, [.init(0xfffc_0000, to: 0x700_0000, bytes: 0x2_0000)], stage: .first, levels: 5)
    let vm = plan.addDomain(
      .unmanaged,
      [
        .init(0, to: 0x800_0000, bytes: 0x80_0000, level: 2),
        .init(0x1_0000_0000, to: 0x900_0000, bytes: 0x4000),
      ],
      stage: .first)
    let nvme = plan.addDomain(.dma, [.init(0xffff_8000, to: 0xa00_0000, bytes: 0x8000)])
    let disks = plan.addDomain(.dma, [.init(0xffff_0000, to: 0xb00_0000, bytes: 0x4000)], levels: 3)
    let serial = plan.addDomain(
      .dma, [.init(0xfffe_f000, to: 0xb10_0000, bytes: 0x1000)], levels: 3)
    let identity = plan.addDomain(.identity)
    plan.addDevice("0000:00:02.0", units[0], display, driver: "i915", group: 0)
    plan.addDevice("0000:00:1f.2", units[0], ahci, driver: "ahci", group: 1)
    plan.addDevice(
      "0000:17:00.0", units[1], accelerator, driver: "idxd", group: 2,
      pasids: [1: process, 2: guest, 100: queue])
    plan.addDevice("0000:18:00.0", units[1], nic, driver: "mlx5_core", group: 3)
    plan.addDevice("0001:03:00.0", units[2], vm, driver: "vfio-pci", group: 4)
    plan.devices[4].pageRequests = true
    plan.addDevice("0001:03:10.0", units[2], nvme, driver: "nvme", group: 5)
    plan.addDevice("0001:80:0e.0", units[3], disks, driver: "vmd", group: 6)
    plan.addDevice(
      "0001:80:0e.0", units[3], disks, driver: "nvme", group: 6,
      nature: .behindVMD(PCIFunction(segment: 0x10000, bus: 1, devfn: 0)))
    plan.addDevice(
      "0001:80:1e.0", units[3], serial, driver: "dw-apb-uart", group: 7,
      nature: .other("INTC1009:00"))
    plan.addDevice("0001:81:00.0", units[3], identity, driver: "hpsa", group: 8)
    plan.regions = [
      Region(range: 0x2_0000...0x2_1fff, devices: [0]),
      Region(range: 0x4_0000...0x4_0fff, devices: [8]),
    ]
    plan.caches = [
      CacheScope(kind: .atsr, segment: 0, includeAll: true, devices: []),
      CacheScope(kind: .atsr, segment: 1, devices: [4]),
      CacheScope(kind: .satc, segment: 0, required: true, devices: [2]),
    ]
    return plan
  }

  private mutating func addDevice(
    _ name: String, _ unit: Int, _ domain: Int, driver: String, group: UInt64,
    nature: Nature = .function, pasids: [UInt32: Int] = [:]
  ) {
    guard let function = PCIFunction(name) else { preconditionFailure("no function: \(name)") }
    addDevice(
      function, unit, domain, driver: driver, group: group, nature: nature, pasids: pasids)
  }
}
