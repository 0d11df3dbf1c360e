// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import LinuxIOMMU
import Memory
import RemappingState
import Testing

struct PCITests {
  /// What the bridge between bus 0 and bus 1 is.
  struct Bridge: Sendable {
    var values: [String: UInt64]
    var aliases: [PCIFunction]
  }

  private static func pcie(_ type: UInt64, flags: UInt64 = 0) -> [String: UInt64] {
    ["pcie_cap": 0x40, "pcie_flags_reg": type << 4 | 2, "dev_flags": flags]
  }

  private static let secondary = PCIFunction(bus: 1, devfn: 0)
  private static let bridge = PCIFunction(bus: 0, devfn: 0xe0)

  /// Every case of `pci_for_each_dma_alias`, drivers/pci/search.c.
  @Test(arguments: [
    Bridge(values: pcie(4), aliases: []), Bridge(values: pcie(5), aliases: []),
    Bridge(values: pcie(6), aliases: []), Bridge(values: pcie(7), aliases: [secondary]),
    Bridge(values: pcie(7, flags: 1 << 14), aliases: []),
    Bridge(values: pcie(8), aliases: [bridge]), Bridge(values: pcie(9), aliases: []),
    Bridge(values: [:], aliases: [bridge]),
    Bridge(values: ["dev_flags": 1 << 5], aliases: [secondary]),
    Bridge(values: ["dev_flags": 1 << 9], aliases: []),
  ])
  func aliasesOfTheBridge(_ bridge: Bridge) throws {
    let kernel = RemappingKernel(.g5c)
    let root = kernel.addBus(0)
    let leader = kernel.addFunction(root, 0xe0, bridge.values)
    kernel.addFunction(kernel.addBus(1, under: root, bridge: leader), 0x18)
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.devices.last?.aliases == bridge.aliases)
    #expect(state.devices.first?.aliases == [])
  }

  @Test func translationRootEndsTheWalkUp() throws {
    let kernel = RemappingKernel(.g5c)
    let root = kernel.addBus(0)
    let outer = kernel.addFunction(root, 0x08, ["dev_flags": 1 << 9])
    let middle = kernel.addBus(1, under: root, bridge: outer)
    let inner = kernel.addFunction(middle, 0x10)
    kernel.addFunction(kernel.addBus(2, under: middle, bridge: inner), 0)
    kernel.finish()
    let device = try #require(LinuxIOMMU(reading: kernel.kernel.image()).devices.last)
    #expect(device.bridges == [PCIFunction(bus: 1, devfn: 0x10), PCIFunction(bus: 0, devfn: 8)])
    #expect(device.aliases == [PCIFunction(bus: 1, devfn: 0x10)])
  }

  @Test func ownAliasesAsAMask() throws {
    let kernel = RemappingKernel(.g5c)
    let mask = kernel.kernel.bitmap([0x10, 0x11, 0xff], count: 256)
    kernel.addFunction(kernel.addBus(3), 0x10, ["dma_alias_mask": mask.rawValue])
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(
      state.devices.first?.aliases == [
        PCIFunction(bus: 3, devfn: 0x11), PCIFunction(bus: 3, devfn: 0xff),
      ])
  }

  @Test(arguments: [true, false])
  func oneAliasOfOlderKernels(_ isFlagged: Bool) throws {
    let kernel = RemappingKernel(.g1)
    kernel.addFunction(
      kernel.addBus(3), 0x10,
      ["dma_alias_devfn": 0x20, "dev_flags": isFlagged ? 1 << 4 : 0])
    kernel.finish()
    #expect(
      try LinuxIOMMU(reading: kernel.kernel.image()).devices.first?.aliases
        == (isFlagged ? [PCIFunction(bus: 3, devfn: 0x20)] : []))
  }

  @Test func flagsAreTheTypesOwn() throws {
    let kernel = RemappingKernel(.g5c)
    kernel.kernel.types.enumerators["PCI_DEV_FLAG_PCIE_BRIDGE_ALIAS"] = 1 << 7
    let root = kernel.addBus(0)
    let leader = kernel.addFunction(root, 0xe0, ["dev_flags": 1 << 7])
    kernel.addFunction(kernel.addBus(1, under: root, bridge: leader), 0x18)
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.devices.last?.aliases == [Self.secondary])
  }

  @Test func segmentsAndVirtualBuses() throws {
    let kernel = RemappingKernel(.g5c)
    kernel.addFunction(kernel.addBus(0xe1, segment: 0x10000), 0)
    let root = kernel.addBus(0)
    // A bus of virtual functions has no bridge of its own.
    kernel.addFunction(kernel.addBus(1, under: root), 0x80)
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.problems.isEmpty)
    #expect(state.devices.map(\.name.description) == ["0000:01:10.0", "10000:e1:00.0"])
    #expect(state.devices.first?.bridges == [])
  }

  @Test func busesInACircle() throws {
    let kernel = RemappingKernel(.g5c)
    let root = kernel.addBus(0)
    let child = kernel.addBus(1, under: root)
    kernel.addFunction(child, 8)
    kernel.finish()
    kernel.kernel.link([root.object.address(of: "node")], at: child.object.address(of: "children"))
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.devices.contains { $0.name == .pci(PCIFunction(bus: 1, devfn: 8)) })
    #expect(state.problems.contains { $0.structure == .buses })
  }

  @Test func pathDeeperThanBusesCanBe() throws {
    let kernel = RemappingKernel(.g5c)
    var bus = kernel.addBus(0)
    for number in 1...600 {
      let bridge = kernel.addFunction(bus, 8, Self.pcie(4))
      bus = kernel.addBus(UInt8(truncatingIfNeeded: number), under: bus, bridge: bridge)
    }
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.devices.count == 256)
    #expect(state.problems.contains { $0.structure == .buses })
  }

  @Test func absentBusLeavesTheOthers() throws {
    let kernel = RemappingKernel(.g5c)
    let missing = kernel.kernel.allocatePage()
    let root = kernel.addBus(0)
    kernel.addFunction(root, 8)
    kernel.finish()
    let link = KernelAddress(missing.rawValue)
    kernel.kernel.link([link], at: root.object.address(of: "children"))
    kernel.kernel.setAbsence(.excluded, at: missing)
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.devices.count == 1)
    #expect(state.problems.first?.absence == .excluded)
  }

  @Test func windowsAtBothEnds() throws {
    let kernel = RemappingKernel(.g5c)
    let bus = kernel.addBus(0)
    kernel.setWindows(of: bus, [0...0xf_ffff, 0xffff_f000...UInt64.max])
    kernel.finish()
    #expect(
      try LinuxIOMMU(reading: kernel.kernel.image()).hostBridgeWindows
        == [0...0xf_ffff, 0xffff_f000...UInt64.max])
  }
}
