// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Inheritance
import KernelFixtures
import KernelImage
import MachineFixtures
import Memory
import RemappingState
import StateFixtures
import Testing

/// Live updates from the file on: types, structures and tables of a whole dump, read and foretold.
struct LiveUpdateMachineTests {
  /// One scalable unit: 03:00.0 is open through vfio-pci in a domain of iommufd's, with a PASID; 03:10.0, in
  /// the upper half of the bus, and 04:00.0 are the kernel's.
  private static func plan(_ change: (inout MachinePlan) -> Void = { _ in }) -> MachinePlan {
    var plan = MachinePlan(.g6)
    let unit = plan.addUnit(mode: .scalable, includeAll: true)
    let guest = plan.addDomain(
      .unmanaged, [.init(0, to: 0x400_0000, bytes: 0x10_0000)], stage: .first)
    let own = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x500_0000, bytes: 0x4000)])
    let other = plan.addDomain(.dma, [.init(0xfffe_0000, to: 0x510_0000, bytes: 0x2000)])
    let process = plan.addDomain(.unmanaged, [.init(0x1000, to: 0x520_0000, bytes: 0x3000)])
    plan.addDevice("0000:03:00.0", unit, guest, driver: "vfio-pci", pasids: [70: process])
    plan.addDevice("0000:03:10.0", unit, own, driver: "nvme")
    plan.addDevice("0000:04:00.0", unit, other, driver: "e1000e")
    plan.devices[0].pageRequests = true
    change(&plan)
    return plan
  }

  /// Hands 03:00.0 over, with the context tables of `halves` (bus × 2 + half).
  private static func prepare(_ machine: BuiltMachine, halves: [Int]) {
    let kernel = machine.kernel
    let flb = kernel.defineLiveUpdate(.versioned)
    let units = kernel.makeChain(of: "iommu_hw_ser", 1, perPage: 36)
    let domains = kernel.makeChain(of: "iommu_domain_ser", 1, perPage: 64)
    let devices = kernel.makeChain(of: "iommu_device_ser", 1, perPage: 56)
    let root = machine.truth.roots["dmar0"]?.rawValue ?? 0
    units.objects[0].set([
      "hdr.ref_count": 1, "token": 0xfed9_0000, "type": 1, "intel.phys_addr": 0xfed9_0000,
      "intel.root_table": root,
    ])
    var words = [UInt64](repeating: 0, count: 8)
    for half in halves { words[half / 64] |= 1 << UInt64(half % 64) }
    for (index, word) in words.enumerated() {
      units.objects[0].setElement("intel.context_tables_bitmap", index, word)
    }
    let row = machine.truth.domains[0]
    domains.objects[0].set([
      "hdr.ref_count": 1, "top_table_phys": row.table?.rawValue ?? 0, "top_level": 3, "vasz": 48,
    ])
    devices.objects[0].set([
      "hdr.ref_count": 1, "devid": 0x0300, "pci_domain_nr": 0,
      "domain_iommu_ser.attachment_id": UInt64(row.domainID),
      "domain_iommu_ser.domain_phys": kernel.place(domains.objects[0]),
      "domain_iommu_ser.iommu_phys": kernel.place(units.objects[0]),
      "intel.max_pasid": 8192,
    ])
    if let words = machine.truth.words["dmar0"]?["0000:03:00.0"] {
      devices.objects[0]["intel.pasid_table"] = words[0] & ~0xfff
    }
    kernel.handOver(
      "outgoing", of: flb, units: units.first, domains: domains.first, devices: devices.first)
  }

  private func forecast(
    _ machine: BuiltMachine, _ options: ForecastOptions = ForecastOptions(policies: [.liveUpdate])
  ) throws -> (policy: PolicyForecast, update: LiveUpdateForecast, run: MachineRun) {
    let run = try MachineRun(machine)
    let forecast = run.forecaster(options).forecast()
    return (
      try #require(forecast.policies.first), try #require(forecast.liveUpdate), run
    )
  }

  private func device(_ name: DeviceName, _ update: LiveUpdateForecast) throws
    -> LiveUpdateForecast.Device
  { try #require(update.devices.first { $0.device == name }) }

  @Test func theTypesMakeTheRoadKnown() throws {
    let without = try forecast(BuiltMachine(Self.plan()))
    #expect(without.run.facts.knownRoads == [] && !without.update.isKnown)
    #expect(without.update.chosenBy == .byOwner)
    let with = try forecast(BuiltMachine(Self.plan()) { _ = $0.kernel.defineLiveUpdate(.v1) })
    #expect(with.run.facts.knownRoads == [.liveUpdate] && with.update.isKnown)
    // The first form of the series looked at no group, the next one does.
    #expect(!with.run.facts.refusesSharedGroups && without.run.facts.refusesSharedGroups)
    let next = try forecast(
      BuiltMachine(Self.plan()) { _ = $0.kernel.defineLiveUpdate(.versioned) })
    #expect(next.run.facts.refusesSharedGroups)
  }

  /// Entry by entry: PRE goes from the preserved device's, the others are zeroed, and a PASID whose domain
  /// nobody hands over is lost.
  @Test func aRehearsalTellsEachWord() throws {
    let machine = BuiltMachine(Self.plan())
    let (policy, update, _) = try forecast(machine)
    let unit = try #require(policy.units.first)
    let words = try #require(machine.truth.words["dmar0"])
    let own = try #require(words["0000:03:00.0"])
    #expect(own[0] & 0x10 != 0)
    #expect(
      unit.contexts.map(\.new) == [
        [.exact(own[0] & ~0x10), .exact(0), .exact(0), .exact(0)], nil, nil,
      ])
    #expect(unit.roots.allSatisfy { $0.new == .exact($0.old.rawValue) })
    let row = try #require(update.units.first)
    #expect(row.withoutPageRequests == ["0000:03:00.0"])
    #expect(row.cleared == ["0000:03:10.0", "0000:04:00.0"])
    let preserved = try device("0000:03:00.0", update)
    #expect(preserved.outcome == .preserved && preserved.lostPASIDs == [70])
    #expect(preserved.pasidTable?.rawValue == own[0] & ~0xfff && preserved.pasidBound == 8192)
    #expect(try device("0000:03:10.0", update).bytesReachable == 0x4000)
    // The PASID's requests go on all the same, since its entry stays.
    let fates = try #require(policy["0000:03:00.0"]?.pasids)
    #expect(fates.map(\.pasid) == [70])
    #expect(fates[0].at.all == Array(repeating: .translated, count: 4))
  }

  @Test func aDomainThatHandlesPageRequestsIsRefused() throws {
    let machine = BuiltMachine(Self.plan { $0.domains[0].handlesPageRequests = true })
    let (policy, update, run) = try forecast(machine)
    #expect(run.facts.pageRequestDomains == [machine.domains[0].address])
    let row = try device("0000:03:00.0", update)
    #expect(row.outcome == .refused)
    #expect(row.reasons == ["its domain handles page requests, which nobody would answer"])
    #expect(policy.units.map(\.outcome) == [.disabled])
  }

  @Test func aContainersDomainIsRefused() throws {
    let machine = BuiltMachine(Self.plan { $0.domains[0].isOfIOMMUFD = false })
    let (_, update, _) = try forecast(machine)
    #expect(
      try device("0000:03:00.0", update).reasons == [
        "its domain is a VFIO container's, and iommufd's alone are handed over"
      ])
  }

  @Test func aDeviceOfTheKernelAndAGroupOfTwoAreRefused() throws {
    let options = ForecastOptions(policies: [.liveUpdate], preserved: ["0000:03:10.0"])
    let (_, update, _) = try forecast(
      BuiltMachine(Self.plan { $0.devices[2].group = $0.devices[1].group }), options)
    let reasons = try device("0000:03:10.0", update).reasons
    #expect(reasons.count == 3)
    #expect(reasons[0].hasSuffix("has 2 devices, and only a group of one is accepted"))
    #expect(reasons[1].hasPrefix("the kernel itself has it (driver nvme)"))
    #expect(reasons[2].hasPrefix("its domain is the kernel's own"))
  }

  /// What the kernel has prepared decides, half by half of the root table.
  @Test func theBitmapOfAPreparedUpdateZeroesHalves() throws {
    let machine = BuiltMachine(Self.plan()) { Self.prepare($0, halves: [6]) }
    let (policy, update, _) = try forecast(machine)
    #expect(update.chosenBy == .byHandover && update.isKnown)
    let unit = try #require(policy.units.first)
    #expect(unit.roots.map(\.bus) == [3, 3, 4])
    #expect(unit.roots.map(\.half) == ["lower", "upper", "lower"])
    #expect(unit.roots.map { $0.new == .exact(0) } == [false, true, true])
    #expect(
      try #require(update.units.first).clearedRoots.map(\.bus) == [3, 4])
    let row = try device("0000:03:00.0", update)
    #expect(row.outcome == .preserved && row.domainID == machine.truth.domains[0].domainID)
    #expect(row.pasidBound == 8192 && row.lostPASIDs == [70])
    #expect(row.reasons.count == 1)
    #expect(policy["0000:03:00.0"]?.at.t2 == .translated)
    // Its root entry is not present.
    #expect(policy["0000:04:00.0"]?.faultReason.t1 == 0x39)
  }
}
