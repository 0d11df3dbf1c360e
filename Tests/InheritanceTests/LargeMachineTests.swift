// SPDX-License-Identifier: Apache-2.0

import Foundation
import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import TableFixtures
import Testing
import VTd

/// What a forecast of every policy costs on a machine of 64 units and 4,096 devices with 64 GiB mapped
/// in 4 KiB pages, in buffers of 64 KiB. Prints time and memory and judges neither.
///
///     INHERIT_LARGE=1 swift test -c release -Xswiftc -enable-testing --filter LargeMachine
struct LargeMachineTests {
  private static let units = 64
  private static let devicesPerUnit = 64

  @Test(.enabled(if: environmentNumber("INHERIT_LARGE", default: 0) != 0))
  func everyPolicy() throws {
    let clock = ContinuousClock()
    let memory = PageMemory()
    var state = RemappingState(dump: DumpSummary(file: "large", format: "synthetic"))
    let capabilities = LegacyMachine.capabilities
    var next: UInt64 = 0x1000_0000
    func page(_ words: [Int: UInt64]) -> UInt64 {
      defer { next += 4096 }
      memory.add(next >> 12, words)
      return next
    }
    var physical: UInt64 = 1 << 36
    let built = clock.measure {
      for unit in 0..<Self.units {
        var contexts: [Int: UInt64] = [:]
        for device in 0..<Self.devicesPerUnit {
          var second: [Int: UInt64] = [:]
          for table in 0..<8 {
            var words: [Int: UInt64] = [:]
            for entry in 0..<512 {
              // Sixteen pages in a row, then a gap.
              if entry % 16 == 0 { physical += 0x10_0000 }
              words[entry] = physical + UInt64(entry % 16) << 12 | 3
            }
            second[table] = page(words) | 3
          }
          let top = page([0: page([3: page(second) | 3]) | 3])
          contexts[device * 8] = top | 1
          contexts[device * 8 + 1] = UInt64(device + 2) << 8 | 2
        }
        let root = page([0: page(contexts) | 1])
        state.units.append(
          Unit(
            name: "dmar\(unit)", segment: UInt32(unit), registerBase: 0xfed9_0000,
            capability: HexWord(capabilities.capability.rawValue),
            extendedCapability: HexWord(capabilities.extendedCapability.rawValue),
            tableMode: .legacy, translationEnabled: true, interruptRemappingEnabled: true,
            rootTable: PhysicalAddress(root), rootFrom: .kernel,
            domainIDs: DomainIDs(supported: 256, used: [0])))
      }
    }
    var runs = 0
    var leaves = 0
    let walked = clock.measure {
      for unit in state.units {
        let reading = TranslationTables(
          memory: memory, rootTable: unit.rootTable ?? 0, mode: .legacy, capabilities: capabilities
        ).read()
        for path in reading.paths {
          guard let space = path.addressSpace else { continue }
          let device = PCIFunction(segment: unit.segment, bus: path.bus, devfn: path.devfn)
          var collector = RunCollector()
          PageTableWalk(memory: memory, space: space, unit: capabilities).run(&collector)
          runs += collector.runs.count
          leaves += collector.leaves
          state.contexts.append(
            Context(
              unit: unit.name, device: device, pasid: nil, translation: .secondStage,
              domainID: path.domainID.map(UInt32.init), levels: path.levels, table: path.table,
              faultProcessingDisabled: false, raw: path.words.map { HexWord($0) },
              entry: path.entry))
          state.domains.append(
            Domain(
              unit: unit.name, domainID: path.domainID.map(UInt32.init), type: .dma,
              stage: .second, table: path.table, levels: path.levels, devices: [.pci(device)],
              inFlight: true,
              mapping: Mapping(
                leaves: collector.leaves, bytes: collector.bytes,
                runs: collector.runs.map {
                  Run(
                    iova: $0.iova, length: HexWord($0.length), physical: $0.physical,
                    access: .readWrite)
                })))
          state.devices.append(Device(device: .pci(device), unit: unit.name, driver: "driver"))
        }
      }
    }
    let before = Self.peak()
    let facts = MachineFacts(
      reservations: [.init(kind: .main, range: 0x1000_0000...0x1fff_ffff)],
      memoryFrames: [0..<1 << 28], traits: CrashKernelTraits(variant: .v2b))
    var forecaster: Forecaster?
    let prepared = clock.measure {
      forecaster = Forecaster(state, memory: memory, facts: facts)
    }
    print("large machine: \(leaves) leaves, \(runs) runs, \(state.devices.count) devices")
    print("built in \(built), walked in \(walked), peak \(before) KiB; prepared in \(prepared)")
    let made = try #require(forecaster)
    for policy in Policy.allCases {
      var forecast: PolicyForecast?
      let time = clock.measure { forecast = made.run(policy).forecast }
      let identical = forecast?.units.allSatisfy { $0.proof?.identical ?? true } ?? false
      #expect(identical)
      print(
        "\(policy.rawValue): \(time), tables \(forecast?.memory.bytes ?? 0) bytes, "
          + "peak \(Self.peak()) KiB")
    }
    #expect(leaves == 64 << 18)
  }

  /// The largest resident size so far.
  private static func peak() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return line.split(separator: " ").compactMap { Int($0) }.first ?? 0
  }
}

/// Memory of finished pages.
private final class PageMemory: PhysicalMemory, @unchecked Sendable {
  // Filled before anything reads.
  private var pages: [UInt64: Page] = [:]

  func add(_ frame: UInt64, _ words: [Int: UInt64]) {
    var bytes = [UInt8](repeating: 0, count: Page.size)
    for (index, word) in words {
      for byte in 0..<8 {
        bytes[index * 8 + byte] = UInt8(truncatingIfNeeded: word >> UInt64(byte * 8))
      }
    }
    pages[frame] = Page(bytes)
  }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    guard let page = pages[frame] else {
      throw MemoryError(at: PhysicalAddress(frame << 12), .notInDump)
    }
    return page
  }

  func absence(_ frame: UInt64) -> Absence? { pages[frame] == nil ? .notInDump : nil }

  var memoryFrames: [Range<UInt64>] { [0..<1 << 28] }
}
