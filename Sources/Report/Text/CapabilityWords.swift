// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import VTd

/// What a unit can do, in words: CAP and ECAP, a few words each, in groups.
struct CapabilityWords {
  struct Group: Hashable {
    var label: String
    /// Each stands alone, so that two units can be compared word by word.
    var words: [String]
  }

  let groups: [Group]

  init(_ unit: Unit) {
    self.init(unit.capability.rawValue, unit.extendedCapability.rawValue)
  }

  init(_ capability: UInt64, _ extended: UInt64) {
    let (cap, ecap) = (Capability(capability), ExtendedCapability(extended))
    groups = [
      Self.addresses(cap), Self.modes(ecap), Self.pasids(ecap), Self.pages(cap, ecap),
      Self.caches(cap, ecap), Self.interrupts(cap, ecap), Self.rest(cap),
    ]
  }

  /// Words of one side alone; groups without a difference are left out.
  static func difference(
    from old: CapabilityWords, to new: CapabilityWords
  ) -> [(label: String, gone: [String], came: [String])] {
    zip(old.groups, new.groups).compactMap { before, after in
      guard before != after else { return nil }
      return (
        before.label, before.words.filter { !after.words.contains($0) },
        after.words.filter { !before.words.contains($0) }
      )
    }
  }

  /// `48 bits, 256 TiB`.
  static func space(_ bits: Int) -> String {
    let size = bits < 64 ? Quantity.iec(1 << UInt64(max(0, bits))) : "16.0 EiB"
    return "\(bits) bits" + (size.map { ", \($0.replacing(".0 ", with: " "))" } ?? "")
  }

  // MARK: Groups

  private static func addresses(_ cap: Capability) -> Group {
    Group(
      label: "addresses",
      words: ["at most \(space(cap.maximumGuestAddressWidth))"]
        + (2...6).filter { cap.supports(levels: $0) }.map {
          "second stage of \($0) levels (\(space(12 + 9 * $0)))"
        } + said([(cap.firstStage5Level, "first stage of 5 levels")]))
  }

  private static func modes(_ ecap: ExtendedCapability) -> Group {
    Group(
      label: "modes",
      words: said([
        (!ecap.scalableMode && !ecap.extendedContext, "legacy tables alone"),
        (ecap.scalableMode, "scalable mode"), (ecap.extendedContext, "extended mode (deprecated)"),
        (ecap.passThrough, "pass-through"), (ecap.secondStage, "second stage by PASID"),
        (ecap.firstStage, "first stage by PASID"), (ecap.nesting, "nested stages"),
        (ecap.abortDMAMode, "abort-DMA mode"),
      ]))
  }

  private static func pasids(_ ecap: ExtendedCapability) -> Group {
    guard ecap.pasid else { return Group(label: "PASIDs", words: ["none"]) }
    return Group(
      label: "PASIDs",
      words: ["\(ecap.pasidBits) bits"]
        + said([
          (ecap.requesterPASID, "one for requests without PASID"),
          (ecap.pageRequests, "page requests"), (ecap.supervisorRequests, "supervisor requests"),
          (ecap.executeRequests, "execute requests"),
        ]))
  }

  private static func pages(_ cap: Capability, _ ecap: ExtendedCapability) -> Group {
    Group(
      label: "pages",
      words: said([
        (true, "4 KiB"), (cap.secondStage2MiB, "2 MiB"), (cap.secondStage1GiB, "1 GiB"),
        (cap.firstStage1GiB, "1 GiB in the first stage"), (ecap.snoopControl, "snoop control"),
        (ecap.secondStageAccessedDirty, "accessed and dirty bits in the second stage"),
      ]))
  }

  private static func caches(_ cap: Capability, _ ecap: ExtendedCapability) -> Group {
    Group(
      label: "caches",
      words: said([
        (cap.cachingMode, "absent entries are cached too (caching mode, emulated units)"),
        (ecap.queuedInvalidation, "invalidation queue"),
        (!ecap.queuedInvalidation, "invalidation by registers alone"),
        (
          cap.pageSelectiveInvalidation,
          "invalidates single pages, 2^\(cap.maximumAddressMask) at once"
        ),
        (ecap.deviceTLB, "device TLBs (ATS)"),
        (!ecap.pageWalkCoherency, "walks do not snoop, so the driver flushes CPU caches"),
        (cap.requiredWriteBufferFlushing, "software must flush write buffers"),
        (cap.readDraining, "drains reads"), (cap.writeDraining, "drains writes"),
      ]))
  }

  private static func interrupts(_ cap: Capability, _ ecap: ExtendedCapability) -> Group {
    Group(
      label: "interrupts",
      words: said([
        (ecap.interruptRemapping, "remapped"), (!ecap.interruptRemapping, "not remapped"),
        (ecap.extendedInterruptMode, "x2APIC ids"), (cap.postedInterrupts, "posted to guests"),
      ]))
  }

  private static func rest(_ cap: Capability) -> Group {
    Group(
      label: "other",
      words: [
        "\(cap.domainCount) domain-ids", Quantity.count(cap.faultRecordCount, "fault record"),
      ]
        + said([
          (cap.protectedLowMemory, "protected low memory"),
          (cap.protectedHighMemory, "protected high memory"),
        ]))
  }

  private static func said(_ parts: [(Bool, String)]) -> [String] {
    parts.filter(\.0).map(\.1)
  }
}
