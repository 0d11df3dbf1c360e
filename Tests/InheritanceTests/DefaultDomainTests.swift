// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import RemappingState
import StateFixtures
import TableFixtures
import Testing

/// What type of domain the crash kernel's drivers are taken to get.
struct DefaultDomainTests {
  /// The fates of the in-flight NVMe device under Linux's policy; only a driver with a domain of its
  /// own makes it `remapped`.
  private func fates(
    _ commandLine: String = "", device: DomainType? = nil, machine: Bool? = nil,
    found: String? = nil,
    fromWords: Bool? = nil
  ) -> [Fate] {
    var setup = Machine()
    setup.facts.defaultsToIdentity = machine
    setup.facts.defaultIsFromCommandLine = fromWords
    setup.facts.commandLine = found.map { CrashCommandLine($0) }
    for index in setup.state.devices.indices {
      setup.state.devices[index].defaultDomainType = device
    }
    let forecast = Forecaster(
      setup.state, memory: setup.tables.memory, facts: setup.facts,
      options: ForecastOptions(policies: [.linux], commandLine: CrashCommandLine(commandLine))
    ).forecast()
    let at = forecast.policies[0].devices.first { $0.device == "0000:00:01.0" }?.at
    return [at?.t1, at?.t2, at?.t3, at?.t4].compactMap(\.self)
  }

  private static let own: [Fate] = [.translated, .translated, .remapped, .remapped]
  private static let inherited: [Fate] = [.translated, .translated, .translated, .translated]

  @Test func nothingIsKnown() { #expect(fates() == Self.own) }

  @Test func asTheCrashedKernelHadIt() {
    #expect(fates(machine: true) == Self.inherited)
    #expect(fates(machine: false) == Self.own)
    #expect(fates(device: .identity) == Self.inherited)
    #expect(fates(device: .dmaFQ) == Self.own)
  }

  /// A device whose type somebody changed, or that a quirk names, differs from the rest.
  @Test func theDevicesOwnTypeCountsBeforeTheMachines() {
    #expect(fates(device: .identity, machine: false) == Self.inherited)
    #expect(fates(device: .dma, machine: true) == Self.own)
  }

  @Test func theCommandLineCountsBeforeBoth() {
    #expect(fates("iommu=nopt", device: .identity, machine: true) == Self.own)
    #expect(fates("iommu.passthrough=0", device: .identity) == Self.own)
    #expect(fates("iommu=pt", device: .dma, machine: false) == Self.inherited)
    #expect(fates("quiet", device: .identity) == Self.inherited)
  }

  /// What the crashed kernel's words chose is not what a line without them chooses.
  @Test func aKnownLineWithoutTheWord() {
    #expect(fates("quiet", device: .identity, machine: true, fromWords: true) == Self.own)
    #expect(fates(device: .identity, machine: true, found: "quiet", fromWords: true) == Self.own)
    #expect(fates("quiet", device: .identity, machine: true, fromWords: false) == Self.inherited)
    // The device's own type has another reason.
    #expect(fates("quiet", device: .identity, machine: false, fromWords: true) == Self.inherited)
    // An unknown line is taken to be the crashed kernel's.
    #expect(fates(device: .identity, machine: true, fromWords: true) == Self.inherited)
  }

  @Test func theCommandLineBesideTheImageCountsWhereNoneIsGiven() {
    #expect(fates(found: "reset_devices iommu=pt") == Self.inherited)
    #expect(fates("quiet", found: "iommu=pt") == Self.own)
    #expect(fates(machine: true, found: "iommu.passthrough=0") == Self.own)
  }

  @Test(arguments: [
    ("", nil), ("iommu=pt", true), ("iommu=nopt", false), ("iommu=soft,pt", true),
    ("iommu=pt iommu.passthrough=0", false), ("iommu=nopt iommu.passthrough=1", true),
    ("iommu.passthrough=yes", true), ("iommu.passthrough=", nil), ("iommu=ptx", nil),
    ("xiommu=pt", nil),
  ]) func wordsAboutTheIdentity(_ line: String, _ expected: Bool?) {
    #expect(CrashCommandLine(line).passThrough == expected)
  }
}
