// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import LinuxIOMMU
import Memory
import RemappingState
import Testing

/// What a live update hands over, in both forms of its structures.
struct HandoverTests {
  private struct Prepared {
    var kernel: RemappingKernel
    var flb: FixtureObject
    var units: [FixtureObject]
    var domains: [FixtureObject]
    var devices: [FixtureObject]
    var unitPages: [FixtureObject]
    var devicePages: [FixtureObject]

    func read() throws -> LinuxIOMMU {
      kernel.finish()
      return try LinuxIOMMU(reading: kernel.kernel.image())
    }
  }

  /// One unit, two domains on a page each, and five devices, two on a page.
  private func prepared(
    _ form: RemappingKernel.LiveUpdateForm, _ direction: String = "outgoing"
  ) -> Prepared {
    let kernel = RemappingKernel(.g6)
    kernel.addUnit()
    let flb = kernel.defineLiveUpdate(form)
    let units = kernel.makeChain(of: "iommu_hw_ser", 1, perPage: 36)
    let domains = kernel.makeChain(of: "iommu_domain_ser", 2, perPage: 1)
    let devices = kernel.makeChain(of: "iommu_device_ser", 5, perPage: 2)
    units.objects[0].set([
      "hdr.ref_count": 1, "token": 0xfed9_0000, "type": 1, "intel.phys_addr": 0xfed9_0000,
      "intel.root_table": 0x7000_0000,
    ])
    units.objects[0].setElement("intel.context_tables_bitmap", 0, 1 << 63 | 0b101)
    units.objects[0].setElement("intel.context_tables_bitmap", 7, 1 << 63)
    for (index, domain) in domains.objects.enumerated() {
      domain.set([
        "hdr.ref_count": 1, "top_table_phys": 0x7100_0000 + UInt64(index) << 12, "top_level": 3,
        "vasz": 48, "sign_extend": UInt64(index),
      ])
    }
    for (index, device) in devices.objects.enumerated() {
      device.set([
        "hdr.ref_count": 1, "devid": 0x0300 + UInt64(index), "pci_domain_nr": 1,
        "domain_iommu_ser.attachment_id": 5 + UInt64(index),
        "domain_iommu_ser.domain_phys": kernel.place(domains.objects[index & 1]),
        "domain_iommu_ser.iommu_phys": kernel.place(units.objects[0]),
        "intel.pasid_table": index == 0 ? 0 : 0x7200_0000, "intel.max_pasid": 0x10_0000,
      ])
    }
    kernel.handOver(
      direction, of: flb, units: units.first, domains: domains.first, devices: devices.first)
    return Prepared(
      kernel: kernel, flb: flb, units: units.objects, domains: domains.objects,
      devices: devices.objects, unitPages: units.pages, devicePages: devices.pages)
  }

  @Test(
    arguments: RemappingKernel.LiveUpdateForm.allCases, ["outgoing", "incoming"])
  func isReadWhole(_ form: RemappingKernel.LiveUpdateForm, _ direction: String) throws {
    let prepared = prepared(form, direction)
    let state = try prepared.read()
    #expect(state.problems.isEmpty)
    #expect(state.handovers.count == 1)
    let handover = try #require(state.handovers.first)
    #expect(handover.stage.rawValue == direction)
    #expect(handover.compatible == form.rawValue)
    #expect(handover.version == (form == .versioned ? 1 : nil))
    let unit = try #require(handover.units.first)
    #expect(unit.registerBase.rawValue == 0xfed9_0000)
    #expect(unit.rootTable.rawValue == 0x7000_0000)
    #expect(unit.contextTables == [0, 2, 63, 511])
    #expect(unit.address.rawValue == prepared.kernel.place(prepared.units[0]))
    #expect(handover.domains.map(\.table.rawValue) == [0x7100_0000, 0x7100_1000])
    #expect(handover.domains.map(\.levels) == [4, 4])
    #expect(handover.domains.map(\.addressSize) == [48, 48])
    #expect(handover.domains.map(\.signExtended) == [false, true])
    #expect(handover.devices.map(\.domainID) == [5, 6, 7, 8, 9])
    #expect(
      handover.devices.map(\.device) == (0..<5).map { DeviceName("0001:03:00.\($0)") })
    #expect(handover.devices.map { $0.pasidTable != nil } == [false, true, true, true, true])
    #expect(handover.devices.map(\.pasidBound) == [nil] + Array(repeating: 0x10_0000, count: 4))
    #expect(handover.devices[1].domain.rawValue == prepared.kernel.place(prepared.domains[1]))
    #expect(handover.devices[1].unit == unit.address)
  }

  @Test func bothDirectionsAtOnceComeInFirst() throws {
    let prepared = prepared(.v1, "incoming")
    prepared.flb["private.outgoing.data"] = prepared.flb["private.incoming.data"]
    #expect(try prepared.read().handovers.map(\.stage) == [.incoming, .outgoing])
  }

  @Test func deletedObjectsAndOtherVendorsAreLeftOut() throws {
    let prepared = prepared(.v1)
    prepared.devices[3]["hdr.flags"] = 1
    prepared.devices[4]["hdr.flags"] = 2
    prepared.units[0]["type"] = 2
    let state = try prepared.read()
    #expect(state.problems.isEmpty)
    let handover = try #require(state.handovers.first)
    #expect(handover.devices.map(\.domainID) == [5, 6, 7, 9])
    #expect(handover.units == [])
  }

  // MARK: Nothing there

  @Test func nobodyPreparedAnything() throws {
    let kernel = RemappingKernel(.g6)
    kernel.addUnit()
    kernel.defineLiveUpdate(.v1)
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.handovers == [] && state.problems.isEmpty)
  }

  /// The type is asked: a symbol of that name alone is nothing.
  @Test(arguments: ["iommu_flb_ser", "liveupdate_flb"])
  func kernelsWithoutTheTypesHaveNone(_ missing: String) throws {
    let prepared = prepared(.v1)
    prepared.kernel.kernel.types.remove(missing)
    let state = try prepared.read()
    #expect(state.handovers == [] && state.problems.isEmpty)
  }

  // MARK: Hostile chains

  @Test func aChainThatBitesItsTailEnds() throws {
    let prepared = prepared(.v1)
    let last = try #require(prepared.devicePages.last)
    last["hdr.next_array_phys"] = prepared.kernel.place(prepared.devicePages[1])
    let state = try prepared.read()
    #expect(state.handovers.first?.devices.count == 5)
    #expect(state.problems.map(\.structure) == [.handoverDevices])
    #expect(state.problems.map(\.cause) == [.contradiction])
  }

  @Test(arguments: [74, 1 << 40, UInt64.max] as [UInt64])
  func aCountThatNoPageHoldsEndsItsChain(_ count: UInt64) throws {
    // 73 objects of 56 bytes fit behind a header of 16.
    let prepared = prepared(.v1)
    prepared.devicePages[1]["hdr.nr_objects"] = count
    let state = try prepared.read()
    #expect(state.handovers.first?.devices.map(\.domainID) == [5, 6])
    #expect(state.handovers.first?.domains.count == 2)
    #expect(state.problems.map(\.structure) == [.handoverDevices])
  }

  @Test(arguments: [1 << 52, UInt64.max & ~0xfff, 0x6000_0000] as [UInt64])
  func aPageThatIsNotThereEndsItsChain(_ next: UInt64) throws {
    let prepared = prepared(.versioned)
    prepared.devicePages[0]["hdr.next_array_phys"] = next
    let state = try prepared.read()
    #expect(state.handovers.first?.devices.count == 2)
    #expect(state.problems.map(\.structure) == [.handoverDevices])
  }

  @Test func aStateThatIsNotThereIsNoted() throws {
    let prepared = prepared(.v1)
    prepared.flb["private.outgoing.data"] = 0x6000_0000
    let state = try prepared.read()
    #expect(state.handovers == [])
    #expect(state.problems.map(\.structure) == [.handover])
  }

  /// A chain of more pages than the limit: each page is a new one.
  @Test func aChainHasAnEnd() throws {
    let prepared = prepared(.v1)
    let long = prepared.kernel.makeChain(of: "iommu_hw_ser", 1100, perPage: 1)
    for unit in long.objects { unit["type"] = 1 }
    let place = prepared.flb["private.outgoing.data"]
    prepared.kernel.kernel.object(
      "iommu_flb_ser",
      at: prepared.kernel.kernel.virtual(PhysicalAddress(place)))["iommu_array_phys"] =
      long.first.rawValue
    let state = try prepared.read()
    #expect(state.handovers.first?.units.count == 1024)
    #expect(state.problems.map(\.structure) == [.handoverUnits])
  }
}
