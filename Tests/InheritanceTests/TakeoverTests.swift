// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import TableFixtures
import Testing

/// Which units the kernel's code copies, and which domain-ids it sets aside.
struct TakeoverTests {
  private func unit(
    _ variant: CopyVariant, mode: TableMode = .legacy, ecap: UInt64 = 0x40, line: String = "",
    change: (inout Unit) -> Void = { _ in }
  ) -> UnitForecast? {
    var machine = Machine()
    machine.state.units[0].tableMode = mode
    machine.state.units[0].extendedCapability = HexWord(ecap)
    change(&machine.state.units[0])
    return machine.forecaster(
      ForecastOptions(variant: variant, commandLine: CrashCommandLine(line))
    ).run(.linux).forecast.units.first
  }

  private static let scalableCapability: UInt64 = 0x40 | 1 << 43

  @Test func legacyTablesAreCopied() {
    #expect(unit(.v1)?.outcome == .copied)
    #expect(unit(.v2a)?.outcome == .copied)
  }

  @Test func kernelsBeforeTheCopySwitchTranslationOff() {
    #expect(unit(.v0)?.outcome == .disabled)
  }

  @Test func theOldCodeRefusesUnitsThatAnnounceExtendedMode() {
    #expect(unit(.v1, ecap: 0x40 | 1 << 24)?.outcome == .refused)
    #expect(unit(.v2b, ecap: 0x40 | 1 << 24)?.outcome == .copied)
  }

  @Test func theModeCannotChangeWhileTranslationIsOn() {
    #expect(
      unit(.v2b, ecap: Self.scalableCapability, line: "intel_iommu=sm_on")?.outcome == .refused)
    #expect(
      unit(.v2b, mode: .scalable, ecap: Self.scalableCapability, line: "intel_iommu=sm_off")?
        .outcome == .refused)
    #expect(unit(.v2b, mode: .scalable, ecap: Self.scalableCapability)?.outcome == .copied)
  }

  @Test func theOldCodeBreaksScalableMode() {
    let broken = unit(.v1, mode: .scalable, ecap: Self.scalableCapability)
    #expect(broken?.outcome == .partial)
    #expect(broken?.reason?.contains("PASID") == true)
  }

  @Test func unitsThatDidNotTranslateHaveNothingToInherit() {
    #expect(unit(.v2b) { $0.translationEnabled = false }?.outcome == .disabled)
    #expect(unit(.v2b) { $0.translationEnabled = nil }?.outcome == .disabled)
    #expect(unit(.v2b) { $0.rootTable = nil }?.outcome == .refused)
    // The dump lacks it, which is no refusal of the crash kernel.
    #expect(unit(.v2b) { $0.rootTable = 0xdead_f000 }?.outcome == .partial)
    #expect(unit(.v2b) { $0.ignored = true }?.outcome == .refused)
  }

  @Test func aRefusedUnitIsOpenAndThenBlocked() {
    var machine = Machine()
    machine.state.units[0].extendedCapability = HexWord(0x40 | 1 << 24)
    let forecast = machine.forecaster(ForecastOptions(variant: .v1)).run(.linux).forecast
    #expect(forecast["0000:00:03.0"]?.at.all == [.physical, .blocked, .blocked, .blocked])
    #expect(forecast["0000:00:03.0"]?.faultReason.all == [nil, 1, 1, 1])
  }

  @Test func oneBusThatFailsMakesThePartOfACopy() {
    var machine = Machine()
    machine.tables.memory[0x1000 + 9 * 16] = 0xdead_b001
    #expect(machine.forecaster().run(.linux).forecast.units.first?.outcome == .partial)
    machine.refresh()
  }

  // MARK: Domain-ids

  @Test func aBitmapReservesWhatWasCopied() {
    let ids = unit(.v2b)?.domainIDs
    #expect(ids?.reserved == [0, 3, 4, 5, 8, 12, 40])
    #expect(ids?.firstFree == 1)
    #expect(ids?.remaining == 256 - 7)
    #expect(ids?.lost == [])
  }

  @Test func anIDThatIsTakenWithoutAUserIsSetAside() {
    let ids = unit(.v2b) { $0.domainIDs.used = [0, 1, 3] }?.domainIDs
    #expect(ids?.reserved.prefix(2) == [0, 1])
    #expect(ids?.firstFree == 2)
  }

  @Test func anAllocatorThatStartsAtTwo() {
    var machine = Machine()
    machine.facts.traits.allocatesIDsFromTwo = true
    let ids = machine.forecaster().run(.linux).forecast.units.first?.domainIDs
    #expect(ids?.reserved == [3, 4, 5, 8, 12, 40])
    #expect(ids?.firstFree == 2)
    #expect(ids?.remaining == 254 - 6)
  }

  @Test func isolationKeepsOnlyTheIDsOfFirmware() {
    let forecast = Machine().forecaster().run(.isolate).forecast
    #expect(forecast.units.first?.domainIDs.reserved == [0, 8])
    #expect(forecast.units.first?.outcome == .isolated)
  }

  @Test func theFullCopyReservesAll() {
    let forecast = Machine().forecaster().run(.fullCopy).forecast
    #expect(forecast.units.first?.domainIDs.reserved == [0, 3, 4, 5, 8, 12, 40])
  }

  // MARK: A crash kernel's own dump

  @Test func contextsThatWereInheritedAreTold() {
    var machine = Machine()
    machine.state.units[0].copiedContexts = ["0000:00:01.0"]
    #expect(machine.forecaster().forecast().inherited.map(\.by) == ["bitmap"])
    machine.state.units[0].copiedContexts = []
    #expect(machine.forecaster().forecast().inherited == [])
    // Bit 67 of the first context.
    machine.state.contexts[0].raw[1] = HexWord(machine.state.contexts[0].raw[1].rawValue | 8)
    let marked = machine.forecaster(ForecastOptions(variant: .v1)).forecast().inherited
    #expect(marked.map(\.device) == ["0000:00:01.0"])
    #expect(marked.map(\.by) == ["marker"])
  }

  @Test(arguments: [
    (false, false, false, false, CopyVariant.v0, false), (true, false, false, false, .v1, false),
    (true, true, false, false, .v2a, true), (true, true, true, false, .v2a, true),
    (true, true, true, true, .v2b, false),
  ])
  func theVariantFollowsFromTheTypes(
    _ flags: Bool, _ bitmap: Bool, _ ida: Bool, _ maximum: Bool, _ variant: CopyVariant,
    _ isAmbiguous: Bool
  ) {
    let traits = CrashKernelTraits(
      hasFlags: flags, hasBitmap: bitmap, hasIDA: ida, hasMaximumID: maximum)
    #expect(traits.variant == variant)
    #expect(traits.isAmbiguous == isAmbiguous)
    #expect(traits.allocatesIDsFromTwo == ida)
  }
}
