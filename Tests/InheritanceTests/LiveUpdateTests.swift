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

  private func run(
    _ preserved: [DeviceName]?, _ change: (inout Machine) -> Void = { _ in }
  ) throws -> (policy: PolicyForecast, update: LiveUpdateForecast) {
    let forecast = machine(change).forecaster(
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
      $0.state.devices[0].driver = "vfio-pci"
      $0.state.devices[1].driver = "mlx5_vfio_pci"
      let object = $0.state.devices[2].domain
      for index in $0.state.domains.indices where $0.state.domains[index].kernelObject == object {
        $0.state.domains[index].type = .unmanaged
      }
    }
    #expect(update.chosenBy == .byOwner && !update.isKnown)
    #expect(
      update.devices.filter { $0.outcome == .preserved }.map(\.device) == [
        "0000:00:01.0", "0000:00:02.0", "0000:00:03.0",
      ])
    #expect(update.devices.filter { $0.outcome == .preserved }.allSatisfy { $0.reasons == [] })
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
    Refusal("VMD") { $0.state.devices[0].device = "10000:00:01.0" },
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

  @Test func aRehearsalSaysWhatIsMissing() throws {
    let (_, update) = try run(["0000:00:01.0"]) {
      $0.state.devices[0].group = 4
      $0.state.devices[1].group = 4
    }
    let row = try device("0000:00:01.0", update)
    #expect(row.outcome == .preserved)
    #expect(row.reasons.contains { $0.contains("VFIO and iommufd must have the device first") })
    #expect(row.reasons.contains { $0.contains("its group 4 has 2 devices") })
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
