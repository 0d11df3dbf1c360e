// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import TableCopy
import TableFixtures
import VTd

/// A machine of one legacy unit whose tables are real, with the state that a reader would make of it.
///
///     RAM 0…0x7fffffff, crash kernel in 0x40000000…0x4fffffff, kernel text 0x1000000…0x1ffffff
///     00:01.0  nvme    in flight, far from 4 GiB
///     00:02.0  e1000e  in flight, right below 4 GiB
///     00:03.0  -       in flight, no driver
///     00:04.0  pt      pass-through
///     00:05.0  new     no context
///     00:06.0  usb     nothing but its firmware region at 0xf0000
///     01:00.0  nvme    in flight, behind the port 00:1c.0
struct Machine {
  var tables = LegacyMachine()
  var state: RemappingState
  var facts: MachineFacts

  static let crash: ClosedRange<UInt64> = 0x4000_0000...0x4fff_ffff

  init(mode: TableMode = .legacy) {
    state = RemappingState(dump: DumpSummary(file: "machine", format: "elf"))
    facts = MachineFacts(
      reservations: [.init(kind: .main, range: Self.crash)], kernelText: 0x100_0000...0x1ff_ffff,
      memoryFrames: [0..<0x8_0000], traits: CrashKernelTraits(variant: .v2b),
      bridges: ["0000:01:00.0": ["0000:00:1c.0"]])
    for (bus, devfn, iova, physical) in [
      (0, 0x08, 0x1000_0000, 0x2000_0000), (0, 0x10, 0xffff_0000, 0x2100_0000),
      (0, 0x18, 0x1000_0000, 0x2200_0000), (0, 0x30, 0xf_0000, 0xf_0000),
      (1, 0x00, 0x1000_0000, 0x2300_0000),
    ] as [(UInt64, UInt64, UInt64, UInt64)] {
      let top = tables.page()
      for page: UInt64 in 0..<16 {
        tables.map(iova + page << 12, to: physical + page << 12, in: top)
      }
      tables.context(bus: bus, devfn: devfn, table: top, domainID: 2 + devfn >> 3 + bus * 10)
    }
    tables.context(devfn: 0x20, table: 0, domainID: 40, low: 0b1001)
    state.devices = [
      device("0000:00:01.0", "nvme"), device("0000:00:02.0", "e1000e"),
      device("0000:00:03.0", nil), device("0000:00:04.0", "pt"), device("0000:00:05.0", "new"),
      device("0000:00:06.0", "usb", firmware: true), device("0000:01:00.0", "nvme"),
    ]
    refresh()
  }

  private func device(_ name: DeviceName, _ driver: String?, firmware: Bool = false) -> Device {
    Device(
      device: name, unit: "dmar0",
      reservedRegions: firmware
        ? [DeviceRegion(kind: .rmrr, base: 0xf_0000, end: 0xf_ffff, mapped: .identity)] : [],
      driver: driver)
  }

  /// Reads the tables anew into the state, after a test has changed them.
  mutating func refresh() {
    let capabilities = LegacyMachine.capabilities
    state.units = [
      Unit(
        name: "dmar0", segment: 0, registerBase: 0xfed9_0000,
        capability: HexWord(capabilities.capability.rawValue),
        extendedCapability: HexWord(capabilities.extendedCapability.rawValue),
        tableMode: .legacy, translationEnabled: true, interruptRemappingEnabled: true,
        rootTable: 0x1000, rootFrom: .kernel,
        domainIDs: DomainIDs(supported: 256, used: [0, 3, 4, 5, 8, 12, 40]),
        interruptRemapping: InterruptRemapping(table: nil, entries: 65536, present: 21))
    ]
    let reading = TranslationTables(
      memory: tables.memory, rootTable: PhysicalAddress(0x1000), mode: .legacy,
      capabilities: capabilities
    ).read()
    state.contexts = []
    state.domains = []
    for path in reading.paths {
      let device = PCIFunction(bus: path.bus, devfn: path.devfn)
      state.contexts.append(
        Context(
          unit: "dmar0", device: device, pasid: nil,
          translation: Translation(rawValue: path.kind.rawValue) ?? .none,
          domainID: path.domainID.map(UInt32.init), levels: path.levels, table: path.table,
          faultProcessingDisabled: false, raw: path.words.map { HexWord($0) }, entry: path.entry))
      guard let space = path.addressSpace else { continue }
      var collector = RunCollector()
      PageTableWalk(memory: tables.memory, space: space, unit: capabilities).run(&collector)
      let isFirmware = path.devfn == 0x30
      state.domains.append(
        Domain(
          unit: "dmar0", domainID: path.domainID.map(UInt32.init), type: .dma, stage: .second,
          table: path.table, levels: path.levels, devices: [.pci(device)], inFlight: !isFirmware,
          mapping: Mapping(
            leaves: collector.leaves, bytes: collector.bytes,
            runs: collector.runs.map {
              Run(
                iova: $0.iova, length: HexWord($0.length), physical: $0.physical,
                access: $0.access == .all ? .readWrite : $0.access == .read ? .read : .write)
            })))
    }
  }

  /// Opens a device through VFIO, in a domain of iommufd's.
  mutating func give(_ name: DeviceName, toVFIO driver: String?) {
    for index in state.devices.indices where state.devices[index].device == name {
      state.devices[index].driver = driver
      let object = state.devices[index].domain
      for row in state.domains.indices where state.domains[row].kernelObject == object {
        state.domains[row].type = .unmanaged
      }
    }
  }

  func forecaster(
    _ options: ForecastOptions = ForecastOptions(), errors: Set<DeviceName> = []
  ) -> Forecaster {
    Forecaster(state, memory: tables.memory, facts: facts, options: options, errors: errors)
  }
}

extension PolicyForecast {
  subscript(_ device: DeviceName) -> DeviceForecast? { devices.first { $0.device == device } }
}
