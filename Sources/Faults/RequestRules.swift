// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Memory
internal import RemappingState
internal import Translation
internal import VTd

/// The rules that turn facts about a refused request into what it probably was.
///
/// Each looks at the line, the tables and the allocator, and either fits, with the evidence that it
/// rests on, or tells what is excluded. They are listed in iommuscope-faults(1).
struct RequestRules {
  typealias Diagnosis = FaultExplanation.Diagnosis

  enum Verdict {
    case fits(Diagnosis)
    /// Not the cause, for the reason told in half a sentence.
    case excluded(String)
    /// The rule has nothing to say here.
    case silent
  }

  let facts: FaultFacts

  init(_ facts: FaultFacts) { self.facts = facts }

  /// What fits, most likely first; if nothing does, what was excluded.
  func judge() -> (diagnosis: [Diagnosis], excluded: [String]) {
    if case .fits(let foreign) = noUnit() { return ([foreign], []) }
    if facts.isOfCrashKernel, facts.result.crashKernel?.fits != false,
      case .fits(let foretold) = crashKernel()
    {
      return ([foretold], [])
    }
    var found: [Diagnosis] = []
    var excluded: [String] = []
    for verdict in [
      beyondWidth(), interruptWindow(), pasid(), noContext(), badEntry(),
      reservedRegion(), noPermission(), staleTLB(), unmappedInUse(), overrun(), revoked(),
      peerToPeer(), truncated(), nullPointer(), noDriver(), physicalAddress(), unmanaged(),
      mappedNow(),
    ] {
      switch verdict {
      case .fits(let diagnosis): found.append(diagnosis)
      case .excluded(let why): excluded.append(why)
      case .silent: break
      }
    }
    switch crashKernel() {
    case .fits(let diagnosis):
      // First where the crashed kernel's log speaks against that kernel.
      found.insert(diagnosis, at: facts.absentFromLog == nil ? found.endIndex : 0)
    case .excluded(let why): excluded.append(why)
    case .silent: break
    }
    // The allocator's silence is the cause only where nothing tells more.
    let telling: Set<FaultExplanation.Rule> = [
      .overrun, .nullPointer, .peerToPeer, .truncated, .physicalAddress, .unmanaged, .beyondWidth,
      .interruptWindow, .reservedRegion,
    ]
    if found.allSatisfy({ !telling.contains($0.rule) }), let free = notInAllocator() {
      found.append(free)
    }
    guard found.isEmpty else { return (found, []) }
    if facts.isUnknown {
      return (
        [
          Diagnosis(.unknown, "the dump does not hold what would tell: \(facts.translation.detail)")
        ],
        excluded
      )
    }
    return ([Diagnosis(.unknown, "no rule fits")], excluded)
  }

  // MARK: The address itself

  /// More bits than the tables or the unit translate, whatever the code.
  func beyondWidth() -> Verdict {
    let isReported = facts.family == .beyondWidth || facts.family == .notCanonical
    guard facts.isBeyondWidth || isReported else {
      return .excluded("too wide an address: it has no more bits than are translated")
    }
    let needed = 64 - facts.fault.value.leadingZeroBitCount
    guard facts.isBeyondWidth else {
      return .fits(
        Diagnosis(
          .beyondWidth,
          "the unit found the address too wide, although the tables of the dump translate as many "
            + "bits: they were others when it happened",
          evidence: ["the address has \(needed) bits"]))
    }
    var shape = ": a corrupt descriptor, or a field of the wrong size"
    if facts.fault.value >> 12 == .max >> 12 {
      shape = ": all ones, as a device sends that reads its descriptors from nowhere"
    } else if facts.fault.value >> 32 == 0xffff_ffff {
      shape = ": its upper half is all ones, as of a 32-bit number that was extended with its sign"
    }
    let limit =
      facts.width.map { "more than the \($0.bits) bits that \($0.by)" }
      ?? "which is not canonical for the device's first-stage tables"
    let pointer = facts.kernelPointer
    if let pointer {
      shape = ": it is \(pointer); a driver handed out a pointer instead of a DMA address"
    }
    return .fits(
      Diagnosis(
        .beyondWidth, "the address needs \(needed) bits, \(limit)\(shape)",
        confirm: "the descriptors of the device in its rings: one of them holds this number"))
  }

  /// Requests into the interrupt window are interrupts, not accesses to memory.
  func interruptWindow() -> Verdict {
    let isInside = facts.isInInterruptWindow
    guard isInside || facts.family == .interruptWindow else { return .silent }
    guard isInside else {
      return .fits(
        Diagnosis(
          .interruptWindow,
          "the address translates into the interrupt window 0xfee00000 to 0xfeefffff, where a device "
            + "must not read or write memory: a wrong mapping"))
    }
    return .fits(
      Diagnosis(
        .interruptWindow,
        "the address lies in the interrupt window 0xfee00000 to 0xfeefffff, which is never "
          + "translated: a message-signalled interrupt that is no write of four bytes, or an "
          + "ordinary transfer that went astray",
        confirm: "the device's MSI or MSI-X table, and whether interrupt remapping is on"))
  }

  // MARK: Above the page tables

  /// A request with PASID that ends before it reaches page tables.
  func pasid() -> Verdict {
    guard let pasid = facts.fault.pasid else {
      if facts.family == .pasidAbsent, case .notPresent = facts.ending {
        return .fits(
          Diagnosis(
            .pasid,
            "a request without PASID goes by the PASID that the context names, and that one is not "
              + "bound: the device was not attached yet, or is not any more "
              + "(\(facts.translation.detail))"))
      }
      return .silent
    }
    let name = "PASID \(pasid)"
    let what: String
    switch facts.ending {
    case .pasidsOff:
      what =
        facts.unit?.tableMode == .scalable
        ? "the device's context is there, but requests with PASID are not enabled in it (PASIDE 0): "
          + "the driver has not enabled PASIDs, or has disabled them again"
        : "the unit is in \(facts.unit?.tableMode.rawValue ?? "legacy") mode, which serves no "
          + "requests with PASID at all: scalable mode is off (intel_iommu=sm_on turns it on)"
    case .beyondDirectory(let pasids):
      what = "\(name) is beyond the device's directory, which is for \(pasids) PASIDs"
    case .notPresent(.pasidDirectory), .notPresent(.pasidDirectoryEntry), .notPresent(.pasidTable),
      .notPresent(.pasidEntry):
      what =
        "the device's context is there, but \(name) is not bound: the process or domain behind it "
        + "was detached while the device still used it, or it never was attached"
    default:
      guard [.pasidsOff, .pasidBeyond, .pasidAbsent].contains(facts.family),
        facts.reachesPageTables || facts.isPassThrough
      else { return .silent }
      what = "\(name) was not served then and is now: it was bound after the fault"
    }
    return .fits(
      Diagnosis(
        .pasid, what, evidence: boundPASIDs,
        confirm: "the driver's calls of iommu_attach_device_pasid or iommu_sva_bind_device"))
  }

  private var boundPASIDs: [String] {
    let bound = facts.evidence.state.contexts.filter {
      $0.device == facts.fault.device && $0.pasid != nil
    }.compactMap(\.pasid)
    guard facts.unit?.tableMode == .scalable else { return [] }
    let own = facts.evidence.state.contexts.first {
      $0.device == facts.fault.device && $0.servesRequestsWithoutPASID
    }?.pasid
    return [
      bound.isEmpty
        ? "no PASID is bound for the device"
        : "PASIDs with an entry: "
          + bound.prefix(8).map { $0 == own ? "\($0) (requests without PASID)" : "\($0)" }
          .joined(separator: ", ") + (bound.count > 8 ? ", …" : "")
    ]
  }

  /// The unit found no context for the source id, or finds none now.
  func noContext() -> Verdict {
    let isReported = facts.family == .rootAbsent || facts.family == .contextAbsent
    let endsAbove: Bool
    switch facts.ending {
    case .notPresent(.rootTable), .notPresent(.rootEntry), .notPresent(.contextTable),
      .notPresent(.contextEntry):
      endsAbove = true
    case .notPresent: endsAbove = facts.fault.pasid == nil
    case .path(let path): endsAbove = path.kind == .none && path.pasid == nil && isReported
    default: endsAbove = false
    }
    guard isReported || endsAbove else {
      return .excluded("a missing context: the source id has one")
    }
    guard !facts.isUnknown else { return .silent }
    let detail = facts.translation.detail
    if !endsAbove {
      return .fits(
        Diagnosis(
          .noContext,
          "the device had no context then and has one now: it used the bus before its domain was "
            + "attached, or between two domains",
          confirm: "whether the line is older than the driver's first message about the device"))
    }
    let aliases = facts.result.aliasOf
    if !aliases.isEmpty {
      return .fits(
        Diagnosis(
          .noContext,
          "the source id is an alias of \(aliases.map(\.description).joined(separator: ", ")) "
            + "and has no context of its own: requests of those devices arrive under it and are "
            + "refused (\(detail))",
          // Source: drivers/iommu/intel/pasid.c, pci_pasid_table_setup.
          evidence: facts.unit?.tableMode == .scalable
            ? ["in scalable mode Linux sets up a device's own source id and skips its aliases"]
            : [],
          confirm: "a context for \(facts.fault.device) in the tables of a machine that works"))
    }
    if facts.result.isKnownDevice == false {
      return .fits(
        Diagnosis(
          .noContext,
          "Linux knows no such device: a phantom or hidden function, or one that was removed, "
            + "still uses the bus (\(detail))",
          confirm: "lspci on the running machine, and messages of hot-plug in the log"))
    }
    return .fits(
      Diagnosis(
        .noContext,
        "the device has no context: its domain was detached, or none was ever attached, and it "
          + "still uses the bus (\(detail))",
        confirm: "who had the device last: a driver, vfio-pci, or firmware"))
  }

  /// Reserved bits or values that the unit refuses, and tables that it cannot reach.
  func badEntry() -> Verdict {
    let codes: Set<FaultFamily> = [
      .rootCorrupt, .contextCorrupt, .pagingCorrupt, .pasidCorrupt, .unreachable,
    ]
    let isCorrupt: Bool
    switch facts.ending {
    case .refused: isCorrupt = true
    case .path(let path): isCorrupt = path.kind != .none && path.refusal != nil
    default: isCorrupt = false
    }
    guard codes.contains(facts.family) || isCorrupt else {
      return .excluded("a corrupt entry: none on the way has reserved bits or impossible fields")
    }
    // An index from bits that no table has leads anywhere.
    guard !facts.isBeyondWidth else { return .silent }
    let detail = facts.translation.detail
    return .fits(
      Diagnosis(
        .badEntry,
        facts.result.stillFaults == true || isCorrupt
          ? "an entry is corrupt: \(detail)"
          : "an entry was corrupt or out of reach at that time; now: \(detail)",
        confirm:
          "what the page of the entry was used for, and who could write it: iommuscope owners"
      ))
  }
}

extension ReportedFault {
  var family: FaultFamily {
    UInt8(exactly: code.rawValue).map { FaultReason($0).family } ?? .other
  }
}
