// SPDX-License-Identifier: Apache-2.0

import Evidence
import KernelFixtures
import LinuxIOMMU
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import Testing
import VTd

/// Which unit a request comes to, and what it is measured with there.
struct DumpEvidenceTests {
  private static func unit(
    _ name: String, segment: UInt32 = 0, root: PhysicalAddress? = 0x1000, includeAll: Bool? = false,
    scope: [DeviceName?] = []
  ) -> Unit {
    Unit(
      name: name, segment: segment, registerBase: 0xfed9_0000, capability: 0,
      extendedCapability: 0, tableMode: .legacy, rootTable: root, includeAll: includeAll,
      scope: scope)
  }

  private static func context(_ device: PCIFunction, on unit: String) -> Context {
    Context(
      unit: unit, device: device, pasid: nil, translation: .secondStage, domainID: 9, levels: 4,
      table: 0x5000, faultProcessingDisabled: false, raw: [], entry: 0)
  }

  private static func evidence(
    _ units: [Unit], contexts: [Context] = [], devices: [Device] = []
  ) -> DumpEvidence {
    var state = RemappingState(dump: DumpSummary(file: "d", format: "elf"))
    state.units = units
    state.contexts = contexts
    state.devices = devices
    return DumpEvidence(state: state, memory: SyntheticMemory())
  }

  /// Each row leaves out the best witness of the row before.
  @Test func `a request comes to the unit that the best witness names`() {
    let device: PCIFunction = "0000:03:00.0"
    let units = [
      Self.unit("general", includeAll: true), Self.unit("scoped", scope: [.pci(device)]),
      Self.unit("believed"), Self.unit("real"), Self.unit("elsewhere", segment: 1),
    ]
    let contexts = [Self.context(device, on: "real"), Self.context(device, on: "general")]
    let devices = [Device(device: .pci(device), unit: "believed")]
    func names(_ evidence: DumpEvidence) -> [String] { evidence.units(of: device).map(\.name) }
    // Of two contexts the first counts.
    #expect(names(Self.evidence(units, contexts: contexts, devices: devices)) == ["real"])
    #expect(names(Self.evidence(units, devices: devices)) == ["believed"])
    #expect(names(Self.evidence(units)) == ["scoped"])
    #expect(names(Self.evidence([units[0], units[2], units[4]])) == ["general"])
    #expect(names(Self.evidence([units[2], units[3], units[4]])) == ["believed", "real"])
    #expect(names(Self.evidence([units[4]])) == [])
    // A witness that names a unit which is not there is none.
    #expect(
      names(Self.evidence([units[1]], contexts: contexts, devices: devices)) == ["scoped"])
    // Without tables nothing can be asked there, whatever its scope.
    #expect(names(Self.evidence([Self.unit("bare", root: nil, scope: [.pci(device)])])) == [])
    // Where it is not known whether a unit is for all devices, it may be.
    #expect(names(Self.evidence([Self.unit("perhaps", includeAll: nil), units[2]])) == ["perhaps"])
  }

  @Test func `what a unit can do is unknown, or its own`() {
    var unit = Self.unit("dmar0")
    #expect(!unit.isHardwareKnown)
    #expect(unit.yardstick == .permissive)
    // Either register is enough.
    unit.extendedCapability = 0x40
    #expect(unit.isHardwareKnown)
    unit.extendedCapability = 0
    unit.capability = 0x2f_0000
    #expect(unit.yardstick.capability == Capability(0x2f_0000))
    #expect(unit.yardstick.hostAddressWidth == UnitCapabilities.widestHostAddress)
    unit.hostAddressWidth = 39
    #expect(unit.yardstick.hostAddressWidth == 39)
  }

  @Test func `tables are those of the unit, and none without a root`() throws {
    let evidence = Self.evidence([])
    #expect(evidence.tables(of: Self.unit("bare", root: nil)) == nil)
    let tables = try #require(evidence.tables(of: Self.unit("dmar0", root: 0x7000)))
    #expect(tables.rootTable == 0x7000)
    #expect(tables.mode == .legacy)
    #expect(tables.work === evidence.work)
  }

  @Test func `a path leads to its own row, and to a walk with the unit's rules`() throws {
    let memory = SyntheticMemory()
    for page: UInt64 in [0x1000, 0x2000, 0x5000] { memory.addPage(page) }
    memory[0x1000] = 0x2001
    // 00:02.0, four levels, domain-id 9; and 00:03.0, which passes through.
    memory[0x2000 + 0x10 * 16] = 0x5001
    memory[0x2000 + 0x10 * 16 + 8] = 9 << 8 | 2
    memory[0x2000 + 0x18 * 16] = 1 | 2 << 2
    memory[0x2000 + 0x18 * 16 + 8] = 1 << 8 | 2
    var unit = Self.unit("dmar0")
    var evidence = DumpEvidence(
      state: RemappingState(dump: DumpSummary(file: "d", format: "elf")), memory: memory)
    let paths = try #require(evidence.tables(of: unit)).read().paths
    #expect(paths.count == 2)
    #expect(evidence.walk(paths[1], unit: unit) == nil)
    #expect(try #require(evidence.walk(paths[0], unit: unit)).unit == nil)
    unit.capability = 0x2f_0000
    #expect(try #require(evidence.walk(paths[0], unit: unit)).unit == unit.yardstick)

    func domain(_ id: UInt32, _ table: PhysicalAddress, on unit: String = "dmar0") -> Domain {
      Domain(unit: unit, domainID: id, type: .dma, stage: .second, table: table, levels: 4)
    }
    // None of these is the one: another id, another table, another unit.
    evidence.state.domains = [
      domain(8, 0x5000), domain(9, 0x6000), domain(9, 0x5000, on: "dmar1"),
    ]
    #expect(evidence.domain(paths[0], unit: unit) == nil)
    // What is looked up follows the state.
    evidence.state.domains.append(domain(9, 0x5000))
    #expect(evidence.domain(paths[0], unit: unit) == evidence.state.domains[3])
  }

  /// Where remapping is off, no device of the kernel is among those of the state.
  @Test func `a device that remapping does not know is known to Linux`() throws {
    let kernel = RemappingKernel(.g6)
    kernel.addUnit()
    let bus = kernel.addBus(3)
    kernel.addFunction(bus, 0x08, driver: "nvme")
    kernel.addFunction(bus, 0x10)
    kernel.finish()
    let image = kernel.kernel.image()
    let structures = try LinuxIOMMU(reading: image)
    var evidence = Self.evidence([])
    #expect(evidence.knows("0000:03:01.0") == nil)
    evidence.kernel = KernelEvidence(image, structures)
    #expect(evidence.knows("0000:03:01.0") == true)
    #expect(evidence.driver(of: "0000:03:01.0") == "nvme")
    #expect(evidence.knows("0000:03:02.0") == true)
    #expect(evidence.driver(of: "0000:03:02.0") == nil)
    #expect(evidence.knows("0000:03:03.0") == false)
    // A gap in the tree may hide it.
    evidence.state.observations = [Observation(.unreadable, structure: .kernel(.bus))]
    #expect(evidence.knows("0000:03:01.0") == true)
    #expect(evidence.knows("0000:03:03.0") == nil)
    // The remapping code's own record comes first.
    evidence.state.observations = []
    evidence.state.devices = [Device(device: "0000:03:01.0", driver: "vfio-pci")]
    #expect(evidence.driver(of: "0000:03:01.0") == "vfio-pci")
  }

  /// A unit that does not translate often has no root table: its devices' requests come to it all the same.
  @Test func `a unit that does not translate is a device's`() throws {
    let device: PCIFunction = "0000:03:01.0"
    var off = Self.unit("off", root: nil, includeAll: true)
    off.translationEnabled = false
    var scoped = Self.unit("scoped off", root: nil, scope: [.pci(device)])
    scoped.translationEnabled = false
    let on = Self.unit("on", includeAll: nil)
    func names(_ units: [Unit]) -> [String] { Self.evidence(units).units(of: device).map(\.name) }
    #expect(names([off]) == ["off"])
    #expect(names([off, scoped]) == ["scoped off"])
    #expect(names([on, scoped]) == ["scoped off"])
    // One that translates comes first where no scope tells.
    #expect(names([off, on]) == ["on"])
    #expect(names([Self.unit("without a root", root: nil, includeAll: true)]).isEmpty)

    let kernel = RemappingKernel(.g6)
    kernel.addUnit()
    let bus = kernel.addBus(3)
    for devfn: UInt8 in [0x10, 0x08] { kernel.addFunction(bus, devfn) }
    kernel.finish()
    let image = kernel.kernel.image()
    var evidence = Self.evidence([off, on, scoped])
    #expect(evidence.untranslatedFunctions.isEmpty)
    evidence.kernel = KernelEvidence(image, try LinuxIOMMU(reading: image))
    #expect(evidence.untranslatedFunctions == ["scoped off": [device]])
    evidence.state.units = [off]
    #expect(evidence.untranslatedFunctions == ["off": [device, "0000:03:02.0"]])
    evidence.state.devices = [Device(device: "0000:03:02.0", unit: "off")]
    #expect(evidence.untranslatedFunctions == ["off": [device]])
    evidence.state.units = [on]
    #expect(evidence.untranslatedFunctions.isEmpty)
    // Without a unit all of them are, whatever remapping knows of them.
    evidence.state.units = []
    evidence.state.dump.typesFrom = "btf"
    #expect(evidence.untranslatedFunctions == [nil: [device, "0000:03:02.0"]])
  }

  @Test func `a cut is told once`() {
    let work = WorkBudget()
    work.cut(.entries, "the walk of domain-id 9", unit: "dmar0")
    var state = RemappingState(dump: DumpSummary(file: "d", format: "elf"))
    state.cuts = work.cuts
    let evidence = DumpEvidence(state: state, memory: SyntheticMemory(), work: work)
    #expect(evidence.cuts == work.cuts)
    work.cut(.runs, "the listing of trace events")
    #expect(evidence.cuts == work.cuts)
    #expect(evidence.cuts.count == 2)
  }
}
