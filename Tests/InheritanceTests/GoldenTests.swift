// SPDX-License-Identifier: Apache-2.0

import Foundation
import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import TableCopy
import TableFixtures
import Testing
import VTd

/// Words that real crash kernels wrote, predicted bit for bit from the tables that they found.
///
/// `Golden/README.md` tells where the words come from.
struct GoldenTests {
  static let files = [
    "5.10-rmrr", "6.1-rmrr", "6.1-pass-through", "7.3-rmrr", "7.3-scalable",
  ]

  private struct Golden {
    var fields: [String: [String]] = [:]
    var entries: [(bus: UInt64, half: UInt64, old: UInt64, new: UInt64)] = []
    var contexts: [(device: PCIFunction, old: [UInt64], new: [UInt64])] = []

    init(_ name: String) throws {
      let folder = URL(filePath: #filePath).deletingLastPathComponent()
      let text = try String(
        contentsOf: folder.appending(path: "Golden/\(name).txt"), encoding: .utf8)
      func words(_ list: Substring) -> [UInt64] {
        list.split(separator: ",").compactMap { UInt64(hexadecimal: $0) }
      }
      for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        let parts = line.split(separator: " ")
        switch parts[0] {
        case "entry":
          entries.append(
            (
              try #require(UInt64(parts[1])), parts[2] == "upper" ? 1 : 0,
              try #require(words(parts[3]).first), try #require(words(parts[4]).first)
            ))
        case "context":
          contexts.append((try #require(PCIFunction(parts[1])), words(parts[2]), words(parts[3])))
        default: fields[String(parts[0])] = parts.dropFirst().map(String.init)
        }
      }
    }

    func number(_ name: String, _ index: Int = 0) throws -> UInt64 {
      let text = try #require(fields[name]?[index])
      return try #require(UInt64(hexadecimal: text) ?? UInt64(text))
    }
  }

  @Test(arguments: files) func realCopiesAreForetold(_ name: String) throws {
    let golden = try Golden(name)
    let isScalable = golden.fields["mode"] == ["scalable"]
    let memory = SyntheticMemory()
    let oldRoot = try golden.number("root")
    memory.addPage(oldRoot)
    var tables: [UInt64: UInt64] = [:]
    for entry in golden.entries where entry.old & 1 != 0 {
      memory[oldRoot + entry.bus * 16 + entry.half * 8] = entry.old
      memory.addPage(entry.old & ~0xfff)
      tables[entry.bus << 1 | entry.half] = entry.old & ~0xfff
    }
    for context in golden.contexts {
      let half = isScalable ? UInt64(context.device.devfn >> 7) : 0
      let table = try #require(tables[UInt64(context.device.bus) << 1 | half])
      let slot = UInt64(isScalable ? context.device.devfn & 0x7f : context.device.devfn)
      for (index, word) in context.old.enumerated() {
        memory[table + slot * UInt64(context.old.count * 8) + UInt64(index) * 8] = word
      }
    }
    let capability = try golden.number("capability")
    let features = try golden.number("extendedCapability")
    let ids = try (golden.fields["pasidDomainIDs"]?[0] ?? "").split(separator: ",").map {
      try #require(UInt32($0))
    }
    let isV1 = golden.fields["variant"] == ["v1"]
    let hasIDA = golden.fields["kernel"]?[0].hasPrefix("7.") == true
    // In the crashed kernels of 6.1, id 1 was taken without a user.
    let used: [UInt32] = isV1 || hasIDA ? [0] : [0, 1]
    var state = RemappingState(dump: DumpSummary(file: name, format: "kdump"))
    state.units = [
      Unit(
        name: "dmar0", segment: 0, registerBase: 0xfed9_0000, capability: HexWord(capability),
        extendedCapability: HexWord(features), tableMode: isScalable ? .scalable : .legacy,
        translationEnabled: true, rootTable: PhysicalAddress(oldRoot), rootFrom: .kernel,
        domainIDs: DomainIDs(supported: 65536, used: used))
    ]
    state.contexts = golden.contexts.enumerated().map { index, context in
      Context(
        unit: "dmar0", device: context.device, pasid: isScalable ? 0 : nil,
        translation: .secondStage,
        domainID: isScalable
          ? ids[index % ids.count] : UInt32(truncatingIfNeeded: context.old[1] >> 8 & 0xffff),
        levels: 4, table: nil, faultProcessingDisabled: false, raw: [], entry: 0)
    }
    var facts = MachineFacts(
      traits: CrashKernelTraits(
        variant: try #require(CopyVariant(rawValue: golden.fields["variant"]?[0] ?? "")),
        allocatesIDsFromTwo: hasIDA))
    facts.memoryFrames = [0..<0x30000]
    let run = Forecaster(state, memory: memory, facts: facts).run(.linux)
    let unit = try #require(run.forecast.units.first)
    #expect(unit.outcome == .copied)

    // Every word, modulo the pages that only the crash kernel could know.
    var pages: [UInt64: UInt64] = [:]
    var compared = 0
    func agrees(_ word: ForecastWord, _ real: UInt64) -> Bool {
      compared += 1
      guard case .arena(let offset) = word else { return word == .exact(real) }
      guard offset & 0xfff == real & 0xfff else { return false }
      return pages.updateValue(real >> 12, forKey: offset >> 12).map { $0 == real >> 12 } ?? true
    }
    #expect(unit.roots.count == golden.entries.count)
    for (row, entry) in zip(unit.roots, golden.entries) {
      #expect(UInt64(row.bus) == entry.bus)
      #expect(row.old.rawValue == entry.old)
      #expect(agrees(row.new, entry.new), "bus \(entry.bus)")
    }
    #expect(unit.contexts.map(\.device) == golden.contexts.map(\.device))
    for (row, context) in zip(unit.contexts, golden.contexts) {
      #expect(row.old?.map(\.rawValue) == context.old)
      let new = try #require(row.new)
      #expect(new.count == context.new.count)
      for (word, real) in zip(new, context.new) {
        #expect(agrees(word, real), "\(context.device)")
      }
    }
    #expect(Set(pages.values).count == pages.count)
    #expect(
      compared
        == golden.entries.count + golden.contexts.reduce(0) { $0 + $1.new.count })

    // The crash kernel's own account.
    #expect(UInt64(unit.domainIDs.reserved.count) == (try golden.number("domainsUsed")))
    #expect(unit.domainIDs.firstFree.map(UInt64.init) == (try golden.number("firstFree")))
    #expect(unit.domainIDs.lost == ids)
  }
}
