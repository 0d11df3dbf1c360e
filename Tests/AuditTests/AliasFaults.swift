// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import Audit

extension Fault {
  /// Source ids other than a device's own, and the domains of several devices.
  static let ofAliases: [Fault] = [
    Fault(
      "translation cache that is needed and off", ["device.cache-off warning"],
      "firmware says that the device needs its translation cache (SATC), which Linux enables in scalable"
        + " mode alone; its unit is in legacy mode"
    ) {
      $0.translationCaches = [
        .init(kind: .satc, segment: 0, required: true, devices: ["0000:00:02.0"])
      ]
    },
    Fault("translation caches as they should be", []) {
      $0.translationCaches = [
        .init(kind: .atsr, segment: 0, includeAll: true, devices: ["0000:00:02.0"]),
        .init(kind: .satc, segment: 0, required: false, devices: ["0000:00:02.0"]),
        .init(kind: .satc, segment: 0, required: true, devices: ["0000:40:00.0"]),
      ]
    },
    Fault(
      "alias without a context", ["device.alias-context error"],
      "requests of the device can arrive as 0000:00:1f.7, which has no present context entry; they"
        + " fault, although the device itself has a context"
    ) { $0.dropContexts(of: "0000:00:1f.7") },
    Fault(
      "alias of a bridge in scalable mode", ["device.alias-context error"],
      "requests of the device can arrive as 0000:41:00.0, which has no present context entry; they"
        + " fault, although the device itself has a context"
    ) { $0.device("0000:40:00.0") { $0.aliases = ["0000:41:00.0"] } },
    Fault(
      "alias that has a context and no PASID entry", ["device.alias-context error"],
      "requests of the device can arrive as 0000:00:1f.7, which has no present PASID entry for"
        + " requests without PASID; they fault, although the device itself has a context"
    ) {
      $0.context("0000:00:1f.7") {
        $0.pasid = nil
        $0.translation = .none
        $0.domainID = nil
        $0.table = nil
      }
    },
    Fault(
      "alias under the same id with another translation",
      ["device.alias-context error"],
      "requests of the device can arrive as 0000:00:1f.7, whose context has the same domain-id and"
        + " another table or translation type"
    ) {
      $0.context("0000:00:1f.7") {
        $0.translation = .passThrough
        $0.table = nil
      }
    },
    Fault("alias of a device that is not attached", []) {
      $0.device("0000:00:1f.2") { $0.domain = nil }
      $0.dropContexts(of: "0000:00:1f.7")
      $0.dropContexts(of: "0000:00:1f.2")
    },
    Fault("alias of a blocked device", []) {
      $0.device("0000:00:1f.2") { $0.domain = 0xffff_ffff_8260_1000 }
      $0.dropContexts(of: "0000:00:1f.7")
      $0.dropContexts(of: "0000:00:1f.2")
    },
    Fault("alias of a device without context", ["device.context-missing error"]) {
      $0.dropContexts(of: "0000:00:1f.7")
      $0.dropContexts(of: "0000:00:1f.2")
    },
    Fault("alias whose entry still is the previous kernel's", []) {
      $0.unit("dmar0") { $0.copiedContexts = ["0000:00:1f.7"] }
      $0.context("0000:00:1f.7") { $0.table = 0x12_0000 }
    },
    Fault(
      "alias without context, where a context table is unreadable",
      ["context.tables-unreadable warning"]
    ) {
      $0.dropContexts(of: "0000:00:1f.7")
      $0.observations = [
        Observation(
          .unreadable, unit: "dmar0", structure: Structure("context table"), detail: "gone",
          count: 1)
      ]
    },
    Fault("alias behind a VMD bridge", []) {
      $0.dropContexts(of: "0000:00:1f.2")
      $0.dropContexts(of: "0000:00:1f.7")
      $0.device("0000:00:1f.2") { $0.device = "10000:e1:00.0" }
    },
    Fault("alias on a unit that does not translate", ["unit.translation-off error"]) {
      $0.unit("dmar0") { $0.translationEnabled = false }
      $0.dropContexts(of: "0000:00:1f.7")
    },
    Fault("pass-through under an id that is in no allocator", []) {
      $0.unit("dmar1") {
        $0.domainIDs.used?.removeAll { $0 < 2 }
        $0.domainIDs.reserved = [0, 1]
      }
    },
    Fault(
      "pass-through under an id that a bitmap holds for free",
      ["context.domain-id-not-marked error"]
    ) { $0.unit("dmar1") { $0.domainIDs.used?.removeAll { $0 == 1 } } },
    // MARK: Pages of several groups
    Fault(
      "page that three groups may write, beside a range that reaches farther",
      ["domain.shared-page info", "domain.shared-page info", "domain.shared-page info"],
      "a page is writable through domain-id 5 and through domain-id 6; the first is at 0x700003000"
    ) {
      $0.share(pages: 8, at: 0x7_0000_0000, with: 5)
      $0.share(pages: 1, at: 0x7_0000_3000, with: 6)
      $0.addDomain(9, group: 9)
      $0.share(pages: 1, at: 0x7_0000_3000, with: 9)
    },
    Fault("neighbouring pages of three groups", []) {
      $0.share(pages: 3, at: 0x7_0000_0000, with: 5)
      $0.share(pages: 1, at: 0x7_0000_3000, with: 6)
      $0.addDomain(9, group: 9)
      $0.share(pages: 2, at: 0x7_0000_4000, with: 9)
    },
  ]
}

extension RemappingState {
  /// One more DMA domain of dmar0, with one device of a group of its own.
  fileprivate mutating func addDomain(_ id: UInt32, group: Int) {
    guard var domain = domains.first(where: { $0.unit == "dmar0" && $0.domainID == 6 }),
      var device = devices.first(where: { $0.domainID == 6 }),
      var context = contexts.first(where: { $0.device == "0000:00:1f.2" })
    else { return }
    let name: PCIFunction = "0000:00:1c.0"
    domain.domainID = id
    domain.devices = [.pci(name)]
    domain.kernelObject = 0xffff_8881_0900_0000
    domain.table = 0x190_0000
    domain.mapping = Mapping(leaves: 0, bytes: 0, runs: [])
    domain.iova = IOVASpace(allocated: [], unallocated: [])
    domains.append(domain)
    device.device = .pci(name)
    device.domainID = id
    device.aliases = []
    device.reservedRegions = []
    device.group = group
    device.domain = domain.kernelObject
    devices.append(device)
    context.device = name
    context.domainID = id
    context.table = domain.table
    contexts.append(context)
    unit("dmar0") { $0.domainIDs.used?.append(id) }
  }

  /// Maps pages at an I/O virtual address that nothing else has, and allocates it.
  fileprivate mutating func share(pages: UInt64, at physical: PhysicalAddress, with id: UInt32) {
    domain("dmar0", id) { domain in
      let iova: IOVirtualAddress = 0xe000_0000
      domain.mapping?.runs.append(
        Run(iova: iova, length: HexWord(pages << 12), physical: physical, access: .readWrite))
      domain.mapping?.runs.sort { $0.iova < $1.iova }
      domain.iova?.allocated.append(
        IOVARange(
          start: iova, end: IOVirtualAddress(iova.rawValue + pages << 12 - 1), state: .live))
      domain.iova?.allocated.sort { $0.start < $1.start }
    }
  }
}

/// Which pairs are named, one by one.
struct SharedPageTests {
  @Test func everyPairOfThree() throws {
    var state = RemappingState.sample
    let fault = try #require(Fault.ofAliases.first { $0.name.contains("three groups may write") })
    fault.plant(&state)
    #expect(
      SharedWritablePage().check(state).map(\.message)
        == [[5, 6], [5, 9], [6, 9]].map {
          "a page is writable through domain-id \($0[0]) and through domain-id \($0[1]); the first is at"
            + " 0x700003000"
        })
  }
}
