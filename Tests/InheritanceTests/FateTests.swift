// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import TableFixtures
import Testing

/// What each kind of device meets under each policy.
struct FateTests {
  struct Case: CustomTestStringConvertible {
    var policy: Policy
    var device: DeviceName
    var fates: [Fate]
    var faults: [Int?]

    init(_ policy: Policy, _ device: DeviceName, _ fates: [Fate], _ faults: [Int?]) {
      self.policy = policy
      self.device = device
      self.fates = fates
      self.faults = faults
    }

    var testDescription: String { "\(policy.rawValue) \(device)" }
  }

  static let cases = [
    Case(
      .linux, "0000:00:01.0", [.translated, .translated, .remapped, .remapped], [nil, nil, 5, 5]),
    Case(
      .linux, "0000:00:03.0", [.translated, .translated, .translated, .translated],
      [nil, nil, nil, nil]),
    Case(
      .linux, "0000:00:04.0", [.passThrough, .passThrough, .remapped, .remapped],
      [nil, nil, nil, nil]),
    Case(.linux, "0000:00:05.0", [.blocked, .blocked, .remapped, .remapped], [2, 2, nil, nil]),
    // A driver that mapped nothing is not taken to attach.
    Case(
      .linux, "0000:00:06.0", [.translated, .translated, .translated, .translated],
      [nil, nil, nil, nil]),
    Case(
      .fullCopy, "0000:00:01.0", [.translated, .translated, .translated, .translated],
      [nil, nil, nil, nil]),
    Case(
      .fullCopy, "0000:00:04.0", [.passThrough, .passThrough, .passThrough, .passThrough],
      [nil, nil, nil, nil]),
    Case(.fullCopy, "0000:00:05.0", [.blocked, .blocked, .remapped, .remapped], [2, 2, nil, nil]),
    // Faults are silenced, so no reason is recorded.
    Case(
      .isolate, "0000:00:01.0", [.blocked, .blocked, .passThrough, .passThrough],
      [nil, nil, nil, nil]),
    Case(
      .isolate, "0000:00:03.0", [.blocked, .blocked, .blocked, .blocked], [nil, nil, nil, nil]),
    Case(
      .isolate, "0000:00:06.0", [.translated, .translated, .translated, .translated],
      [nil, nil, nil, nil]),
    // An empty root table: the fault that nothing can silence.
    Case(.disable, "0000:00:01.0", [.physical, .blocked, .remapped, .remapped], [nil, 1, 5, 5]),
    Case(.disable, "0000:00:03.0", [.physical, .blocked, .blocked, .blocked], [nil, 1, 1, 1]),
    Case(.reset, "0000:01:00.0", [.silent, .silent, .silent, .silent], [nil, nil, nil, nil]),
    Case(
      .reset, "0000:00:01.0", [.translated, .translated, .remapped, .remapped], [nil, nil, 5, 5]),
  ]

  @Test(arguments: cases) func meets(_ row: Case) throws {
    let forecast = Machine().forecaster().run(row.policy).forecast
    let device = try #require(forecast[row.device])
    #expect(device.at.all == row.fates)
    #expect(device.faultReason.all == row.faults)
  }

  @Test func aPortThatAlsoLeadsToADisplayIsNotReset() {
    var machine = Machine()
    machine.facts.bridges["0000:01:01.0"] = ["0000:00:1c.0"]
    machine.facts.displays = ["0000:01:01.0"]
    let device = machine.forecaster().run(.reset).forecast["0000:01:00.0"]
    #expect(device?.at.t1 == .translated)
    #expect(device?.reason.contains("display") == true)
  }

  @Test func driversAreNamedByModuleOrDevice() {
    let machine = Machine()
    func attached(_ drivers: [String]) -> [String] {
      machine.forecaster(ForecastOptions(drivers: drivers)).run(.linux).forecast.devices
        .filter(\.attaches).map(\.device.description)
    }
    #expect(attached([]) == [])
    #expect(attached(["nvme"]) == ["0000:00:01.0", "0000:01:00.0"])
    #expect(attached(["0000:00:03.0", "e1000e"]) == ["0000:00:02.0", "0000:00:03.0"])
  }

  @Test func theCommandLineCountsWhenItSaysSo() {
    let machine = Machine()
    func run(_ line: String) -> PolicyForecast {
      machine.forecaster(ForecastOptions(commandLine: CrashCommandLine(line))).run(.linux).forecast
    }
    // Translation is switched off for good.
    let off = run("root=/dev/sda intel_iommu=off")
    #expect(off.units.first?.outcome == .disabled)
    #expect(off["0000:00:01.0"]?.at.all == [.physical, .physical, .physical, .physical])
    // Identity for drivers: a pass-through entry is never replaced.
    #expect(run("iommu=pt")["0000:00:04.0"]?.at.t4 == .passThrough)
    #expect(run("intremap=off").units.first?.interruptRemapping.outcome == .off)
    #expect(run("").units.first?.interruptRemapping.entries == 21)
    #expect(CrashCommandLine("intel_iommu=on,sm_on").scalable == true)
    #expect(CrashCommandLine("intel_iommu=sm_off").scalable == false)
    #expect(CrashCommandLine("intel_iommu=on").scalable == nil)
  }

  // MARK: Verdicts

  @Test func aDeviceThatCanWriteTheCrashKernelIsUnsafe() throws {
    var machine = Machine()
    let top = machine.state.contexts[0].table?.rawValue ?? 0
    machine.tables.map(0x2000_0000, to: 0x4123_4000, in: top)
    machine.refresh()
    let forecaster = machine.forecaster()
    let linux = try #require(forecaster.run(.linux).forecast["0000:00:01.0"])
    #expect(linux.verdict == .unsafe)
    #expect(linux.exposure.crashReservation == 4096)
    #expect(linux.exposure.moment == "T1")
    // Read access alone harms nobody.
    machine.tables.map(0x2000_0000, to: 0x4123_4000, in: top, rights: 1)
    machine.refresh()
    let reading = try #require(machine.forecaster().run(.linux).forecast["0000:00:01.0"])
    #expect(reading.exposure.crashReservation == 0)
  }

  @Test func addressesTakenForPhysicalOnesAreUnsafe() throws {
    let disable = Machine().forecaster().run(.disable).forecast
    let device = try #require(disable["0000:00:01.0"])
    #expect(device.verdict == .unsafe)
    // 64 KiB at I/O virtual address 0x10000000, which is RAM here.
    #expect(device.exposure.otherMemory == 65536)
    #expect(disable["0000:00:02.0"]?.exposure.outsideMemory == 65536)
  }

  @Test func passThroughLeavesTheCrashKernelOpen() throws {
    let device = try #require(Machine().forecaster().run(.linux).forecast["0000:00:04.0"])
    #expect(device.verdict == .unsafe)
    #expect(device.exposure.crashReservation == 256 << 20)
    #expect(device.exposure.kernelText == 16 << 20)
  }

  /// The objection to any copy: it keeps whatever caused the crash.
  @Test(arguments: [Policy.linux, .fullCopy, .reset])
  func aDeviceWithAnErrorIsNeverSafeWhereItsMappingStays(_ policy: Policy) {
    let machine = Machine()
    let calm = machine.forecaster().run(.fullCopy).forecast["0000:00:03.0"]
    #expect(calm?.verdict == .safe)
    let found = machine.forecaster(errors: ["0000:00:03.0"]).run(policy).forecast["0000:00:03.0"]
    #expect(found?.verdict != .safe)
  }

  @Test func addressesThatAreGivenOutFirstAreCompared() throws {
    let linux = Machine().forecaster().run(.linux).forecast
    let below = try #require(linux["0000:00:02.0"])
    #expect(below.iova?.stillLive == 65536)
    #expect(below.verdict == .risky)
    let far = try #require(linux["0000:00:01.0"])
    #expect(far.iova?.stillLive == 0)
    #expect(far.verdict == .safe)
    // Linux starts with an empty allocator, a full copy keeps what is live.
    let full = Machine().forecaster().run(.fullCopy).forecast
    #expect(full["0000:00:02.0"]?.iova?.stillLive == 0)
    let left = try #require(far.iova?.left)
    #expect(full["0000:00:01.0"]?.iova?.left == left - 65536)
    #expect(far.iova?.largestBelow4GiB?.start == 0x1000)
    #expect(far.iova?.largestBelow4GiB?.end == 0xfedf_ffff)
  }

  @Test func theDumpIsStableWhereNothingCanBeWritten() {
    let forecaster = Machine().forecaster()
    #expect(forecaster.run(.disable).forecast.dumpStable)
    let linux = forecaster.run(.linux).forecast
    #expect(!linux.dumpStable)
    // The device without a driver goes on; the pass-through device was attached.
    #expect(linux.changing.pages == 16)
    #expect(linux.changing.anywhere == [])
    let forecast = forecaster.forecast()
    #expect(forecast.changedAfterPanic.pages == 4 * 16)
    #expect(forecast.changedAfterPanic.anywhere == ["0000:00:04.0"])
  }

  @Test func theComparisonNamesWhatExists() {
    let forecast = Machine().forecaster().forecast()
    #expect(forecast.policies.map(\.policy) == Policy.allCases)
    #expect(forecast.recommendation.policy != nil)
    #expect(forecast.recommendation.available == .linux)
    #expect(!forecast.recommendation.reasons.isEmpty)
  }

  @Test func aFullCopyIsProvenAndCosts() throws {
    let full = Machine().forecaster().run(.fullCopy).forecast
    let proof = try #require(full.units.first?.proof)
    #expect(proof.identical)
    #expect(proof.spaces == 5)
    #expect(proof.leaves == 5 * 16)
    // A root, two context tables, five sets of four levels.
    #expect(full.memory.pages == 1 + 2 + 5 * 4)
    #expect(full.memory.levels.map(\.kind).contains("second-stage-1"))
    let linux = Machine().forecaster().run(.linux).forecast
    #expect(linux.memory.pages == 3)
  }
}
