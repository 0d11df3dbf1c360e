// SPDX-License-Identifier: Apache-2.0

import Audit
import DumpFixtures
import Inheritance
import KernelFixtures
import MachineFixtures
import Memory
import MemoryFixtures
import RemappingState
import Testing
import Translation

/// Random machines of every generation, as whole dumps: what is said of them is what was built.
///
/// `MACHINE_CASES` sets the number of machines for each generation, `MACHINE_SEED` which they are;
/// `make machines` tries many that nobody has seen.
struct RandomMachineTests {
  private static let cases = environmentNumber("MACHINE_CASES", default: 4)
  private static let seed = UInt64(environmentNumber("MACHINE_SEED", default: 1))

  @Test(arguments: KernelVariant.all)
  func areReportedAsTheyWereBuilt(_ variant: KernelVariant) throws {
    var random = SeededGenerator(seed: Self.seed)
    print("random machines: \(Self.cases) of \(variant), MACHINE_SEED=\(Self.seed)")
    for number in 0..<Self.cases {
      let machine = BuiltMachine(.random(variant, &random))
      // Every fourth as kdump.
      let run = try MachineRun(machine, number % 4 == 3 ? machine.kdump() : nil)
      let note = Comment("case \(number) of \(variant), MACHINE_SEED=\(Self.seed)")
      check(run, note)
      checkTranslations(run, &random, note)
      checkInheritance(run, variant, note)
    }
  }

  // MARK: Report

  private func check(_ run: MachineRun, _ note: Comment) {
    let state = run.state
    let truth = run.machine.truth
    let plan = run.machine.plan
    #expect(state.units.count == plan.units.count, note)
    for unit in state.units {
      #expect(unit.rootTable == truth.roots[unit.name], note)
      #expect(unit.translationEnabled == true, note)
    }
    #expect(
      Set(state.units.map { [$0.name, "\($0.segment)", $0.tableMode.rawValue] })
        == Set(
          plan.units.indices.map {
            [
              run.machine.name(ofUnit: $0), "\(plan.units[$0].segment)",
              plan.units[$0].mode.rawValue,
            ]
          }), note)
    let rows = state.contexts.map {
      MachineTruth.ContextRow(
        unit: $0.unit, device: $0.device, pasid: $0.pasid, translation: $0.translation,
        domainID: $0.domainID ?? .max, levels: $0.levels, table: $0.table)
    }
    #expect(Set(rows) == Set(truth.contexts) && rows.count == truth.contexts.count, note)
    checkDomains(run, note)
    checkDevices(run, note)
    #expect(Audit.findings(of: state).map { "\($0.rule): \($0.message)" } == [], note)
  }

  private func checkDomains(_ run: MachineRun, _ note: Comment) {
    let used = run.state.domains.filter { !$0.devices.isEmpty }
    for row in run.machine.truth.domains {
      let found = used.filter {
        $0.unit == row.unit && $0.domainID == row.domainID && $0.table == row.table
      }
      // Pass-through domains of one unit share an id and have no table.
      guard row.kind != .identity else {
        #expect(found.allSatisfy { $0.mapping == nil }, note)
        continue
      }
      #expect(found.count == 1, note)
      guard let domain = found.first else { continue }
      let runs = domain.mapping?.runs.map {
        MachineTruth.RunRow(
          iova: $0.iova.rawValue, bytes: $0.length.rawValue, physical: $0.physical.rawValue,
          access: ($0.access == .read ? 1 : $0.access == .write ? 2 : 3))
      }
      #expect(runs == row.runs, note)
      if row.kind != .nested { #expect(domain.mapping?.leaves == row.leaves, note) }
      guard Self.isReachable(row, in: run.machine) else {
        // Nothing leads from the unit or its devices to the kernel's object.
        #expect(domain.type == .unknown && domain.kernelObject == nil, note)
        continue
      }
      if run.machine.plan.variant.embedsDomain {
        #expect(domain.type == Self.type(row.kind), note)
        #expect(domain.kernelObject == row.kernelObject, note)
      }
    }
  }

  /// Older kernels know a device's own domain and, up to 5.15, a table by id; nothing by PASID.
  private static func isReachable(
    _ row: MachineTruth.DomainRow, in machine: BuiltMachine
  ) -> Bool {
    let variant = machine.plan.variant
    if variant.pasids != .none || variant.domainTable != .none { return true }
    return machine.plan.devices.contains {
      $0.domain.map { machine.domains[$0].address } == row.kernelObject
    }
  }

  private static func type(_ kind: MachinePlan.Kind) -> DomainType {
    switch kind {
    case .dma: .dma
    case .dmaFQ: .dmaFQ
    case .identity: .identity
    case .unmanaged: .unmanaged
    case .nested: .nested
    }
  }

  private func checkDevices(_ run: MachineRun, _ note: Comment) {
    let plan = run.machine.plan
    for device in plan.devices {
      let row = run.state.devices.first { $0.device == device.name }
      #expect(row != nil, note)
      guard let row else { continue }
      #expect(row.unit == run.machine.name(ofUnit: device.unit), note)
      #expect(row.driver == device.driver, note)
      #expect(row.group == Int(device.group), note)
      #expect(row.domain == device.domain.map { run.machine.domains[$0].address }, note)
      #expect(row.requesters == [device.function], note)
    }
    for (index, region) in plan.regions.enumerated() {
      let row = run.state.reservedRegions.first {
        $0.kind == .rmrr && $0.base.rawValue == region.range.lowerBound
      }
      #expect(row?.end.rawValue == region.range.upperBound, note)
      #expect(row?.devices == region.devices.map { plan.devices[$0].name }, note)
      #expect(row?.mapped == .identity, "region \(index), \(note)")
    }
    let kinds = plan.caches.map(\.kind)
    #expect(
      run.state.translationCaches.map(\.kind)
        == kinds.filter { $0 == .atsr } + kinds.filter { $0 != .atsr }, note)
    #expect(
      Set(run.state.translationCaches.flatMap(\.devices))
        == Set(plan.caches.flatMap(\.devices).map { plan.devices[$0].name }), note)
  }

  // MARK: Translate

  private func checkTranslations(
    _ run: MachineRun, _ random: inout SeededGenerator, _ note: Comment
  ) {
    let translator = Translator(run.evidence)
    for device in run.machine.plan.devices {
      guard let domain = device.domain else { continue }
      let entries =
        [(nil as UInt32?, domain)]
        + device.pasids.sorted { $0.key < $1.key }.map { (UInt32?($0.key), $0.value) }
      for (pasid, domain) in entries
      where run.machine.plan.domains[domain].kind != .identity {
        let mappings = run.machine.mappings[domain]
        var addresses = (0..<3).map { _ in random.next() & 0xffff_ffff_f000 }
        for mapping in mappings {
          addresses.append(mapping.iova + random.next() % mapping.bytes)
          addresses.append(mapping.iova &- 1)
          addresses.append(mapping.iova + mapping.bytes)
        }
        for address in addresses where address >> 20 != 0xfee && address >> 47 == 0 {
          let answer = translator.translate(
            device.function, pasid: pasid, iova: IOVirtualAddress(address))
          let wanted = MachineTruth.target(of: address, in: mappings)
          #expect(
            answer.physical?.rawValue == wanted?.physical,
            "\(device.function) \(pasid.map(String.init) ?? "-") \(String(address, radix: 16)), \(note)"
          )
          if let wanted {
            #expect((answer.faultOnRead == nil) == (wanted.rights & 1 != 0), note)
            #expect((answer.faultOnWrite == nil) == (wanted.rights & 2 != 0), note)
          }
        }
      }
    }
  }

  // MARK: Inherit

  private func checkInheritance(
    _ run: MachineRun, _ variant: KernelVariant, _ note: Comment
  ) {
    let forecaster = run.forecaster()
    let adopted = forecaster.run(.adopt).forecast
    // Without the quirks of the copying code, which have tests of their own.
    let copied = run.forecaster(ForecastOptions(strict: true)).run(.linux).forecast
    let full = forecaster.run(.fullCopy).forecast
    for (name, words) in run.machine.truth.words {
      guard let adopted = adopted.units.first(where: { $0.unit == name }),
        let copied = copied.units.first(where: { $0.unit == name }),
        let full = full.units.first(where: { $0.unit == name })
      else {
        Issue.record("no unit \(name), \(note)")
        continue
      }
      // Nothing changes, and every entry is told.
      #expect(adopted.outcome == .adopted, note)
      #expect(
        Dictionary(uniqueKeysWithValues: adopted.contexts.map { ($0.device, $0.old ?? []) })
          == words.mapValues { $0.map { HexWord($0) } }, note)
      for row in adopted.contexts {
        #expect(row.new == row.old?.map { ForecastWord.exact($0.rawValue) }, note)
      }
      #expect(full.proof?.identical == true, note)
      // Code since 6.1 copies present entries bit for bit.
      if variant.hasCopiedTables, copied.outcome == .copied, run.facts.traits.variant != .v1 {
        for row in copied.contexts {
          #expect(row.new == words[row.device]?.map(ForecastWord.exact), note)
        }
      }
    }
  }
}
