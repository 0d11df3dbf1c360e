// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import RemappingState
import Translation
import VTd

/// The rules that turn facts about a fault into what it probably was.
///
/// Each rule looks at the line, at the tables and at the allocator, and says one sentence. They are
/// listed in iommuscope-faults(1).
struct Diagnostician {
  typealias Rule = FaultExplanation.Rule

  let evidence: DumpEvidence
  let fault: FaultLine
  let translation: AddressTranslation
  let domain: Domain?
  let result: FaultExplanation

  func diagnose() -> [FaultExplanation.Diagnosis] {
    let found: [FaultExplanation.Diagnosis] = [
      noContext, badEntry, reservedRegion, noPermission, staleTLB, revoked, unmappedInUse,
      truncated, noDriver, beyondWidth, physicalAddress, neverMapped, mappedNow,
    ].compactMap { $0() }
    guard found.isEmpty else { return found }
    return [
      .init(
        rule: .unknown,
        message: translation.outcome == .unknown
          ? "pages that the dump lacks hide the answer" : "no rule fits")
    ]
  }

  private var code: UInt8? { fault.reason?.rawValue }
  private var verb: String { fault.kind == .read ? "read" : "wrote" }
  private var isMapped: Bool { translation.outcome == .mapped }

  /// Whether the way ends at a page table, whatever it ends with.
  private var reachesPageTables: Bool { domain != nil && translation.outcome != .passThrough }

  private func sentence(_ rule: Rule, _ message: String) -> FaultExplanation.Diagnosis {
    .init(rule: rule, message: message)
  }

  /// The unit found no context for the source id, or finds none now.
  private func noContext() -> FaultExplanation.Diagnosis? {
    let codes: Set<UInt8> = [0x1, 0x2, 0x39, 0x41, 0x51, 0x59]
    let isReported = code.map { codes.contains($0) } ?? false
    let endsAbove = !reachesPageTables && translation.outcome == .notMapped
    guard isReported || endsAbove else { return nil }
    if !endsAbove {
      return sentence(
        .noContext,
        "the device had no context then and has one now: it used the bus before its domain was "
          + "attached, or between two domains")
    }
    if !result.aliasOf.isEmpty {
      return sentence(
        .noContext,
        "the source id is an alias of \(result.aliasOf.map(\.description).joined(separator: ", ")) "
          + "and has no context of its own: \(translation.detail)")
    }
    if evidence.kernel != nil, evidence.device(fault.device) == nil {
      return sentence(
        .noContext,
        "Linux knows no such device: a phantom or hidden function, or one that was removed, "
          + "still uses the bus (\(translation.detail))")
    }
    return sentence(
      .noContext,
      "the device has no context: its domain was detached, or none was ever attached, and it "
        + "still uses the bus (\(translation.detail))")
  }

  /// Reserved bits or values that the unit refuses.
  private func badEntry() -> FaultExplanation.Diagnosis? {
    let codes: Set<UInt8> = [
      0x3, 0x7, 0x8, 0x9, 0xa, 0xb, 0xc, 0x38, 0x3a, 0x40, 0x42, 0x43, 0x50, 0x52, 0x58, 0x5a,
      0x5b, 0x70, 0x72, 0x73, 0x78, 0x7a, 0x7b,
    ]
    guard let code, codes.contains(code) else { return nil }
    return sentence(
      .badEntry,
      result.stillFaults == true
        ? "an entry is corrupt: \(translation.detail)"
        : "an entry was corrupt or out of reach at that time; now: \(translation.detail)")
  }

  /// The address lies in a region that firmware asked to keep mapped.
  private func reservedRegion() -> FaultExplanation.Diagnosis? {
    guard let region = result.reservedRegion else { return nil }
    let range = "\(region.base) to \(region.end)"
    let kind = region.kind == .rmrr ? "RMRR" : "reserved region"
    let owners = region.devices.map(\.description).joined(separator: ", ")
    guard region.devices.contains(.pci(fault.device)) else {
      return sentence(
        .reservedRegion,
        "the address lies in the \(kind) \(range) of \(owners), which does not name this device")
    }
    if translation.outcome == .mapped || translation.outcome == .passThrough {
      return sentence(
        .reservedRegion,
        "the address lies in the device's \(kind) \(range), which is mapped now: the fault falls "
          + "into the window in which its domain was switched")
    }
    return sentence(
      .reservedRegion,
      "the address lies in the device's \(kind) \(range), and the tables do not map it: firmware "
        + "or the device still uses a region whose mapping was lost (\(translation.detail))")
  }

  /// The page is mapped, without the right that was asked for.
  private func noPermission() -> FaultExplanation.Diagnosis? {
    guard isMapped, let access = translation.access, access != "rw",
      !access.contains(fault.kind == .read ? "r" : "w")
    else { return nil }
    let direction = access == "r" ? "to the device (DMA_TO_DEVICE)" : "from the device"
    return sentence(
      .noPermission,
      "the device \(verb) a page that is mapped \(access == "r" ? "read-only" : "write-only"), for "
        + "transfers \(direction): a wrong direction in the driver, or a device that writes where "
        + "it should read")
  }

  /// The address waits in a flush queue.
  private func staleTLB() -> FaultExplanation.Diagnosis? {
    guard result.allocator?.state == "pending" else { return nil }
    return sentence(
      .staleTLB,
      "the address was unmapped and waits in the flush queue: the IOTLB may still have held it "
        + "for some requests and not for others, and the device used it after the driver gave it "
        + "up")
  }

  /// The allocator says in use, the tables say not mapped.
  private func revoked() -> FaultExplanation.Diagnosis? {
    guard reachesPageTables, translation.outcome == .notMapped, let allocator = result.allocator,
      ["live", "unmapped"].contains(allocator.state), let start = allocator.start,
      let end = allocator.end
    else { return nil }
    return sentence(
      .revoked,
      "the driver still holds the addresses \(start) to \(end), yet the tables do not map this "
        + "one: its entry was cleared under running I/O, by an unmap that had not yet returned "
        + "the addresses, or by corruption")
  }

  /// The address was given back.
  private func unmappedInUse() -> FaultExplanation.Diagnosis? {
    guard let state = result.allocator?.state, ["cached", "flushed"].contains(state),
      translation.outcome == .notMapped
    else { return nil }
    let place = state == "cached" ? "lies in a per-CPU cache for reuse" : "waits to be recycled"
    return sentence(
      .unmappedInUse,
      "the address was unmapped and \(place): the driver unmapped the buffer before the device "
        + "stopped using it")
  }

  /// A live address whose upper bits were cut gives the one that faulted.
  private func truncated() -> FaultExplanation.Diagnosis? {
    guard reachesPageTables, translation.outcome == .notMapped,
      let runs = domain?.mapping?.runs
    else { return nil }
    let page = fault.value & ~0xfff
    for width: UInt64 in [24, 28, 30, 31, 32, 36, 39, 40, 44, 47, 48] where page >> width == 0 {
      let span = (1 as UInt64) << width
      for run in runs {
        let first = run.iova.rawValue
        let last = first &+ (run.length.rawValue &- 1)
        guard first >= span || last >= span, last >= first else { continue }
        // The run's only address of this page modulo 2^width, from its start on.
        let distance = (page &- first) & (span - 1)
        guard distance <= last - first, first + distance >= span else { continue }
        return sentence(
          .truncated,
          "\(IOVirtualAddress(first + distance)) is mapped, and its low \(width) bits are this "
            + "address: the device's DMA mask is wider than the address bits it really drives, or "
            + "the driver stored the address in too small a field")
      }
    }
    return nil
  }

  /// Nobody drives the device.
  private func noDriver() -> FaultExplanation.Diagnosis? {
    guard translation.outcome == .notMapped, let device = evidence.device(fault.device),
      device.driver == nil
    else { return nil }
    return sentence(
      .noDriver,
      "no kernel driver is bound to the device, so no one mapped anything for it: it was left "
        + "running by firmware or a driver that is gone, or was set going by hand")
  }

  /// More bits than the tables or the unit translate.
  private func beyondWidth() -> FaultExplanation.Diagnosis? {
    guard let code, [0x4, 0x80, 0x83, 0x84].contains(code) else { return nil }
    return sentence(
      .beyondWidth,
      "the address has more bits than are translated: a corrupt descriptor, or a device that "
        + "sends all ones when it fails")
  }

  /// The number is that of a page of memory which the device knows under other addresses.
  private func physicalAddress() -> FaultExplanation.Diagnosis? {
    guard reachesPageTables, translation.outcome == .notMapped else { return nil }
    let page = fault.value & ~0xfff
    let run = domain?.mapping?.runs.first {
      $0.physical.rawValue <= page && page - $0.physical.rawValue < $0.length.rawValue
    }
    guard let run else { return nil }
    return sentence(
      .physicalAddress,
      "the number is the physical address of a page that the device may reach as "
        + "\(IOVirtualAddress(run.iova.rawValue &+ (page - run.physical.rawValue))): the driver "
        + "or firmware handed out a physical address instead of the one from the DMA API")
  }

  /// The allocator knows nothing of the address.
  private func neverMapped() -> FaultExplanation.Diagnosis? {
    guard reachesPageTables, translation.outcome == .notMapped,
      result.allocator == nil || result.allocator?.state == "free"
    else { return nil }
    let neighbours = [result.nearestBelow, result.nearestAbove].compactMap { run -> String? in
      guard let run else { return nil }
      let end = run.iova.rawValue &+ (run.length.rawValue &- 1)
      let distance =
        run.iova.rawValue > fault.value
        ? run.iova.rawValue - fault.value : fault.value &- end
      return distance < 1 << 21 ? "\(run.iova) to \(IOVirtualAddress(end))" : nil
    }
    if !neighbours.isEmpty {
      return sentence(
        .neverMapped,
        "the address is free, next to the live range \(neighbours.joined(separator: " and ")): the "
          + "device ran over the end of a buffer, or used one that was unmapped and whose "
          + "addresses were returned")
    }
    return sentence(
      .neverMapped,
      "the address is in no live range and the allocator does not know it: it was never mapped, "
        + "or was unmapped and returned long before the crash")
  }

  /// The tables let the request through now.
  private func mappedNow() -> FaultExplanation.Diagnosis? {
    guard result.stillFaults == false, isMapped || translation.outcome == .passThrough,
      result.reservedRegion == nil
    else { return nil }
    let expected = fault.kind == .read ? translation.faultOnRead : translation.faultOnWrite
    guard expected == nil else { return nil }
    return sentence(
      .mappedNow,
      "the tables let the request through now: the address was mapped or mapped anew after the "
        + "fault, or a stale IOTLB entry answered it")
  }
}
