// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import RemappingState
import Testing

@testable import LinuxIOMMU

struct UnitTests {
  private func read(_ kernel: RemappingKernel) throws -> LinuxIOMMU {
    kernel.finish()
    return try LinuxIOMMU(reading: kernel.kernel.image())
  }

  @Test(
    arguments: [
      // intel_iommu_sm and ECAP.SMTS.
      (1, nil, nil, 1 << 43, .scalable), (0, nil, nil, 1 << 43, .legacy),
      (1, nil, nil, 0, .legacy), (nil, nil, nil, 1 << 43, .legacy),
      // intel_iommu_ecs, ECAP.ECS and the PASID bit of its time.
      (nil, 1, nil, 1 << 24 | 1 << 40, .extended), (nil, 1, nil, 1 << 24, .legacy),
      (nil, 0, nil, 1 << 24 | 1 << 40, .legacy), (nil, 1, nil, 1 << 40, .legacy),
      (nil, 1, 0, 1 << 24, .extended), (nil, 1, 0, 1 << 24 | 1 << 28, .legacy),
      (nil, 1, 1, 1 << 24 | 1 << 28, .extended),
    ] as [(Int32?, Int32?, Int32?, UInt64, TableMode)])
  func tableMode(
    _ scalable: Int32?, _ extended: Int32?, _ oldPASID: Int32?, _ ecap: UInt64,
    _ expected: TableMode
  ) throws {
    let kernel = RemappingKernel(.g2c)
    for (name, value) in [
      ("intel_iommu_sm", scalable), ("intel_iommu_ecs", extended),
      ("intel_iommu_pasid28", oldPASID),
    ] {
      if let value { kernel.kernel.variable(name, value) }
    }
    kernel.addUnit(extended: ecap)
    #expect(try read(kernel).units.map(\.tableMode) == [expected])
  }

  @Test(arguments: [(KernelVariant.g1, 16), (.g5a, 32)])
  func descriptorsAreWideWhereTheUnitIsScalable(_ variant: KernelVariant, _ size: Int) throws {
    let kernel = RemappingKernel(variant)
    kernel.addUnit(extended: 1 << 43)
    #expect(try read(kernel).units.first?.invalidationQueue?.descriptorSize == size)
  }

  /// On a machine of another vendor devices are in groups, whose domains are no `struct dmar_domain`.
  @Test(arguments: KernelVariant.all)
  func unitsOfAnotherDriver(_ variant: KernelVariant) throws {
    let kernel = RemappingKernel(variant)
    let function = kernel.addFunction(kernel.addBus(0), 0x10)
    kernel.addGroup(3, [function.device], domain: kernel.addDomain())
    if variant.hasUnitList {
      kernel.addOtherUnit("ivhd0")
      kernel.addOtherUnit(nil)
    }
    let state = try read(kernel)
    #expect(state.problems.isEmpty)
    #expect(state.units.isEmpty)
    #expect(state.domains.isEmpty)
    #expect(state.devices.map(\.group) == [3])
    #expect(state.otherUnits.map(\.name) == (variant.hasUnitList ? ["ivhd0", nil] : [nil]))
    #expect(
      state.otherUnits.map(\.kernelObject)
        == (variant.hasUnitList ? kernel.otherUnits.map(\.address) : [nil]))
  }

  /// VT-d's own units are registered in the same list.
  @Test func unitsOfVTdAreNoOthers() throws {
    let kernel = RemappingKernel(.g6)
    kernel.addUnit()
    kernel.addOtherUnit("other")
    #expect(try read(kernel).otherUnits.isEmpty)
    let none = RemappingKernel(.g6)
    none.addFunction(none.addBus(0), 0x10)
    let state = try read(none)
    #expect(state.otherUnits.isEmpty)
    #expect(state.problems.isEmpty)
    // A list that cannot be read has none that is known.
    let broken = RemappingKernel(.g6)
    broken.finish()
    broken.kernel.write(
      0x1234 as UInt64, at: try #require(broken.kernel.symbols["iommu_device_list"]?.first))
    let lost = try LinuxIOMMU(reading: broken.kernel.image())
    #expect(lost.problems.map(\.structure) == [.otherUnitList])
  }

  @Test func unitWithoutDriverObject() throws {
    let kernel = RemappingKernel(.g5c)
    let unit = kernel.addUnit()
    unit.drhd.set(["iommu": 0, "ignored": 1, "segment": 7])
    let state = try read(kernel)
    #expect(state.problems.isEmpty)
    #expect(state.units.map(\.name) == ["drhd-fed90000"])
    #expect(state.units.map(\.ignored) == [true])
    #expect(state.units.map(\.segment) == [7])
    #expect(state.units.map(\.kernelObject) == [nil])
  }

  @Test func unusedUnit() throws {
    let kernel = RemappingKernel(.g5c)
    let unit = kernel.addUnit()
    unit.iommu.set(["root_entry": 0, "qi": 0, "ir_table": 0, "domain_ids": 0])
    let found = try #require(try read(kernel).units.first)
    #expect(found.rootTable == nil && found.invalidationQueue == nil)
    #expect(found.interruptRemapping == nil && found.domainIDs == [])
  }

  @Test func withoutTheListThereIsNothingToReport() {
    let kernel = RemappingKernel(.g5c)
    kernel.finish()
    kernel.kernel.symbols["dmar_drhd_units"] = nil
    #expect(throws: KernelError(.noSymbol("dmar_drhd_units"))) {
      try LinuxIOMMU(reading: kernel.kernel.image())
    }
  }

  @Test func withoutDomainTypesUnitsRemain() throws {
    let kernel = RemappingKernel(.g5c)
    kernel.addUnit()
    kernel.kernel.types.remove("dmar_domain")
    let state = try read(kernel)
    #expect(state.units.count == 1)
    #expect(!state.problems.isEmpty)
  }

  @Test func listThatDoesNotClose() throws {
    let kernel = RemappingKernel(.g5c)
    let units = (0..<3).map { _ in kernel.addUnit() }
    kernel.finish()
    let image = kernel.kernel.image()
    kernel.kernel.write(
      units[1].drhd.address.rawValue, at: units[2].drhd.address(of: "list"))
    let state = try LinuxIOMMU(reading: image)
    #expect(state.units.map(\.name) == ["dmar0", "dmar1", "dmar2"])
    #expect(state.problems.map(\.structure) == [.unitList])
  }

  @Test func unitsThatShareTheirDriverObject() throws {
    let kernel = RemappingKernel(.g5c)
    let first = kernel.addUnit()
    kernel.addUnit().drhd["iommu"] = first.iommu.address.rawValue
    let state = try read(kernel)
    #expect(state.units.count == 1)
    #expect(state.problems.count == 1)
  }

  @Test(arguments: ["root_entry", "qi", "ir_table", "domain_ids", "copied_tables"])
  func pointersIntoAbsentPagesAreProblems(_ member: String) throws {
    let kernel = RemappingKernel(.g5c)
    let unit = kernel.addUnit(copied: [1])
    let missing = kernel.kernel.allocatePage()
    kernel.kernel.setAbsence(.excluded, at: missing)
    unit.iommu[member] = member == "root_entry" ? 0x1234 : missing.rawValue
    let state = try read(kernel)
    #expect(state.units.map(\.name) == ["dmar0"])
    #expect(!state.problems.isEmpty)
    #expect(state.problems.allSatisfy { $0.unit == "dmar0" })
    #expect(state.problems.contains { $0.absence == .excluded } == (member != "root_entry"))
  }

  @Test func driverObjectOnAnAbsentPage() throws {
    let kernel = RemappingKernel(.g5c)
    let unit = kernel.addUnit()
    let missing = kernel.kernel.allocatePage()
    kernel.kernel.setAbsence(.excluded, at: missing)
    unit.drhd["iommu"] = missing.rawValue
    let state = try read(kernel)
    #expect(state.units.map(\.kernelObject) == [missing])
    #expect(state.problems.map(\.structure) == [.intelIOMMU])
  }

  @Test(arguments: [8193, 0x7fff_ffff, 0xffff_ffff])
  func hostileScopeCount(_ count: UInt64) throws {
    let kernel = RemappingKernel(.g5c)
    let unit = kernel.addUnit()
    unit.drhd.set(["devices_cnt": count, "devices": kernel.kernel.allocatePage().rawValue])
    let state = try read(kernel)
    #expect(state.units.map(\.scope) == [[]])
    #expect(state.problems.count == 1)
  }

  @Test func scopeWithADeviceThatCannotBeRead() throws {
    let kernel = RemappingKernel(.g5c)
    let function = kernel.addFunction(kernel.addBus(0), 8)
    let missing = kernel.kernel.allocatePage()
    kernel.kernel.setAbsence(.excluded, at: missing)
    let gone = kernel.kernel.object("device", at: missing)
    kernel.addUnit(scope: [gone, function.device])
    let state = try read(kernel)
    #expect(
      state.units.first?.scope == [
        .other("device@\(missing)"), .pci(PCIFunction(bus: 0, devfn: 8)),
      ])
    #expect(state.problems.count == 1)
  }

  @Test func devicesThatAreNoPCIFunctions() throws {
    let kernel = RemappingKernel(.g5c)
    let memory = kernel.kernel
    let named = memory.make("device", ["kobj.name": memory.string("INTC1234:00").rawValue])
    let initial = memory.make("device", ["init_name": memory.string("spi0").rawValue])
    let nameless = memory.make("device")
    kernel.addUnit(scope: [named, initial, nameless])
    #expect(
      try read(kernel).units.first?.scope == [
        .other("INTC1234:00"), .other("spi0"), .other("device@\(nameless.address)"),
      ])
  }

  @Test(
    arguments: [
      (3, 4, [3]), (254, 255, [254]), (254, 1, [254, 255, 0]), (4, 4, []), (256, 1, []),
      (-1, 1, []),
      // Behind 254, 255 and 0 stands one that is done, behind 3 as well.
      (254, 4, [3]), (3, 5, []), (254, 10, [6, 9]),
    ])
  func pendingInvalidations(_ tail: Int, _ head: Int, _ pending: [Int]) {
    var status = [UInt32](repeating: 0, count: 256)
    for slot in [254, 255, 0, 3, 6, 9] { status[slot] = 1 }
    for slot in [1, 4] { status[slot] = 2 }
    let queue = LinuxInvalidationQueue(
      base: nil, count: 256, descriptorSize: 16, freeHead: head, freeTail: tail, status: status)
    #expect(queue.pending == pending)
  }
}
