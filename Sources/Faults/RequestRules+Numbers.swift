// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Memory
internal import RemappingState

/// Rules about numbers that never were addresses of the device.
extension RequestRules {
  /// Address 0, or a small offset from it.
  static let nullPage: UInt64 = 0x1_0000

  func nullPointer() -> Verdict {
    guard facts.isHole, facts.page < Self.nullPage, facts.isFree || facts.isSetAside,
      facts.result.reservedRegion == nil
    else { return facts.isHole ? .excluded("a null address: the number is not near 0") : .silent }
    let what =
      facts.page == 0
      ? "address 0" : "\(IOVirtualAddress(facts.page)), a small offset from address 0"
    return .fits(
      Diagnosis(
        .nullPointer,
        "\(what): the device was given a null address. A descriptor that was never filled in or was "
          + "cleared too early, a register that a reset set to 0, or a device that runs before its "
          + "driver set it up",
        confirm: "the device's descriptors: which of them holds 0; whether its driver was loaded"))
  }

  /// The number is that of device registers, which only a physical address reaches.
  func peerToPeer() -> Verdict {
    guard facts.isHole, facts.result.reservedRegion == nil else { return .silent }
    guard let window = facts.result.window else {
      return .excluded("a peer-to-peer transfer: no host bridge forwards the address")
    }
    var target =
      "lies in the host bridge's window \(window.name), \(window.start) to \(window.end), which is "
      + "for device memory, though no BAR that the kernel knows is there"
    if window.isOfPlatform {
      target = "is registers of the platform, \(window.name), \(window.start) to \(window.end)"
    }
    if let device = window.device {
      let driver = facts.evidence.device(device)?.driver.map { " (\($0))" } ?? ""
      target = "is in a BAR of \(device)\(driver), \(window.start) to \(window.end)"
    }
    return .fits(
      Diagnosis(
        .peerToPeer,
        "as a physical address the number \(target): a peer-to-peer transfer, or a driver that "
          + "handed out a physical address; the device's domain does not map it",
        evidence: facts.node.map { ["the allocator keeps \($0.start) to \($0.end) free for it"] }
          ?? [],
        confirm: window.isOfPlatform
          ? "what the device was told to reach there: such registers are the processor's alone"
          : "whether the driver maps the peer with dma_map_resource or pci_p2pdma; without, it "
            + "works only in pass-through"))
  }

  /// A live address whose upper bits were cut gives the one that faulted.
  func truncated() -> Verdict {
    guard facts.isHole, let runs = facts.domain?.mapping?.runs, facts.page != 0 else {
      return .silent
    }
    let page = facts.page
    for width: UInt64 in [24, 28, 30, 31, 32, 36, 39, 40, 44, 47, 48] where page >> width == 0 {
      let span = (1 as UInt64) << width
      for run in runs {
        let first = run.iova.rawValue
        guard let last = FaultFacts.last(run), first >= span || last >= span else { continue }
        // The run's only address of this page modulo 2^width, from its start on.
        let distance = (page &- first) & (span - 1)
        guard distance <= last - first, first + distance >= span else { continue }
        return .fits(
          Diagnosis(
            .truncated,
            "\(IOVirtualAddress(first + distance)) is mapped, and its low \(width) bits are this "
              + "address: the device's DMA mask is wider than the address bits it really drives, or "
              + "the driver stored the address in too small a field",
            evidence: ["the run \(run.iova) to \(IOVirtualAddress(last)) is live"],
            confirm: "the driver's dma_set_mask against the device's data sheet"))
      }
    }
    return .excluded("cut upper bits: no live address ends in these bits")
  }

  /// Nobody drives the device.
  func noDriver() -> Verdict {
    guard facts.isRefused, facts.ending?.isOpen == true,
      let device = facts.evidence.device(facts.fault.device)
    else { return .silent }
    if let driver = device.driver { return .excluded("a device without driver: \(driver) has it") }
    return .fits(
      Diagnosis(
        .noDriver,
        "no kernel driver is bound to the device, so no one mapped anything for it: it was left "
          + "running by firmware or a driver that is gone, or was set going by hand",
        confirm: "whether bus mastering was on before any driver was bound (lspci -vv, BusMaster+)")
    )
  }

  /// The number is that of a page of memory which the device knows under other addresses.
  func physicalAddress() -> Verdict {
    guard facts.isHole else { return .silent }
    let page = facts.page
    let run = facts.domain?.mapping?.runs.first {
      $0.physical.rawValue <= page && page - $0.physical.rawValue < $0.length.rawValue
    }
    guard let run else {
      return .excluded("a physical address of a mapped page: none has this number")
    }
    return .fits(
      Diagnosis(
        .physicalAddress,
        "the number is the physical address of a page that the device may reach as "
          + "\(IOVirtualAddress(run.iova.rawValue &+ (page - run.physical.rawValue))): the driver "
          + "or firmware handed out a physical address instead of the one from the DMA API",
        confirm: "virt_to_phys or page_to_phys where the driver fills in its descriptors"))
  }

  /// The domain is not the kernel's own, so its addresses are another's choice.
  func unmanaged() -> Verdict {
    guard facts.isHole, facts.domain?.type == .unmanaged else { return .silent }
    return .fits(
      Diagnosis(
        .unmanaged,
        "the device's domain is not managed by the DMA API but by who took the device, such as VFIO "
          + "for a virtual machine: the address is a guest's physical address that is not mapped "
          + "there, such as a hole, a region of firmware, or memory that was unplugged",
        confirm: "the guest's memory map, and its own faults where it has a remapping unit"))
  }

  /// The allocator knows nothing of the address.
  func notInAllocator() -> Diagnosis? {
    guard facts.isHole, facts.isFree else { return nil }
    let memory = facts.evidence.state.memoryMap.contains {
      $0.kind == .memory && $0.start.rawValue <= facts.page && facts.page <= $0.end.rawValue
    }
    return Diagnosis(
      .notInAllocator,
      facts.domain?.iova == nil
        ? "the address is in no live range, and the dump has no allocator of the domain: whether it "
          + "ever was mapped is not known"
        : "the address is not known to the allocator and in no live range: it was never mapped, or "
          + "was unmapped and returned long before the crash",
      confirm: memory
        ? "as a physical address the number is memory: iommuscope owners "
          + "\(PhysicalAddress(facts.page)) tells of what, if the driver gave that out"
        : "iommuscope history: an unmap of the address, if the ring reaches back that far")
  }
}
