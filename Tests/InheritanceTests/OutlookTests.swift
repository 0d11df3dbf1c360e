// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import RemappingState
import StateFixtures
import TableFixtures
import Testing

/// The answer that `inherit` begins with.
struct OutlookTests {
  static func machine() -> Machine {
    var machine = Machine()
    machine.facts.traits.clearsBeforeFlush = true
    machine.facts.classCodes = [
      "0000:00:01.0": 0x01_0802, "0000:00:02.0": 0x02_0000, "0000:00:03.0": 0x03_0000,
      "0000:00:04.0": 0x0c_0330, "0000:01:00.0": 0x01_0802,
    ]
    return machine
  }

  static func outlook(
    _ machine: Machine = machine(), _ line: String = "", drivers: [String]? = nil,
    errors: Set<DeviceName> = []
  ) -> Outlook {
    machine.forecaster(
      ForecastOptions(
        policies: [.linux], commandLine: CrashCommandLine(line), drivers: drivers),
      errors: errors
    ).forecast().outlook
  }

  @Test func aPlainMachineGetsThrough() throws {
    let outlook = Self.outlook()
    #expect(outlook.answer == .probably)
    #expect(outlook.usesCommandLine == nil)
    #expect(outlook.writers.map(\.driver) == ["e1000e", "nvme", "pt"])
    #expect(outlook.writers[1].devices == ["0000:00:01.0", "0000:01:00.0"])
    // Right below 4 GiB, where the allocator begins.
    let old = try #require(outlook.concerns.first { $0.kind == .oldTransfers })
    #expect(old.devices == ["0000:00:02.0"])
    #expect(outlook.add.map(\.word) == ["reset_devices", "iommu.forcedac=1"])
    #expect(outlook.never.map(\.word) == ["intel_iommu=off", "iommu=off", "iommu=pt"])
    #expect(outlook.concerns.allSatisfy { $0.weight == .note })
  }

  struct Line: CustomTestStringConvertible {
    var words: String
    var answer: Outlook.Answer
    var kind: Outlook.Kind?
    var isUsable: Bool
    var testDescription: String { words }
  }

  static let lines = [
    Line(words: "intel_iommu=off", answer: .doubtful, kind: .switchedOff, isUsable: false),
    Line(words: "intel_iommu=off intel_iommu=on", answer: .probably, kind: nil, isUsable: true),
    Line(words: "iommu=off", answer: .doubtful, kind: .switchedOff, isUsable: false),
    Line(words: "iommu=pt", answer: .probably, kind: .identityNotAttached, isUsable: true),
    Line(words: "reset_devices irqpoll", answer: .probably, kind: .oldTransfers, isUsable: true),
    Line(words: "iommu.forcedac=1", answer: .probably, kind: nil, isUsable: true),
  ]

  @Test(arguments: lines) func aCommandLineIsJudged(_ line: Line) {
    let outlook = Self.outlook(Self.machine(), line.words)
    #expect(outlook.answer == line.answer)
    #expect(outlook.usesCommandLine == line.isUsable)
    if let kind = line.kind { #expect(outlook.concerns.contains { $0.kind == kind }) }
  }

  @Test func theIdentityForEveryWriterMeansNoDump() throws {
    // Without the device that was passed through, nobody's own transfers would get anywhere.
    let outlook = Self.outlook(Self.machine(), "iommu=pt", drivers: ["nvme", "e1000e"])
    #expect(outlook.answer == .no)
    #expect(outlook.usesCommandLine == false)
    #expect(
      try #require(outlook.concerns.first).devices
        == ["0000:00:01.0", "0000:00:02.0", "0000:01:00.0"])
  }

  @Test func withoutAStorageDeviceThereIsNoDump() {
    #expect(Self.outlook(Self.machine(), drivers: ["usb"]).answer == .no)
    #expect(Self.outlook(Self.machine(), drivers: []).concerns.first?.kind == .noWriter)
    // A device that is named itself counts, whether it had a driver before or not.
    var machine = Self.machine()
    machine.state.devices[0].driver = nil
    #expect(
      !Self.outlook(machine, drivers: ["0000:00:01.0"]).concerns.contains { $0.kind == .noWriter })
    // Where no class is known, nothing is claimed.
    #expect(Self.outlook(Machine(), drivers: []).answer == .probably)
  }

  /// A machine whose remapping is off has its devices all the same.
  @Test func devicesThatRemappingDoesNotKnowCanWriteTheDump() throws {
    var machine = Self.machine()
    machine.state.devices = []
    machine.state.contexts = []
    machine.state.domains = []
    for index in machine.state.units.indices {
      machine.state.units[index].translationEnabled = false
    }
    // The kernel has no drivers, or none that could write a dump.
    machine.facts.drivers = ["0000:00:03.0": "i915"]
    #expect(Self.outlook(machine).answer == .doubtful)
    machine.facts.drivers["0000:00:01.0"] = "nvme"
    machine.facts.drivers["0000:01:00.0"] = "nvme"
    machine.facts.drivers["0000:00:04.0"] = "xhci_hcd"
    let outlook = Self.outlook(machine)
    #expect(outlook.answer == .probably)
    #expect(outlook.concerns.map(\.kind) == [.nothingTranslates])
    #expect(outlook.writers.map(\.driver) == ["nvme", "xhci_hcd"])
    #expect(outlook.writers.first?.devices == ["0000:00:01.0", "0000:01:00.0"])
    // Of those, what the crash kernel is said to have drivers for.
    #expect(Self.outlook(machine, drivers: ["xhci-hcd"]).writers.map(\.driver) == ["xhci_hcd"])
    #expect(
      Self.outlook(machine, drivers: ["0000:01:00.0"]).writers.first?.devices == ["0000:01:00.0"])
    #expect(Self.outlook(machine, drivers: ["i915"]).answer == .no)
    // As for devices that remapping knows, one that is named counts without a driver of its own.
    machine.facts.drivers = [:]
    #expect(Self.outlook(machine, drivers: ["0000:01:00.0"]).answer == .probably)
  }

  @Test func aDriverThatCouldNotBeReadMayWriteTheDump() throws {
    var machine = Self.machine()
    machine.state.devices = []
    machine.state.contexts = []
    machine.state.domains = []
    machine.state.observations.append(
      Observation(.unreadable, device: "0000:00:01.0", structure: .kernel(.driver)))
    let outlook = Self.outlook(machine)
    #expect(outlook.answer == .doubtful)
    let concern = try #require(outlook.concerns.first { $0.kind == .unknownState })
    #expect(concern.devices == ["0000:00:01.0"])
    #expect(!outlook.concerns.contains { $0.kind == .noWriter })
  }

  @Test func aPassedThroughDeviceMayKeepItsOldContext() throws {
    var machine = Self.machine()
    machine.facts.traits = CrashKernelTraits(variant: .v2a)
    let stale = try #require(
      Self.outlook(machine).concerns.first { $0.kind == .staleContext })
    #expect(stale.weight == .doubt)
    #expect(stale.devices == ["0000:00:04.0"])
    machine.facts.traits.clearsBeforeFlush = true
    #expect(Self.outlook(machine).answer == .probably)
  }

  @Test func anAnswerThatRestsOnPassThroughSaysSo() throws {
    var machine = Self.machine()
    machine.facts.traits = CrashKernelTraits(variant: .v2a)
    machine.facts.defaultsToIdentity = true
    let concerns = Self.outlook(machine).concerns
    let assumed = concerns.first { $0.kind == .passThroughAssumed }
    #expect(assumed?.weight == .note)
    #expect(assumed?.devices == ["0000:00:04.0"])
    // Those of which no time-out is to be feared rest on the same word.
    #expect(
      concerns.first { $0.kind == .identityAssumed }?.devices == [
        "0000:00:01.0", "0000:00:02.0", "0000:00:05.0", "0000:01:00.0",
      ])
    // A command line that is known needs no assumption.
    #expect(
      !Self.outlook(machine, "iommu=pt").concerns.contains { $0.kind == .passThroughAssumed })
  }

  /// Where no stale entry is to be feared, the fates still rest on the word.
  @Test func fatesThatRestOnPassThroughSaySo() throws {
    var machine = Self.machine()
    machine.facts.defaultsToIdentity = true
    func assumed(_ line: String = "") -> Outlook.Concern? {
      Self.outlook(machine, line).concerns.first { $0.kind == .identityAssumed }
    }
    let concern = try #require(assumed())
    #expect(concern.weight == .note)
    #expect(
      concern.devices == [
        "0000:00:01.0", "0000:00:02.0", "0000:00:04.0", "0000:00:05.0", "0000:01:00.0",
      ])
    #expect(assumed("iommu=pt") == nil)
    #expect(assumed("quiet") == nil)
    // How the kernel was built is the crash kernel's default too, whatever its words.
    machine.facts.defaultIsFromCommandLine = false
    #expect(assumed() == nil)
  }

  /// Nothing is safe of which nothing is known.
  @Test func whatTheDumpLacksIsNotSafe() throws {
    var machine = Self.machine()
    machine.state.contexts.removeAll { $0.device == "0000:01:00.0" }
    machine.state.domains.removeAll { $0.devices == ["0000:01:00.0"] }
    machine.state.observations = [
      Observation(.unreadable, unit: "dmar0", structure: .table(.contextTable, bus: 1))
    ]
    var forecast = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    let row = try #require(forecast.policies.first?["0000:01:00.0"])
    // The crash kernel has what the dump lacks.
    #expect(row.at.all == [.translated, .translated, .remapped, .remapped])
    #expect(row.verdict == .risky && row.reason.contains("its context is not in the dump"))
    #expect(forecast.outlook.answer == .doubtful)
    #expect(
      forecast.outlook.concerns.first { $0.kind == .tablesUnread }?.devices
        == ["0000:00:05.0", "0000:01:00.0"])

    machine = Self.machine()
    machine.state.domains[0].walk = WalkSummary(tables: 3, unreadable: 1)
    forecast = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    let device = try #require(machine.state.domains[0].devices.first)
    #expect(forecast.policies.first?[device]?.verdict == .risky)
    #expect(forecast.outlook.concerns.first { $0.kind == .tablesUnread }?.devices == [device])
  }

  /// A context below which nothing could be read does not block its device.
  @Test func aPASIDEntryThatTheDumpLacksIsNotOneThatIsNotThere() throws {
    var machine = Self.machine()
    let index = try #require(
      machine.state.contexts.firstIndex { $0.device == "0000:01:00.0" })
    var context = machine.state.contexts[index]
    (context.translation, context.domainID, context.levels, context.table) = (.none, nil, nil, nil)
    machine.state.contexts[index] = context
    machine.state.domains.removeAll { $0.devices == ["0000:01:00.0"] }
    for structure in [Structure.table(.pasidDirectory, bus: 1), .table(.pasidTable, bus: 1)] {
      machine.state.observations = [
        Observation(.unreadable, unit: "dmar0", device: "0000:01:00.0", structure: structure)
      ]
      let forecast = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
      let row = try #require(forecast.policies.first?["0000:01:00.0"])
      #expect(row.at.all == [.translated, .translated, .remapped, .remapped])
      #expect(row.verdict == .risky && row.reason.contains("its context is not in the dump"))
      // Nothing is hidden of a device without a context.
      #expect(
        forecast.outlook.concerns.first { $0.kind == .tablesUnread }?.devices == ["0000:01:00.0"])
    }
    // Where all was read, nothing lets its requests through.
    machine.state.observations = []
    machine.state.contexts[index].refusal = Context.Refusal(detail: "", faultReason: 0x59)
    let forecast = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    #expect(forecast.policies.first?["0000:01:00.0"]?.at.all.first == .blocked)
  }

  /// A list of units that could not be read is not a machine without units.
  @Test func unitsThatTheDumpLacksAreNotOff() throws {
    for structure in [Structure.kernel(.unitList), .kernel(.intelIOMMU)] {
      var machine = Self.machine()
      machine.state.contexts = []
      machine.state.domains = []
      for index in machine.state.devices.indices { machine.state.devices[index].unit = nil }
      if structure == .kernel(.unitList) {
        machine.state.units = []
      } else {
        for index in machine.state.units.indices {
          machine.state.units[index].rootTable = nil
          machine.state.units[index].translationEnabled = nil
        }
      }
      machine.state.observations = [Observation(.unreadable, structure: structure)]
      let forecast = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
      #expect(forecast.outlook.answer == .doubtful)
      #expect(!forecast.outlook.concerns.contains { $0.kind == .nothingTranslates })
      #expect(forecast.outlook.concerns.contains { $0.kind == .unknownState })
      let policy = try #require(forecast.policies.first)
      #expect(policy.verdict != .safe)
      #expect(policy.devices.allSatisfy { $0.verdict != .safe })
    }
    // Without units, and with nothing unread, nothing translated.
    var machine = Self.machine()
    machine.state.units = []
    machine.state.contexts = []
    machine.state.domains = []
    for index in machine.state.devices.indices { machine.state.devices[index].unit = nil }
    #expect(Self.outlook(machine).concerns.contains { $0.kind == .nothingTranslates })
  }

  /// A driver whose name could not be read is not one that is not there.
  @Test func aDriverThatTheDumpLacksIsTakenToAttach() throws {
    func forecast(_ machine: Machine) -> Forecast {
      machine.forecaster(ForecastOptions(policies: [.linux, .reset])).forecast()
    }
    let name: DeviceName = "0000:00:02.0"
    let whole = forecast(Self.machine())
    var named = Self.machine()
    named.state.devices[1].driver = nil
    named.state.observations = [
      Observation(.unreadable, device: name, structure: .kernel(.driver))
    ]
    // Its own structure is missing: its context alone tells of it.
    var missing = Self.machine()
    missing.state.devices.remove(at: 1)
    missing.facts.classCodes["0000:00:02.0"] = nil
    missing.state.observations = [
      Observation(.unreadable, structure: .kernel(.devicesOfBus, number: "0"))
    ]
    for machine in [named, missing] {
      let found = forecast(machine)
      for (part, all) in zip(found.policies, whole.policies) {
        #expect(part[name]?.attaches == true)
        #expect(part[name]?.at == all[name]?.at)
        #expect(part[name]?.verdict == all[name]?.verdict)
        #expect(part[name]?.reason.contains("its driver could not be read") == true)
      }
      let concern = try #require(
        found.outlook.concerns.first { $0.kind == .unknownState && $0.devices == [name] })
      #expect(concern.weight == .note)
    }
    // What may stand above a device that is not known is not known either.
    #expect(
      forecast(missing).policies.last?[name]?.reason.contains("not known which port") == true)
    // Where no driver at all could be read, nobody knows who would write the dump.
    var nobody = named
    for index in nobody.state.devices.indices { nobody.state.devices[index].driver = nil }
    let outlook = forecast(nobody).outlook
    #expect(outlook.answer == .doubtful)
    #expect(!outlook.concerns.contains { $0.kind == .noWriter })
    // A device without a driver stays one.
    #expect(forecast(named).policies.first?["0000:00:03.0"]?.attaches == false)
  }

  /// Which addresses a driver gets follows from what is kept out of them.
  @Test func reservedRangesThatTheDumpLacksAreARisk() throws {
    var machine = Self.machine()
    let name: DeviceName = "0000:00:01.0"
    func verdict() throws -> Verdict {
      try #require(
        machine.forecaster(ForecastOptions(policies: [.linux])).forecast().policies.first?[name]
      ).verdict
    }
    let row = try #require(machine.state.domains.firstIndex { $0.devices == [name] })
    machine.state.domains[row].iova = IOVASpace(allocated: [], unallocated: [])
    #expect(try verdict() == .safe)
    machine.state.domains[row].iova?.uncertain = [.cached]
    #expect(try verdict() == .safe)
    machine.state.domains[row].iova?.uncertain = [.reserved]
    #expect(try verdict() == .risky)
    machine.state.domains[row].iova = nil
    #expect(try verdict() == .safe)
    machine.state.observations = [Observation(.unreadable, structure: .kernel(.allocator))]
    #expect(try verdict() == .risky)
  }

  @Test func wordsThatWouldHelpAreNotNamedTwice() {
    let outlook = Self.outlook(Self.machine(), "reset_devices iommu.forcedac=1")
    #expect(outlook.add.isEmpty)
  }

  @Test func nothingIsLoadedWithoutAReservation() {
    var machine = Self.machine()
    machine.facts.reservations = []
    #expect(Self.outlook(machine).answer == .no)
    #expect(Self.outlook(machine).concerns.first?.kind == .notReserved)
    // What could not be read is not known to be missing.
    machine.facts.reservationsAreComplete = false
    #expect(Self.outlook(machine).answer == .probably)
    #expect(Self.outlook(machine).concerns.contains { $0.kind == .unknownState })
    let device: DeviceName = "0000:00:04.0"
    let forecast = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    #expect(forecast.policies.first?[device]?.verdict == .unsafe)
    // On a unit that is off, every device reaches all of memory.
    for index in machine.state.units.indices {
      machine.state.units[index].translationEnabled = false
    }
    let off = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    #expect(off.policies.first?.devices.allSatisfy { $0.verdict == .unsafe } == true)
  }

  /// Where no unit translates, every device reaches all of memory: what remapping has no record of is a row like
  /// any other.
  @Test func devicesThatNoUnitTranslatesForReachEverything() throws {
    var machine = Self.machine()
    machine.state.units = []
    machine.state.contexts = []
    machine.state.domains = []
    machine.state.devices = []
    machine.state.dump.typesFrom = "btf"
    machine.facts.untranslatedFunctions = [
      nil: ["0000:00:01.0", "0000:00:03.0", "0000:01:00.0", "0000:02:00.0"]
    ]
    machine.facts.drivers = ["0000:00:01.0": "nvme", "0000:01:00.0": "nvme"]
    let forecast = machine.forecaster().forecast()
    let linux = try #require(forecast.policies.first { $0.policy == .linux })
    #expect(linux.verdict == .unsafe)
    #expect(!linux.dumpStable)
    #expect(linux.changing.anywhere.count == 4)
    #expect(linux.devices.map(\.unit) == [nil, nil, nil, nil])
    let device = try #require(linux["0000:00:01.0"])
    #expect(device.at.all == [.physical, .physical, .physical, .physical])
    #expect(device.exposure.crash == 0x1000_0000)
    #expect(device.driver == "nvme")
    #expect(device.reason.hasPrefix("nothing keeps it from"))
    // Page tables that stay behind are no matter here.
    #expect(!linux.reasons.contains { $0.contains("tables") })
    // A port resets what is below it, whether it translates or not.
    let reset = try #require(forecast.policies.first { $0.policy == .reset })
    #expect(reset["0000:01:00.0"]?.at.t1 == .silent)
    #expect(reset["0000:01:00.0"]?.verdict == .safe)
    #expect(reset["0000:00:01.0"]?.verdict == .unsafe)
    #expect(forecast.changedAfterPanic.anywhere.count == 4)
    let outlook = forecast.outlook
    #expect(outlook.answer == .probably)
    #expect(outlook.concerns.contains { $0.kind == .nothingTranslates })
    #expect(outlook.concerns.first { $0.kind == .notTranslated }?.devices.count == 4)
    #expect(outlook.writers.map(\.driver) == ["nvme"])
    // Without a reservation nothing is known to be exposed, and nothing is known to be at rest either.
    machine.facts.reservations = []
    let bare = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    #expect(bare.policies.first?["0000:00:01.0"]?.reason == "what it has in flight no table tells")
    // Devices that were not read may be there as well.
    machine.facts.untranslatedFunctions = [:]
    machine.state.observations = [
      Observation(.unreadable, structure: .kernel(.bus))
    ]
    let lost = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    #expect(lost.policies.first?.verdict == .risky)
    #expect(lost.policies.first?.dumpStable == false)
  }

  /// What AMD-Vi's units translated, no table that is read here tells.
  @Test func anotherDriversUnitsAreADoubt() {
    var machine = Self.machine()
    machine.state.units = []
    machine.state.contexts = []
    machine.state.domains = []
    machine.state.dump.typesFrom = "btf"
    #expect(Self.outlook(machine).concerns.first { $0.kind == .nothingTranslates } != nil)
    machine.state.observations = [
      Observation(.otherDriver, structure: .kernel(.otherUnit, number: "ivhd0"))
    ]
    let outlook = Self.outlook(machine)
    #expect(outlook.answer == .doubtful)
    #expect(outlook.concerns.first?.text.contains("ivhd0") == true)
    #expect(!outlook.concerns.contains { $0.kind == .nothingTranslates })
    let forecast = machine.forecaster(ForecastOptions(policies: [.linux])).forecast()
    #expect(forecast.policies.first?.verdict == .risky)
    #expect(forecast.policies.first?.dumpStable == false)
  }

  @Test func mappingsOfTheCrashKernelAndErrorsAreDoubts() {
    var machine = Self.machine()
    let top = machine.tables.page()
    machine.tables.map(0x1000_0000, to: Machine.crash.lowerBound, in: top)
    machine.tables.context(devfn: 0x18, table: top, domainID: 5)
    machine.refresh()
    let outlook = Self.outlook(machine)
    #expect(outlook.answer == .doubtful)
    #expect(outlook.concerns.first?.kind == .crashMemoryMapped)
    #expect(Self.outlook(errors: ["0000:00:03.0"]).answer == .doubtful)
  }

  @Test func theTextBeginsWithTheAnswerAndADumpOfAnyPolicyHasIt() {
    let forecast = Self.machine().forecaster(ForecastOptions(policies: [.disable])).forecast()
    #expect(forecast.policies.map(\.policy) == [.disable])
    #expect(forecast.outlook.answer == .probably)
  }
}

/// The words of a crash kernel's command line.
struct CrashCommandLineTests {
  struct Case: CustomTestStringConvertible {
    var line: String
    var turnsOff = false
    var scalable: Bool?
    var passThrough: Bool?
    var wide = false
    var strict: Bool?
    var resets = false
    var notModelled: [String] = []
    var testDescription: String { line }
  }

  static let cases = [
    Case(line: "intel_iommu=on,sm_off", scalable: false),
    Case(line: "intel_iommu=sm_off intel_iommu=on,sm_on", scalable: true),
    Case(line: "intel_iommu=off", turnsOff: true),
    Case(line: "iommu=pt iommu=nopt", passThrough: false),
    Case(line: "iommu.passthrough=y", passThrough: true),
    Case(line: "iommu.forcedac=1", wide: true),
    Case(line: "intel_iommu=forcedac iommu.forcedac=0", wide: false),
    Case(line: "iommu.strict=0", strict: false),
    Case(line: "intel_iommu=strict", strict: true),
    Case(
      line: "root=/dev/sda1 reset_devices intel_iommu=on,igfx_off iommu.strict=maybe",
      resets: true,
      notModelled: ["root=/dev/sda1", "intel_iommu=igfx_off", "iommu.strict=maybe"]),
  ]

  @Test(arguments: cases) func wordsCount(_ row: Case) {
    let line = CrashCommandLine(row.line)
    #expect(line.turnsOff == row.turnsOff)
    #expect(line.scalable == row.scalable)
    #expect(line.passThrough == row.passThrough)
    #expect(line.forcesWideAddresses == row.wide)
    #expect(line.isStrict == row.strict)
    #expect(line.resetsDevices == row.resets)
    #expect(line.notModelled == row.notModelled)
  }

  @Test func addressesFromTheTopOfTheRange() throws {
    let machine = OutlookTests.machine()
    func handedOut(_ line: String) throws -> ForecastRange {
      let forecast = machine.forecaster(
        ForecastOptions(commandLine: CrashCommandLine(line))
      ).run(.linux).forecast
      return try #require(forecast["0000:00:02.0"]?.iova?.firstHandedOut)
    }
    #expect(try handedOut("").end == HexWord(0xffff_ffff))
    #expect(try handedOut("iommu.forcedac=1").start.rawValue > 0xffff_ffff)
  }
}
