// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import VTd

extension Forecaster {
  /// What one device's old transfers meet from T1 to T4, and what follows from it.
  func forecast(
    of device: DeviceFacts, _ plan: PolicyPlan, _ unit: SwitchedUnit?
  ) -> DeviceForecast {
    var device = device
    // A driver whose domain is the identity is never attached: its map calls do nothing.
    let isIdentity = plan.attach == .newDomain && isGivenIdentity(device)
    let wantsIdentity = isIdentity && device.attaches
    if isIdentity { device.attaches = false }
    let (fates, faults, remark) = fates(of: device, plan, unit)
    let pasids = pasids(of: device, plan, unit)
    let exposure = exposure(of: device, fates, pasids)
    let iova = iova(of: device, plan, fates)
    var (verdict, reason) = judge(
      device, plan, unit, fates, exposure, iova, remark: remark)
    if device.inFlight, let lost = Self.lostRequests(pasids) {
      verdict = max(verdict, .risky)
      reason += "; \(lost)"
    }
    if wantsIdentity, fates[2] == .translated || fates[2] == .blocked {
      verdict = max(verdict, .risky)
      reason +=
        "; its driver is given the identity, which is never attached: its own transfers meet the "
        + "inherited tables"
    }
    return DeviceForecast(
      device: device.name,
      at: .init(t1: fates[0], t2: fates[1], t3: fates[2], t4: fates[3]),
      faultReason: .init(t1: faults[0], t2: faults[1], t3: faults[2], t4: faults[3]),
      exposure: exposure, verdict: verdict, reason: reason, unit: device.unit,
      driver: device.driver, attaches: device.attaches, inFlight: device.inFlight,
      firmwareRegions: firmwareRegions(of: device, plan, fates), iova: iova, pasids: pasids)
  }

  /// Whether the crash kernel's driver of a device gets the identity domain.
  ///
  /// Where nothing is known of its command line, the crash kernel, which has the crashed kernel's
  /// configuration and nearly its line, is taken to choose as that one did. A line that is known and
  /// does not say leaves what the crashed kernel had without its own words.
  private func isGivenIdentity(_ device: DeviceFacts) -> Bool {
    if let said = options.commandLine.passThrough { return said }
    if !options.commandLine.words.isEmpty, facts.defaultsToIdentity == true,
      facts.defaultIsFromCommandLine == true
    {
      return false
    }
    return device.defaultsToIdentity ?? facts.defaultsToIdentity ?? false
  }

  // MARK: Fates

  private func fates(
    of device: DeviceFacts, _ plan: PolicyPlan, _ unit: SwitchedUnit?
  ) -> (fates: [Fate], faults: [Int?], remark: String?) {
    if plan.resetsFirst, device.resetObstacle == nil {
      return (Array(repeating: .silent, count: 4), Array(repeating: nil, count: 4), nil)
    }
    // A device that no unit translates for.
    guard let unit, device.situation != .untranslated || !(unit.isOff) else {
      return (Array(repeating: .physical, count: 4), Array(repeating: nil, count: 4), nil)
    }
    let isScalable = unit.isScalable
    // What a kernel does with a context that the dump lacks, it does with a context like the others.
    let isHidden = device.lack == .context
    func before() -> (Fate, Int?) {
      guard !isHidden else { return (.translated, nil) }
      return switch device.situation {
      case .translated: (.translated, nil)
      case .passThrough: (.passThrough, nil)
      case .untranslated: (.physical, nil)
      case .refused:
        (
          .blocked,
          device.refusal
            ?? (isScalable
            ? FaultReason.pasidEntryNotPresent : .contextEntryInvalid(isScalable: false)).code
        )
      case .noContext:
        (.blocked, FaultReason.contextEntryNotPresent(isScalable: isScalable).code)
      }
    }
    if unit.isOff {
      return (Array(repeating: .physical, count: 4), Array(repeating: nil, count: 4), nil)
    }
    var reading = unit.reading(of: device.function.sourceID)
    if reading.remark == nil { reading.remark = unit.remarks[device.function.sourceID] }
    if device.situation == .untranslated, unit.rootTable == nil, !unit.isDisabledFirst {
      reading = .init(fate: .physical)
    }
    if isHidden, plan.keepsMappings { reading = .init(fate: .translated) }
    // T2 first: T1 may already be what T2 is.
    let second: (Fate, Int?) = (reading.fate, reading.faultReason)
    let first: (Fate, Int?) =
      unit.isDisabledFirst ? (.physical, nil) : plan.blocksFirst ? second : before()
    var third = second
    if device.attaches, !unit.neverAttaches {
      switch plan.attach {
      case .newDomain: third = (.remapped, fault(ofNewDomainFor: device, isScalable))
      case .inherit:
        // A device that the copy has nothing for gets a domain of its own.
        if second.0 == .blocked { third = (.remapped, fault(ofNewDomainFor: device, isScalable)) }
      case .passThrough:
        third = unit.hasPassThrough ? (.passThrough, nil) : second
      case .restore:
        if second.0 != .translated || !unit.preserved.contains(device.function.sourceID) {
          third = (.remapped, fault(ofNewDomainFor: device, isScalable))
        }
      }
    }
    return (
      [first.0, second.0, third.0, third.0], [first.1, second.1, third.1, third.1], reading.remark
    )
  }

  /// What an old transfer ends with in a new, nearly empty domain.
  private func fault(ofNewDomainFor device: DeviceFacts, _ isScalable: Bool) -> Int? {
    guard device.inFlight else { return nil }
    if isScalable {
      return
        (device.isFirstStage
        ? FaultReason.firstStageNotPresent : .secondStageNoPermission).code
    }
    let writes = device.spaces.contains { !spaces[$0].writableIOVA.isEmpty }
    return FaultReason.noPermission(isWrite: writes, isScalable: false).code
  }

  private func firmwareRegions(
    of device: DeviceFacts, _ plan: PolicyPlan, _ fates: [Fate]
  ) -> String? {
    guard device.hasFirmwareRegions else { return nil }
    if fates[0] == .silent { return "lost" }
    // Off and then empty: firmware's transfers fault until its regions are mapped again.
    if fates[1] == .blocked { return device.attaches ? "rebuilt" : "lost" }
    return fates[2] == .remapped ? "rebuilt" : "kept"
  }

  // MARK: Exposure

  private func exposure(
    of device: DeviceFacts, _ fates: [Fate], _ pasids: [PASIDForecast]
  ) -> Exposure {
    var worst = Exposure.none
    var moment: Moment?
    for (index, fate) in fates.enumerated() {
      var exposure: Exposure
      switch fate {
      case .translated:
        exposure = device.ownSpaces.reduce(.none) { $0.joined(spaces[$1].exposure) }
      case .passThrough, .physical:
        exposure =
          if reachesEverything(device, fate) {
            classes.everything
          } else if device.situation == .translated {
            device.ownSpaces.reduce(.none) { $0.joined(spaces[$1].physicalExposure) }
          } else {
            .none
          }
      case .remapped, .blocked, .silent: exposure = .none
      }
      for (fact, pasid) in zip(device.pasids, pasids) {
        switch pasid.at.all[index] {
        case .translated:
          if let space = fact.space { exposure = exposure.joined(spaces[space].exposure) }
        case .physical:
          if let space = fact.space { exposure = exposure.joined(spaces[space].physicalExposure) }
        case .passThrough: exposure = classes.everything
        case .remapped, .blocked, .silent: break
        }
      }
      if exposure.crash > worst.crash || moment == nil && exposure.memory > 0 {
        moment = Moment(rawValue: index)
      }
      worst = worst.joined(exposure)
    }
    worst.moment = moment?.name
    return worst
  }

  /// A device that was never translated may go anywhere; one that was uses its old addresses.
  private func reachesEverything(_ device: DeviceFacts, _ fate: Fate) -> Bool {
    fate == .passThrough || fate == .physical && device.situation.hasPhysicalAddresses
  }

  // MARK: I/O virtual addresses

  private static let interrupts: ClosedRange<UInt64> = 0xfee0_0000...0xfeef_ffff
  /// What the allocator is asked for in the first seconds of a crash kernel.
  private static let firstBytes: UInt64 = 64 << 20

  private func iova(
    of device: DeviceFacts, _ plan: PolicyPlan, _ fates: [Fate]
  ) -> IOVAOutlook? {
    guard device.attaches, let index = device.spaces.first,
      fates[2] == .remapped || plan.attach == .inherit && fates[2] == .translated
    else { return nil }
    let space = spaces[index]
    let (free, end) = freeAddresses(in: space, of: device, plan)
    // Devices that reach further are given addresses below 4 GiB first, unless the command line says
    // otherwise.
    let top: UInt64 = options.commandLine.forcesWideAddresses ? end : 0xffff_ffff
    let first = Self.first(Self.firstBytes, of: free, below: top)
    return IOVAOutlook(
      left: free.bytes,
      largestBelow4GiB: free.longest(in: 0...0xffff_ffff).map(ForecastRange.init),
      largest: free.longest(in: 0...end).map(ForecastRange.init),
      firstHandedOut: first.ranges.first.flatMap { low in
        first.ranges.last.map { ForecastRange(low.lowerBound...$0.upperBound) }
      },
      stillLive: first.intersection(space.iova.subtracting(space.reserved)).bytes)
  }

  /// Bytes that would still be live among the first addresses that a new domain of the device gives
  /// out from the top of its range, as `iommu.forcedac=1` makes it.
  func liveAtTop(_ device: DeviceFacts) -> UInt64 {
    guard let index = device.spaces.first else { return 0 }
    let space = spaces[index]
    let (free, end) = freeAddresses(in: space, of: device, PolicyPlan.plan(.linux))
    return Self.first(Self.firstBytes, of: free, below: end).intersection(
      space.iova.subtracting(space.reserved)
    ).bytes
  }

  /// What a domain that takes over from `space` can give out, and its last address.
  private func freeAddresses(
    in space: MappedSpaces.Space, of device: DeviceFacts, _ plan: PolicyPlan
  ) -> (free: AddressRanges, end: UInt64) {
    // First-stage addresses are used up to the sign bit.
    var width = 12 + 9 * min(max(space.levels, 2), 5) - (space.isFirstStage ? 1 : 0)
    if !space.isFirstStage, let unit = state.units.first(where: { $0.name == device.unit }) {
      let limit = Capability(unit.capability.rawValue).maximumGuestAddressWidth
      width = min(width, limit)
    }
    let end: UInt64 = width >= 64 ? .max : 1 << UInt64(width) - 1
    // Page 0 is never handed out.
    let aperture = AddressRanges([0x1000...max(0x1fff, end)])
    var taken = space.reserved.union(AddressRanges([Self.interrupts]))
    if plan.attach == .inherit { taken = taken.union(space.iova) }
    return (aperture.subtracting(taken), end)
  }

  /// The first `bytes` that an allocator finds that goes downwards from `top`.
  ///
  /// Source: drivers/iommu/iova.c, `__alloc_and_insert_iova_range`; drivers/iommu/dma-iommu.c,
  /// `iommu_dma_alloc_iova`.
  private static func first(
    _ bytes: UInt64, of free: AddressRanges, below top: UInt64
  ) -> AddressRanges {
    var left = bytes
    var found: [ClosedRange<UInt64>] = []
    for range in free.intersection(AddressRanges([0...top])).ranges.reversed() where left > 0 {
      let length = range.upperBound - range.lowerBound + 1
      let part = min(length, left)
      found.append((range.upperBound - part + 1)...range.upperBound)
      left -= part
    }
    return AddressRanges(found)
  }

  // MARK: Verdict

  private func judge(
    _ device: DeviceFacts, _ plan: PolicyPlan, _ unit: SwitchedUnit?, _ fates: [Fate],
    _ exposure: Exposure, _ iova: IOVAOutlook?, remark: String?
  ) -> (Verdict, String) {
    var verdict = Verdict.safe
    var reasons: [String] = []
    func find(_ level: Verdict, _ reason: String) {
      verdict = max(verdict, level)
      reasons.append(reason)
    }
    if exposure.crash > 0 {
      let place = exposure.moment.map { " from \($0) on" } ?? ""
      let bytes = exposure.crash
      let first = fates.first { $0 == .passThrough || $0 == .physical }
      find(
        .unsafe,
        first == .passThrough || first == .physical && device.situation == .untranslated
          ? "nothing keeps it from the \(bytes) bytes of the crash kernel\(place)"
          : "it can write \(bytes) bytes of the crash kernel's memory\(place)")
    }
    if exposure.crash == 0, !facts.reservationsAreComplete,
      fates.contains(where: { reachesEverything(device, $0) })
    {
      find(.unsafe, "nothing keeps it from the crash kernel, wherever in memory that is")
    }
    if device.inFlight {
      if fates.contains(.physical), exposure.memory > 0 || exposure.outsideMemory > 0 {
        find(
          .unsafe,
          exposure.memory > 0
            ? "its transfers go to physical addresses: \(exposure.memory) bytes of RAM that are not "
              + "theirs"
            : "its transfers go to physical addresses that are no RAM, device registers perhaps")
      } else if fates.contains(.physical) {
        find(.risky, "its reads come from physical addresses")
      }
      if fates[2] == .passThrough, device.situation == .translated {
        let bytes = device.spaces.reduce(0 as UInt64) {
          max($0, spaces[$1].physicalExposure.memory)
        }
        find(
          bytes > 0 ? .unsafe : .risky,
          "if it still runs when its driver attaches, its old addresses become physical ones")
      }
      let tables = device.spaces.reduce(0 as UInt64) { max($0, spaces[$1].exposure.tables) }
      if tables > 0, fates.contains(.translated) {
        find(.unsafe, "it can write \(tables) bytes of translation tables")
      }
      let blocked = fates.prefix(2).contains(.blocked)
      if blocked {
        find(
          .risky,
          device.spaces.contains { spaces[$0].hasReads }
            ? "its reads are cut off and end as aborts, which not every device survives"
            : "its writes are dropped")
        if unit?.isSilent != true {
          find(.risky, "each of its transfers is a fault, which may flood a CPU or raise an NMI")
        }
      }
      if fates[2] == .remapped, let iova, iova.stillLive > 0, !blocked {
        find(
          .risky,
          "\(iova.stillLive) bytes of its live addresses are among the first that its driver gets: "
            + "an old transfer would hit a new buffer")
      }
      if fates[2] == .remapped, let space = device.spaces.first, !spaces[space].isReservedComplete {
        find(
          .risky,
          "what was kept out of its addresses could not be read: those that its driver gets may be others, "
            + "and live")
      }
      if let remark { find(.risky, remark) }
    }
    switch device.lack {
    case .nothing: break
    case .pageTables:
      find(.risky, "not all of its tables are in the dump: it may reach more than is known")
    case .context:
      find(.risky, "its context is not in the dump: what it reaches is not known")
    }
    if device.hasErrorFinding, plan.keepsMappings,
      fates.contains(where: { $0 == .translated || $0 == .passThrough })
    {
      find(.risky, "an error was found with it, and what it did goes on")
    }
    if device.driverIsUnknown, device.attaches {
      reasons.append("its driver could not be read and is taken to attach it")
    }
    if plan.resetsFirst, let obstacle = device.resetObstacle, device.inFlight {
      reasons.append("it is not reset: \(obstacle)")
    }
    if reasons.isEmpty { reasons.append(Self.calm(device, fates)) }
    return (verdict, reasons.joined(separator: "; "))
  }

  private static func calm(_ device: DeviceFacts, _ fates: [Fate]) -> String {
    if fates[0] == .silent { return "it was reset and sends nothing" }
    if device.situation.hasPhysicalAddresses { return "what it has in flight no table tells" }
    if !device.inFlight { return "nothing is in flight" }
    if fates[2] == .remapped {
      return "its transfers go on until its driver attaches, and meet no new buffer"
    }
    return "its transfers go on into their own buffers"
  }
}
