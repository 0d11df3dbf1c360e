// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import RemappingState
import StateFixtures
import TableFixtures
import Testing

/// The rules of a live update and the invariants of an adoption, on the machine of `Machine`.
struct LiveUpdateTests {
  /// The machine with a domain object behind each device, as the kernel has them.
  private func machine(_ change: (inout Machine) -> Void = { _ in }) -> Machine {
    var machine = Machine()
    for index in machine.state.domains.indices {
      machine.state.domains[index].kernelObject = KernelAddress(
        0xffff_8880_0000_0000 + UInt64(index) << 12)
    }
    for index in machine.state.devices.indices {
      let name = machine.state.devices[index].device
      machine.state.devices[index].domain =
        machine.state.domains.first { $0.devices.contains(name) }?.kernelObject
    }
    change(&machine)
    return machine
  }

  /// The machine with some devices open through vfio-pci, in domains of iommufd's.
  private func machine(
    owning names: [DeviceName], _ change: (inout Machine) -> Void
  ) -> Machine {
    machine {
      for name in names { $0.give(name, toVFIO: "vfio-pci") }
      change(&$0)
    }
  }

  /// What was asked for is VFIO's, unless `change` takes it back.
  private func run(
    _ preserved: [DeviceName]?, _ change: (inout Machine) -> Void = { _ in }
  ) throws -> (policy: PolicyForecast, update: LiveUpdateForecast) {
    let forecast = machine(owning: preserved ?? [], change).forecaster(
      ForecastOptions(policies: [.liveUpdate], preserved: preserved)
    ).forecast()
    return (try #require(forecast.policies.first), try #require(forecast.liveUpdate))
  }

  private func device(
    _ name: DeviceName, _ update: LiveUpdateForecast
  ) throws -> LiveUpdateForecast.Device {
    try #require(update.devices.first { $0.device == name })
  }

  // MARK: Adoption

  @Test func anAdoptionChangesNoWordAndTakesNoMemory() throws {
    let forecaster = machine().forecaster()
    let adopted = forecaster.run(.adopt).forecast
    let unit = try #require(adopted.units.first)
    #expect(unit.outcome == .adopted && unit.reason == nil)
    #expect(unit.rootTable.old == 0x1000 && unit.rootTable.new == .exact(0x1000))
    #expect(unit.roots.count == 2 && unit.contexts.count == 6)
    #expect(unit.roots.allSatisfy { $0.new == .exact($0.old.rawValue) })
    #expect(
      unit.contexts.allSatisfy { $0.new == $0.old?.map { ForecastWord.exact($0.rawValue) } })
    #expect(unit.memory.bytes == 0 && adopted.memory.pages == 0)
    // Every id that an entry names is taken, and none is lost.
    #expect(unit.domainIDs.reserved == [0, 3, 4, 5, 8, 12, 40] && unit.domainIDs.lost == [])
    #expect(unit.domainIDs.remaining == 256 - 7 && unit.domainIDs.firstFree == 1)
    #expect(unit.interruptRemapping.outcome == .copied)
    // What each device meets is what it meets where contexts are copied right.
    let copied = forecaster.run(.linux).forecast
    #expect(adopted.devices.map(\.at) == copied.devices.map(\.at))
    #expect(adopted.devices.map(\.faultReason) == copied.devices.map(\.faultReason))
  }

  @Test func anAdoptionTellsItsPrice() {
    let reasons = machine().forecaster().run(.adopt).forecast.reasons
    let price = "5 attaching drivers write into 2 pages of the old tables"
    #expect(reasons.contains { $0.contains(price) })
    #expect(reasons.contains { $0.contains("pages of tables stay in force") })
    #expect(reasons.contains { $0.contains("no device's mapping reaches them") })
    #expect(reasons.contains { $0.contains("an attach frees nothing") })
    // A mapping of the tables themselves.
    let open = machine {
      let top = $0.state.contexts[0].table?.rawValue ?? 0
      $0.tables.map(0x3000_0000, to: 0x2000, in: top)
      $0.refresh()
    }
    #expect(
      open.forecaster().run(.adopt).forecast.reasons.contains {
        $0.contains("a device can write 4096 bytes of them")
      })
  }

  @Test(arguments: [
    ("intel_iommu=off", UnitForecast.Outcome.disabled), ("intel_iommu=sm_on", .refused),
    ("intel_iommu=sm_off", .adopted),
  ]) func anAdoptionNeedsAKernelThatCanGoOn(
    _ line: String, _ outcome: UnitForecast.Outcome
  ) {
    let forecast = machine().forecaster(
      ForecastOptions(commandLine: CrashCommandLine(line))
    ).run(.adopt).forecast
    #expect(forecast.units.map(\.outcome) == [outcome])
  }

  // MARK: Who is preserved

  @Test func theOwnersAreVFIOAndUnmanagedDomains() throws {
    let (_, update) = try run(nil) {
      $0.give("0000:00:01.0", toVFIO: "vfio-pci")
      $0.give("0000:00:02.0", toVFIO: "mlx5_vfio_pci")
      // The name of the driver is not known; the domain is nobody's but a user's.
      $0.give("0000:00:03.0", toVFIO: nil)
    }
    #expect(update.chosenBy == .byOwner && !update.isKnown && update.handover == nil)
    #expect(
      update.devices.filter { $0.outcome == .preserved }.map(\.device) == [
        "0000:00:01.0", "0000:00:03.0",
      ])
    #expect(update.devices.filter { $0.outcome == .preserved }.allSatisfy { $0.reasons == [] })
    // Drivers for one kind of device that are built on vfio-pci are asked for and refused.
    let row = try device("0000:00:02.0", update)
    #expect(row.outcome == .refused && row.reasons.count == 1)
    #expect(row.reasons[0].hasPrefix("its driver mlx5_vfio_pci is built on vfio-pci"))
  }

  struct Refusal: CustomTestStringConvertible, Sendable {
    var word: String
    var change: @Sendable (inout Machine) -> Void

    init(_ word: String, _ change: @escaping @Sendable (inout Machine) -> Void) {
      self.word = word
      self.change = change
    }

    var testDescription: String { word }
  }

  /// Each refusal, with a word of its reason.
  static let refusals = [
    Refusal("no domain") { $0.state.devices[0].domain = nil },
    Refusal("VMD") {
      $0.state.devices[0].device = "10000:00:01.0"
      $0.state.devices[0].aliases = ["0000:00:0e.0"]
    },
    Refusal("the kernel itself has it (driver nvme)") {
      $0.state.devices[0].driver = "nvme"
      $0.state.domains[0].type = .dma
    },
    Refusal("the kernel itself has it:") {
      $0.state.devices[0].driver = nil
      $0.state.domains[0].type = .dmaFQ
    },
    Refusal("iommufd must attach one first") { $0.state.domains[0].type = .dma },
    Refusal("its group 4 has 2 devices, and only a group of one is accepted") {
      $0.state.devices[0].group = 4
      $0.state.devices[1].group = 4
    },
    Refusal("its domain is a VFIO container's") {
      $0.facts.domainsWithoutIOMMUFD = [$0.state.devices[0].domain ?? KernelAddress(0)]
    },
    Refusal("Intel display") {
      $0.facts.displays = ["0000:00:01.0"]
      $0.state.devices[0].pciID = "8086:9bc5"
    },
    Refusal("page requests") {
      $0.facts.pageRequestDomains = [$0.state.devices[0].domain ?? KernelAddress(0)]
    },
    Refusal("tables of its own") { $0.state.domains[0].type = .identity },
    Refusal("process") { $0.state.domains[0].type = .sva },
    Refusal("nested") { $0.state.domains[0].type = .nested },
    Refusal("no PCI function") { $0.state.devices[0].device = DeviceName.other("ABCD0001:00") },
    Refusal("no remapping unit") { $0.state.devices[0].unit = nil },
  ]

  @Test(arguments: refusals) func cannotBePreserved(_ refusal: Refusal) throws {
    let (word, change) = (refusal.word, refusal.change)
    let name = machine(change).state.devices[0].device
    let (policy, update) = try run([name], change)
    let row = try device(name, update)
    #expect(row.outcome == .refused)
    #expect(row.reasons.contains { $0.contains(word) }, "\(row.reasons)")
    // Nobody else is preserved, so the unit is switched off.
    #expect(policy.units.map(\.outcome) == [.disabled])
    #expect(update.units.map(\.isPreserved) == [false])
    #expect(policy["0000:00:02.0"]?.at.t1 == .physical)
  }

  @Test func whatNobodyKnowsIsRefusedByName() throws {
    let (_, update) = try run(["0000:7f:00.0"])
    let row = try device("0000:7f:00.0", update)
    #expect(row.outcome == .refused && row.reasons == ["the kernel knows no such device"])
  }

  /// The first versions of the series looked at no group.
  @Test func whereTheTypesSaySoAGroupOfTwoIsPreserved() throws {
    let (_, update) = try run(["0000:00:01.0"]) {
      $0.state.devices[0].group = 4
      $0.state.devices[1].group = 4
      $0.facts.refusesSharedGroups = false
    }
    let row = try device("0000:00:01.0", update)
    #expect(row.outcome == .preserved)
    #expect(
      row.reasons == ["its group 4 has 2 devices, and later versions of the code refuse those"])
  }

  /// A device of another vendor, or another class, is no Intel display.
  @Test(arguments: [("10de:1eb8", true), ("8086:10d3", false)])
  func otherDisplaysArePreserved(_ id: String, _ isDisplay: Bool) throws {
    let (_, update) = try run(["0000:00:01.0"]) {
      if isDisplay { $0.facts.displays = ["0000:00:01.0"] }
      $0.state.devices[0].pciID = id
    }
    #expect(try device("0000:00:01.0", update).outcome == .preserved)
  }

  // MARK: What was prepared

  /// A handover of 00:01.0, and what the tables make of it.
  private func prepared(
    _ change: (inout Handover) -> Void = { _ in },
    machine alter: (inout Machine) -> Void = { _ in },
    asked: [DeviceName]? = nil
  ) throws -> (policy: PolicyForecast, update: LiveUpdateForecast) {
    try run(asked) {
      let top = $0.state.contexts[0].table ?? PhysicalAddress(0)
      var handover = Handover(
        stage: .outgoing, compatible: "iommu-liveupdate", version: 1, address: 0x9000,
        units: [
          .init(
            address: 0xa010, unit: "dmar0", registerBase: 0xfed9_0000, rootTable: 0x1000,
            contextTables: [0, 2], presentTables: [0, 2])
        ],
        domains: [
          .init(address: 0xb010, table: top, levels: 4, addressSize: 48, signExtended: false)
        ],
        devices: [
          .init(
            address: 0xc010, device: "0000:00:01.0", domainID: 3, domain: 0xb010, unit: 0xa010,
            pasidTable: nil, pasidBound: nil)
        ])
      change(&handover)
      $0.state.handovers = [handover]
      alter(&$0)
    }
  }

  /// Nobody asks again whether the device could be preserved: it is.
  @Test func whatTheKernelHasPreparedDecides() throws {
    let (policy, update) = try prepared()
    #expect(update.chosenBy == .byHandover && update.handover == 0x9000)
    let row = try device("0000:00:01.0", update)
    #expect(row.outcome == .preserved && row.reasons == [] && row.domainID == 3)
    let unit = try #require(policy.units.first)
    #expect(unit.domainIDs.reserved == [0, 3] && unit.rootTable.new == .exact(0x1000))
    #expect(unit.roots.allSatisfy { $0.new == .exact($0.old.rawValue) })
    #expect(policy["0000:00:01.0"]?.at.all == Array(repeating: .translated, count: 4))
    #expect(policy["0000:00:02.0"]?.at.t1 == .blocked)
    // What came in from the kernel before is no plan of this one.
    let (_, incoming) = try prepared({ $0.stage = .incoming })
    #expect(incoming.chosenBy == .byOwner && incoming.handover == nil)
    // Who names devices asks for another update.
    let (_, other) = try prepared(asked: ["0000:00:02.0"])
    #expect(other.chosenBy == .byOption && other.handover == nil)
    #expect(other.devices.filter { $0.outcome == .preserved }.map(\.device) == ["0000:00:02.0"])
  }

  /// A context table that came to be after the preparation is not in the bitmap.
  @Test func theBitmapSaysWhichTablesStay() throws {
    let (policy, update) = try prepared({ $0.units[0].contextTables = [0] })
    let unit = try #require(policy.units.first)
    #expect(unit.roots.map(\.new) == [.exact(0x2001), .exact(0)])
    #expect(try #require(update.units.first).clearedRoots.map(\.bus) == [1])
    // Its bus has no context table any more: reason 1, not 2.
    #expect(policy["0000:01:00.0"]?.faultReason.t1 == 1)
    let (lost, account) = try prepared({ $0.units[0].contextTables = [2] })
    let row = try device("0000:00:01.0", account)
    #expect(row.outcome == .preserved && row.reasons.count == 1)
    #expect(row.reasons[0].hasPrefix("its context is zeroed"))
    #expect(lost["0000:00:01.0"]?.at.t1 == .blocked)
  }

  @Test func theNextKernelTakesTheIDsAndTablesThatAreHandedOver() throws {
    let (policy, update) = try prepared({
      $0.devices[0].domainID = 77
      $0.domains[0].table = 0xdead_0000
    })
    #expect(policy.units.first?.domainIDs.reserved == [0, 77])
    // The id that the context has is nobody's.
    #expect(policy.units.first?.domainIDs.lost == [3])
    let row = try device("0000:00:01.0", update)
    #expect(row.domainID == 77 && row.reasons.count == 2)
    #expect(row.reasons[0].contains("takes the tables at 0xdead0000"))
    #expect(row.reasons[1].contains("takes domain-id 77 for it, and its context has 3"))
  }

  @Test func theNextKernelGoesOnWithTheRootThatIsHandedOver() throws {
    let (policy, update) = try prepared({ $0.units[0].rootTable = 0x7000_0000 })
    let unit = try #require(policy.units.first)
    #expect(unit.rootTable.old == 0x1000 && unit.rootTable.new == .exact(0x7000_0000))
    #expect(unit.contexts.allSatisfy { $0.new == nil })
    #expect(unit.reason?.contains("0x70000000 that is handed over") == true)
    #expect(policy["0000:00:01.0"]?.at.t2 == .blocked)
    #expect(try #require(update.units.first).contextTables == 0)
  }

  @Test func aDeviceThatIsHandedOverAndUnknownIsNamed() throws {
    let (_, update) = try prepared({ $0.devices[0].device = "0000:7f:00.0" })
    let row = try device("0000:7f:00.0", update)
    #expect(row.outcome == .refused && row.reasons == ["the kernel knows no such device"])
  }

  // MARK: Source ids that are not the device's own

  /// A device that is no PCI function has the source id that the kernel keeps for it.
  @Test func theContextOfADeviceThatIsNoFunctionIsZeroed() throws {
    let (policy, update) = try run(["0000:00:01.0"]) {
      $0.state.devices[2].device = DeviceName.other("ABCD0001:00")
      $0.state.devices[2].aliases = ["0000:00:03.0"]
    }
    #expect(update.units.first?.cleared.contains("0000:00:03.0") == true)
    #expect(update.units.first?.unclaimed == [])
    let row = try device(DeviceName.other("ABCD0001:00"), update)
    #expect(row.outcome == .dropped && row.bytesReachable == 65536)
    let forecast = try #require(policy[DeviceName.other("ABCD0001:00")])
    #expect(forecast.at.t1 == .blocked && forecast.faultReason.t1 == 2)
    // One context, one row.
    #expect(policy["0000:00:03.0"] == nil)
    // Under other policies its requests meet its context as well.
    let linux = machine {
      $0.state.devices[2].device = DeviceName.other("ABCD0001:00")
      $0.state.devices[2].aliases = ["0000:00:03.0"]
    }.forecaster().run(.linux).forecast
    #expect(linux[DeviceName.other("ABCD0001:00")]?.at.t2 == .translated)
  }

  /// Requests from behind a VMD controller carry its source id, whatever their own numbers are.
  @Test func devicesBehindVMDShareItsFate() throws {
    let forecast = machine {
      $0.state.devices[2].device = "10000:00:01.0"
      $0.state.devices[2].driver = "nvme"
      $0.state.devices[2].aliases = ["0000:00:02.0"]
    }.forecaster().run(.linux).forecast
    let own = try #require(forecast["0000:00:02.0"])
    let guest = try #require(forecast["10000:00:01.0"])
    #expect(guest.at == own.at && guest.faultReason == own.faultReason)
    #expect(guest.driver == "nvme" && guest.inFlight)
  }

  // MARK: What becomes of the tables

  @Test func dropsTheOthersEntryByEntry() throws {
    let (policy, update) = try run(["0000:00:01.0"])
    let unit = try #require(policy.units.first)
    #expect(unit.outcome == .adopted && unit.rootTable.new == .exact(0x1000))
    #expect(unit.memory.bytes == 0)
    #expect(unit.contexts.filter { $0.new != nil }.map(\.device) == ["0000:00:01.0"])
    let kept = try #require(unit.contexts.first { $0.new != nil })
    #expect(kept.new == kept.old?.map { ForecastWord.exact($0.rawValue) })
    // All context tables were in use when the device was preserved, so no root entry goes.
    #expect(unit.roots.allSatisfy { $0.new == .exact($0.old.rawValue) })
    // The next kernel takes the one id, and starts its interrupts anew.
    #expect(unit.domainIDs.reserved == [0, 3] && unit.domainIDs.lost == [])
    #expect(unit.interruptRemapping.outcome == .empty)
    let row = try #require(update.units.first)
    #expect(row.isPreserved && row.contextTables == 2 && row.clearedRoots == [])
    #expect(
      row.cleared == [
        "0000:00:02.0", "0000:00:03.0", "0000:00:04.0", "0000:00:06.0", "0000:01:00.0",
      ])
    #expect(row.unclaimed == [] && row.withoutPageRequests == [] && row.domainIDs == [3])
    #expect(try device("0000:00:01.0", update).domainID == 3)
  }

  @Test func requestsOfDroppedDevicesFaultAndSayHowMuchTheyReached() throws {
    let (policy, update) = try run(["0000:00:01.0"])
    let kept = try #require(policy["0000:00:01.0"])
    #expect(kept.at.all == [.translated, .translated, .translated, .translated])
    #expect(kept.faultReason.all == [nil, nil, nil, nil])
    let dropped = try #require(policy["0000:00:02.0"])
    #expect(dropped.at.all == [.blocked, .blocked, .remapped, .remapped])
    #expect(dropped.faultReason.all == [2, 2, 5, 5])
    #expect(dropped.verdict == .risky && dropped.reason.contains("reached 65536 bytes"))
    #expect(try device("0000:00:02.0", update).bytesReachable == 65536)
    #expect(policy["0000:00:03.0"]?.at.t4 == .blocked)
  }

  @Test func contextsThatNoDeviceStandsForStay() throws {
    let (policy, update) = try run(["0000:00:01.0"]) { $0.state.devices.remove(at: 2) }
    #expect(update.units.first?.unclaimed == ["0000:00:03.0"])
    #expect(policy["0000:00:03.0"]?.at.t4 == .translated)
    // Its id is in use and nobody takes it.
    #expect(policy.units.first?.domainIDs.lost == [5])
  }

  @Test func aliasesFollowTheirDevices() throws {
    // 00:03.0 is an alias of a preserved device, 00:06.0 one of a dropped one.
    let (policy, update) = try run(["0000:00:01.0"]) {
      $0.state.devices[0].aliases = ["0000:00:03.0", "0000:00:1f.7"]
      $0.state.devices[1].aliases = ["0000:00:06.0"]
      $0.state.devices.removeAll { $0.device == "0000:00:03.0" || $0.device == "0000:00:06.0" }
    }
    let own = try device("0000:00:01.0", update)
    #expect(own.aliases.map(\.outcome) == [.kept, .absent])
    #expect(policy["0000:00:03.0"]?.at.t2 == .translated)
    #expect(try device("0000:00:02.0", update).aliases.map(\.outcome) == [.cleared])
    #expect(policy["0000:00:06.0"]?.at.t2 == .blocked)
  }

  /// The entry of a shared alias is zeroed, whoever is preserved.
  @Test func aSharedAliasGoesWithTheDeviceThatIsDropped() throws {
    let (policy, update) = try run(["0000:00:01.0"]) {
      $0.state.devices[0].aliases = ["0000:00:03.0"]
      $0.state.devices[1].aliases = ["0000:00:03.0", "0000:00:01.0"]
      $0.state.devices.remove(at: 2)
    }
    let row = try device("0000:00:01.0", update)
    #expect(row.aliases.map(\.outcome) == [.cleared])
    #expect(row.aliases.first?.sharedWith == ["0000:00:02.0"])
    #expect(row.reasons.contains { $0.contains("its context is zeroed") })
    let forecast = try #require(policy["0000:00:01.0"])
    #expect(forecast.at.t1 == .blocked && forecast.verdict == .risky)
    #expect(forecast.reason.contains("preserved, but requests under its source ids"))
  }

  // MARK: The recommendation

  @Test func roadsThatTheKernelDoesNotKnowAreNotWeighed() {
    let forecast = machine().forecaster().forecast()
    #expect(forecast.policies.map(\.policy) == Policy.allCases && Policy.allCases.count == 7)
    #expect(
      forecast.recommendation.reasons.filter { $0.contains(" leaves ") }.allSatisfy {
        !$0.hasPrefix("adopt") && !$0.hasPrefix("live-update")
      })
    #expect(forecast.recommendation.notWeighed == [.adopt, .liveUpdate])
    // Alone, they are no recommendation either.
    let alone = machine().forecaster(ForecastOptions(policies: [.adopt])).forecast()
    #expect(alone.recommendation.policy == nil && alone.recommendation.available == nil)
  }

  @Test func aRoadThatTheTypesKnowIsWeighed() {
    var machine = machine()
    machine.facts.knownRoads = [.liveUpdate]
    let forecast = machine.forecaster().forecast()
    #expect(forecast.liveUpdate?.isKnown == true)
    #expect(
      forecast.recommendation.reasons.contains { $0.hasPrefix("live-update leaves ") })
    let alone = machine.forecaster(ForecastOptions(policies: [.liveUpdate])).forecast()
    #expect(alone.recommendation.policy == .liveUpdate)
    #expect(alone.recommendation.available == .liveUpdate)
  }
}
