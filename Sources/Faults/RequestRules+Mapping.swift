// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import Translation

/// Rules about addresses that a driver mapped, or once had mapped.
extension RequestRules {
  /// The address lies in a region that firmware asked to keep mapped.
  func reservedRegion() -> Verdict {
    guard let region = facts.result.reservedRegion else {
      return .excluded("a firmware region: none holds the address")
    }
    let range = "\(region.base) to \(region.end)"
    let kind = region.kind == .rmrr ? "RMRR" : "reserved region"
    let owners = region.devices.map(\.description).joined(separator: ", ")
    guard region.devices.contains(.pci(facts.fault.device)) else {
      return .fits(
        Diagnosis(
          .reservedRegion,
          "the address lies in the \(kind) \(range) of \(owners), which does not name this device",
          confirm: "whether firmware drives the device too: its RMRR may name the wrong function"))
    }
    if facts.isMapped || facts.isPassThrough {
      return .fits(
        Diagnosis(
          .reservedRegion,
          "the address lies in the device's \(kind) \(range), which is mapped now: the fault falls "
            + "into the window in which its domain was switched",
          confirm: "whether the line comes from boot, or from an attach of another domain"))
    }
    return .fits(
      Diagnosis(
        .reservedRegion,
        "the address lies in the device's \(kind) \(range), and the tables do not map it: firmware "
          + "or the device still uses a region whose mapping was lost (\(facts.translation.detail))",
        confirm: "who owns the device: domains of VFIO map no regions of firmware"))
  }

  /// The page is mapped, without the right that was asked for.
  func noPermission() -> Verdict {
    guard facts.isMapped else { return .silent }
    guard let access = facts.translation.access, access != "rw",
      !access.contains(facts.fault.kind == .read ? "r" : "w")
    else { return .excluded("a missing right: the page is mapped with the one that was asked for") }
    let direction = access == "r" ? "to the device (DMA_TO_DEVICE)" : "from the device"
    return .fits(
      Diagnosis(
        .noPermission,
        "the device \(facts.verb) a page that is mapped \(access == "r" ? "read-only" : "write-only")"
          + ", for transfers \(direction): a wrong direction in the driver, or a device that writes "
          + "where it should read",
        evidence: ["the page is mapped to \(text(facts.translation.physical))"],
        confirm: "the direction in the driver's call of dma_map_*"))
  }

  /// The address waits in a flush queue.
  func staleTLB() -> Verdict {
    guard facts.node?.state == .pending else {
      return .excluded("a flush queue: the address waits in none")
    }
    return .fits(
      Diagnosis(
        .staleTLB,
        "the address was unmapped and waits in the flush queue: the IOTLB may still have held it "
          + "for some requests and not for others, and the device used it after the driver gave it "
          + "up", evidence: node, confirm: "the same load with iommu.strict=1"))
  }

  /// The address was given back.
  func unmappedInUse() -> Verdict {
    guard let state = facts.node?.state, state == .cached || state == .flushed, facts.isHole else {
      return .excluded("an address that was given back: the allocator has none here in its caches")
    }
    let place = state == .cached ? "lies in a per-CPU cache for reuse" : "waits to be recycled"
    return .fits(
      Diagnosis(
        .unmappedInUse,
        "the address was unmapped and \(place): the driver unmapped the buffer before the device "
          + "stopped using it", evidence: node,
        confirm: "iommuscope history, where the ring of trace events holds the unmap"))
  }

  /// Behind, or in front of, a buffer by no more than its own length.
  func overrun() -> Verdict {
    guard facts.isHole else { return .silent }
    if let node = facts.node {
      guard node.state == .live, let last = facts.lastMapped(in: node), facts.page > last else {
        return .silent
      }
      let first = facts.firstMapped(in: node) ?? node.start.rawValue
      let pages = (last - first) / 4096 + 1
      let whole = (node.end.rawValue - node.start.rawValue) / 4096 + 1
      // alloc_iova_fast rounds sizes that it caches up to a power of two.
      let isRounded = whole.nonzeroBitCount == 1 && pages < whole && pages > whole / 2
      return .fits(
        Diagnosis(
          .overrun,
          "the device ran over the end of a buffer, or the driver mapped one page too few: "
            + "\(distance(facts.page, last + 1)) behind what is mapped of a live allocation, whose "
            + "tail was never mapped"
            + (isRounded ? " (the allocator rounded \(pages) pages up to \(whole))" : ""),
          evidence: [
            "allocation \(node.start) to \(node.end), mapped from \(IOVirtualAddress(first)) to "
              + "\(IOVirtualAddress(last))"
          ],
          confirm: "the length in the device's descriptor against that of the driver's mapping"))
    }
    if let run = facts.result.nearestBelow, let last = FaultFacts.last(run), last < facts.page,
      let buffer = facts.buffer(around: last, in: run), facts.page - 1 - last < buffer.length
    {
      return .fits(
        Diagnosis(
          .overrun,
          "the address is free, next to the live buffer \(buffer.name): the device ran over the end "
            + "of it, \(distance(facts.page, last + 1)) behind, or used a neighbour that was "
            + "unmapped and returned", evidence: ["buffer of \(buffer.length) bytes"],
          confirm: "the length in the device's descriptor against that of the driver's mapping"))
    }
    if let run = facts.result.nearestAbove, run.iova.rawValue > facts.page | 0xfff,
      let buffer = facts.buffer(around: run.iova.rawValue, in: run),
      run.iova.rawValue - facts.page <= buffer.length
    {
      return .fits(
        Diagnosis(
          .overrun,
          "the address is free, in front of the live buffer \(buffer.name), by less than its "
            + "length: the device began too early, or used a neighbour that was unmapped and "
            + "returned", evidence: ["buffer of \(buffer.length) bytes"],
          confirm: "the start in the device's descriptor against that of the driver's mapping"))
    }
    return .excluded("an overrun: no live buffer ends within its own length of the address")
  }

  /// The allocator says in use, the tables say not mapped.
  func revoked() -> Verdict {
    guard facts.isHole, let node = facts.node, node.state == .live || node.state == .unmapped else {
      return .silent
    }
    if node.state == .live, let last = facts.lastMapped(in: node), facts.page > last {
      return .silent
    }
    let cause =
      node.state == .unmapped
      ? "nothing of the allocation is mapped: it was being unmapped and not yet returned, or not "
        + "mapped yet"
      : "other pages of the allocation are mapped: a part of it was unmapped under running I/O, or "
        + "its entry was cleared by corruption"
    return .fits(
      Diagnosis(
        .revoked,
        "the driver still holds the addresses \(node.start) to \(node.end), yet the tables do not map "
          + "this one; \(cause)", evidence: self.node,
        confirm: "iommuscope history: an unmap of these addresses shortly before the fault"))
  }

  /// The tables let the request through now.
  func mappedNow() -> Verdict {
    guard facts.result.stillFaults == false, facts.isMapped || facts.isPassThrough,
      facts.result.reservedRegion == nil, facts.family != .pasidAbsent
    else { return .silent }
    let expected =
      facts.fault.kind == .read ? facts.translation.faultOnRead : facts.translation.faultOnWrite
    guard expected == nil else { return .silent }
    return .fits(
      Diagnosis(
        .mappedNow,
        "the tables let the request through now: the address was mapped or mapped anew after the "
          + "fault, or a stale IOTLB entry answered it",
        evidence: ["now: \(facts.translation.detail)"],
        confirm: "iommuscope history: a map of the address after the fault"))
  }

  private var node: [String] {
    facts.node.map { ["allocator: \($0.start) to \($0.end), \($0.state.rawValue)"] } ?? []
  }

  private func text(_ address: PhysicalAddress?) -> String { address?.description ?? "?" }

  /// `0 bytes`, `1 page`, …
  private func distance(_ high: UInt64, _ low: UInt64) -> String {
    let bytes = high >= low ? high - low : 0
    return bytes == 0 ? "directly" : "\(bytes) bytes"
  }
}
