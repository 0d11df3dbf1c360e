// SPDX-License-Identifier: Apache-2.0

import Audit
import DumpFixtures
import Evidence
import Inheritance
import KernelFixtures
import MachineFixtures
import Memory
import RemappingState
import StateFixtures
import Testing

/// Machines whose units, devices and PASIDs fare differently.
struct MixedMachineTests {
  private static func plan(_ variant: KernelVariant = .g6) -> MachinePlan {
    var plan = MachinePlan(variant)
    let scalable = plan.addUnit(mode: .scalable)
    let legacy = plan.addUnit(segment: 1)
    let first = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x400_0000, bytes: 0x4000)])
    let second = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x410_0000, bytes: 0x4000)])
    let low = plan.addDomain(.unmanaged, [.init(0x1000, to: 0x420_0000, bytes: 0x1000)])
    let high = plan.addDomain(.unmanaged, [.init(0x2000, to: 0x430_0000, bytes: 0x2000)])
    plan.addDevice(
      "0000:03:00.0", scalable, first, driver: "idxd", pasids: [5: low, 200: high])
    plan.addDevice("0001:03:00.0", legacy, second, driver: "nvme")
    return plan
  }

  /// The crash kernel wants legacy tables: the unit in scalable mode is refused, the other is copied.
  @Test func oneUnitIsRefusedAndTheOtherCopied() throws {
    let run = try MachineRun(BuiltMachine(Self.plan()))
    let forecast = run.forecaster(
      ForecastOptions(commandLine: CrashCommandLine("intel_iommu=sm_off"))
    ).run(.linux).forecast
    #expect(forecast.units.map(\.unit) == ["dmar0", "dmar1"])
    #expect(forecast.units.map(\.outcome) == [.refused, .copied])
    #expect(forecast.units[0].rootTable.new == nil && forecast.units[1].rootTable.new != nil)
    let refused = try #require(forecast["0000:03:00.0"])
    #expect(refused.at.t1 == .physical)
    #expect(refused.pasids.map { $0.at.t1 } == [.physical, .physical])
    let copied = try #require(forecast["0001:03:00.0"])
    #expect(copied.at.t1 == .translated && copied.at.t2 == .translated)
    #expect(forecast.verdict == max(refused.verdict, copied.verdict))
  }

  /// Devices that remapping has no record of, because no unit translates for them, are those of the PCI tree.
  @Test func withoutAUnitThePCITreeTellsTheDevices() throws {
    let run = try MachineRun(BuiltMachine(Self.plan()))
    var evidence = run.evidence
    evidence.state.units = []
    evidence.state.contexts = []
    evidence.state.domains = []
    evidence.state.devices = []
    let kernel = try #require(evidence.kernel)
    let facts = MachineFacts(reading: kernel, of: evidence)
    let linux = Forecaster(evidence.state, memory: run.memory, facts: facts).run(.linux).forecast
    #expect(linux.devices.map(\.device) == ["0000:03:00.0", "0001:03:00.0"])
    #expect(linux.devices.map(\.driver) == ["idxd", "nvme"])
    #expect(linux.devices.allSatisfy { $0.at.t4 == .physical && $0.verdict == .unsafe })
    #expect(linux.changing.anywhere == linux.devices.map(\.device))
  }

  /// An attach gives the device a PASID table with one entry; others' requests are cut off then.
  @Test func pasidsHaveFatesOfTheirOwn() throws {
    let run = try MachineRun(BuiltMachine(Self.plan()))
    let linux = run.forecaster().run(.linux).forecast
    let device = try #require(linux["0000:03:00.0"])
    #expect(device.at.all == [.translated, .translated, .remapped, .remapped])
    #expect(device.pasids.map(\.pasid) == [5, 200])
    #expect(device.pasids.map(\.bytes) == [0x1000, 0x2000])
    for pasid in device.pasids {
      #expect(pasid.at.all == [.translated, .translated, .blocked, .blocked])
    }
    // PASID 5 is in the table's first 64, which is there; 200 is not.
    #expect(device.pasids.map(\.faultReason.t3) == [0x59, 0x51])
    #expect(device.reason.contains("requests with PASID 5, 200 are cut off from T3 on"))
    #expect(device.verdict != .safe)
    // Without a driver they go on.
    let idle = run.forecaster(ForecastOptions(drivers: [])).run(.linux).forecast
    #expect(
      idle["0000:03:00.0"]?.pasids.map(\.at.t4) == [.translated, .translated])
    // A copy of every level keeps them.
    let full = run.forecaster().run(.fullCopy).forecast
    #expect(full["0000:03:00.0"]?.pasids.map(\.at.t4) == [.translated, .translated])
    let isolated = run.forecaster().run(.isolate).forecast
    #expect(isolated["0000:03:00.0"]?.pasids.map(\.at.t1) == [.blocked, .blocked])
    #expect(linux["0001:03:00.0"]?.pasids == [])
  }

  /// A unit of graphics alone that the code must not switch off.
  @Test(arguments: [
    ("intel_iommu=off", Fate.translated, Fate.translated),
    ("intel_iommu=sm_off", .translated, .blocked),
  ]) func someUnitsAreNeverSwitchedOff(
    _ line: String, _ first: Fate, _ second: Fate
  ) throws {
    var plan = Self.plan()
    plan.units[0].graphicsOnly = true
    let machine = BuiltMachine(plan) {
      $0.kernel.kernel.variable("iommu_skip_te_disable", 1 as Int32)
    }
    let run = try MachineRun(machine)
    #expect(run.facts.unitsKeptOn == ["dmar0"])
    let forecast = run.forecaster(
      ForecastOptions(commandLine: CrashCommandLine(line), drivers: [])
    ).run(.linux).forecast
    let device = try #require(forecast["0000:03:00.0"])
    #expect(device.at.t1 == first && device.at.t2 == second)
    #expect(forecast.units[0].reason?.contains("iommu_skip_te_disable") == true)
    // Without the quirk nothing translates at T1.
    let plain = try MachineRun(BuiltMachine(plan))
    #expect(plain.facts.unitsKeptOn == [])
    #expect(
      plain.forecaster(ForecastOptions(commandLine: CrashCommandLine(line), drivers: []))
        .run(.linux).forecast["0000:03:00.0"]?.at.t1 == .physical)
  }

  /// Source ids that are not the device's own come from what the driver keeps.
  @Test func requestersOfVMDAndACPIDevicesAreAliases() throws {
    var plan = MachinePlan(.g6)
    let unit = plan.addUnit(includeAll: true)
    let disks = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x400_0000, bytes: 0x4000)])
    let serial = plan.addDomain(.dma, [.init(0xfffe_0000, to: 0x410_0000, bytes: 0x1000)])
    plan.addDevice("0000:00:0e.0", unit, disks, driver: "vmd", group: 1)
    plan.addDevice(
      "0000:00:0e.0", unit, disks, driver: "nvme", group: 1,
      nature: .behindVMD("10000:01:00.0"))
    plan.addDevice(
      "0000:00:1e.3", unit, serial, driver: "dw-apb-uart", nature: .other("INTC1009:00"))
    plan.regions = [.init(range: 0x2_0000...0x2_0fff, devices: [2])]
    let run = try MachineRun(BuiltMachine(plan))
    let child = try #require(run.state.devices.first { $0.device == "10000:01:00.0" })
    #expect(child.aliases == ["0000:00:0e.0"] && child.requesters == ["0000:00:0e.0"])
    let acpi = try #require(run.state.devices.first { $0.device == .other("INTC1009:00") })
    #expect(acpi.aliases == ["0000:00:1e.3"])
    // Its region is looked up in the context that its requests meet.
    #expect(acpi.reservedRegions.filter { $0.kind == .rmrr }.map(\.mapped) == [.identity])
    #expect(Audit.findings(of: run.state).map(\.rule) == [])
    let linux = run.forecaster().run(.linux).forecast
    #expect(linux["10000:01:00.0"]?.at == linux["0000:00:0e.0"]?.at)
    #expect(linux[.other("INTC1009:00")]?.at.t1 == .translated)
    #expect(linux["0000:00:1e.3"] == nil)
  }

  /// Kernels before 6.0 mark a copied entry with bit 67, which is part of RID_PASID in scalable mode:
  /// requests without PASID become those of PASID 8, unless the unit has no such field.
  @Test(arguments: [(0, Fate.translated), (1 << 49, Fate.blocked)] as [(UInt64, Fate)])
  func theMarkOfCopiedEntriesIsPartOfRIDPASID(_ adds: UInt64, _ fate: Fate) throws {
    var plan = MachinePlan(.g2c)
    let unit = plan.addUnit(mode: .scalable, includeAll: true)
    plan.units[unit].adds = adds
    let disks = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x400_0000, bytes: 0x4000)])
    plan.addDevice("0000:00:02.0", unit, disks, driver: "nvme")
    let run = try MachineRun(BuiltMachine(plan))
    #expect(Audit.findings(of: run.state).map(\.rule) == [])
    let linux = run.forecaster(ForecastOptions(drivers: [])).run(.linux).forecast
    let device = try #require(linux["0000:00:02.0"])
    #expect(device.at.t1 == .translated)
    #expect(device.at.t2 == fate && device.at.t4 == fate)
  }

  /// The segment of a source id is in the driver's own structure, or it is the unit's.
  @Test(arguments: [KernelVariant.el7, .g2c, .el8, .g5a, .g6])
  func requestersHaveASegment(_ variant: KernelVariant) throws {
    var plan = MachinePlan(variant)
    let first = plan.addUnit()
    let disks = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x400_0000, bytes: 0x4000)])
    plan.addDevice("0000:00:02.0", first, disks, driver: "nvme")
    let unit = plan.addUnit(segment: 1, includeAll: true)
    let serial = plan.addDomain(.dma, [.init(0xfffe_0000, to: 0x410_0000, bytes: 0x1000)])
    plan.addDevice(
      "0001:00:1e.3", unit, serial, driver: "dw-apb-uart", nature: .other("INTC1009:00"))
    let run = try MachineRun(BuiltMachine(plan))
    let device = try #require(run.state.devices.first { $0.device == .other("INTC1009:00") })
    #expect(device.aliases == ["0001:00:1e.3"])
    #expect(Audit.findings(of: run.state).map(\.rule) == [])
  }

  @Test func firmwareSaysWhoMayCacheTranslations() throws {
    var plan = Self.plan()
    plan.caches = [
      .init(kind: .atsr, segment: 1, devices: [1]),
      .init(kind: .atsr, segment: 0, includeAll: true, devices: []),
      .init(kind: .satc, segment: 1, required: true, devices: [1]),
    ]
    let run = try MachineRun(BuiltMachine(plan))
    #expect(run.state.translationCaches.map(\.segment) == [1, 0, 1])
    #expect(run.state.translationCaches.map(\.includeAll) == [false, true, false])
    #expect(run.state.translationCaches.map(\.required) == [nil, nil, true])
    #expect(
      run.state.translationCaches.map(\.devices) == [["0001:03:00.0"], [], ["0001:03:00.0"]])
    // Its unit is in legacy mode.
    #expect(Audit.findings(of: run.state).map(\.rule) == ["device.cache-off"])
  }
}

extension PolicyForecast {
  subscript(_ device: DeviceName) -> DeviceForecast? { devices.first { $0.device == device } }
}
