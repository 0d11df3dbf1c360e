// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
public import Evidence
internal import LinuxIOMMU
public import Memory
internal import RemappingState
internal import Translation
internal import VTd

/// Holds faults against the tables, the devices and the allocator of a dump.
public struct FaultExplainer {
  /// What a crash kernel would see of a device's requests, by the road that it takes, the likeliest
  /// first; empty where nothing is known.
  public typealias CrashKernelForecast = (DeviceName) -> [FaultExplanation.CrashKernelOutlook]

  public let evidence: DumpEvidence
  /// Functions by their source id, of any segment: a log has many lines, and a machine many devices.
  private let functions: [UInt16: [PCIFunction]]
  /// Asked for faults that the dump's tables do not give, if it is there.
  public var crashKernel: CrashKernelForecast?
  /// Whether the lines are said to be the crash kernel's.
  public var isOfCrashKernel = false
  /// The log of the dump, where the faults come from elsewhere.
  public var logOfDump: FaultLog? {
    didSet { faultsInLog = Set((logOfDump?.records ?? []).map { Self.plain($0.fault) }) }
  }
  private var faultsInLog: Set<FaultLine> = []
  /// What lies where in physical memory, as the kernel says.
  var resources: [LinuxMemoryRegion]
  /// Source ids of I/O APICs and HPETs; `nil` where they are not known.
  var interruptSources: Set<UInt16>?

  public init(_ evidence: DumpEvidence) {
    self.evidence = evidence
    functions = Dictionary(
      grouping: evidence.state.devices.compactMap(\.device.function), by: \.sourceID)
    resources = evidence.kernel?.structures.memoryMap ?? []
    interruptSources = evidence.kernel?.structures.interruptSources.map { sources in
      sources.values.reduce(into: []) { $0.formUnion($1) }
    }
  }

  /// Explains all faults; those of neighbouring pages with one cause are one entry.
  public func explain(_ records: [FaultRecord]) -> [FaultExplanation] {
    FaultClusters(records, self).explanations
  }

  /// Explains faults that are alike.
  public func explain(_ record: FaultRecord) -> FaultExplanation {
    let fault = resolved(record.fault)
    var result = FaultExplanation(
      text: record.text, kind: fault.kind, severity: .error, device: fault.device,
      pasid: fault.pasid, pages: fault.kind == .interrupt ? 0 : 1,
      reason: fault.reason.map { ReportedFault($0) }, count: record.count,
      first: record.first.map { Self.seconds($0) }, last: record.last.map { Self.seconds($0) },
      rate: record.rate.map { Self.decimal($0) }, aliasOf: [], isInLogOfDump: false, diagnosis: [],
      excluded: [])
    if fault.kind == .interrupt {
      result.index = fault.value
    } else {
      result.iova = IOVirtualAddress(fault.value)
      result.lastIOVA = result.iova
    }
    guard !fault.isXen else {
      result.severity = .warning
      result.diagnosis = [
        .init(
          .otherHypervisor,
          "Xen wrote this line: the tables that refused the request are the hypervisor's, and the "
            + "dump of a Linux under it does not hold them; only the reason and the device are known",
          confirm: "key V and o of Xen's debug keys, or a dump of the whole machine")
      ]
      return result
    }
    guard !fault.isAllOnes else {
      result.diagnosis = [
        .init(
          .unreachable,
          "the fault record reads as all ones: the unit did not answer when the driver read its "
            + "registers, and no device sent this request. It has lost its power or its link",
          confirm: "the messages before it: power management, hot-plug, machine checks")
      ]
      return result
    }
    guard pays(for: fault) else {
      result.diagnosis = [
        .init(
          .unknown, "what the run may do was spent before this fault was looked at (--max-entries)")
      ]
      return result
    }
    addDevice(fault.device, to: &result)
    if fault.kind == .interrupt {
      explainInterrupt(fault, &result)
    } else {
      explainRequest(fault, at: record.first, &result)
    }
    return result
  }

  /// Takes what it costs to hold one fault against the state, of which some rows are gone through for
  /// each, and the mappings of its domain where nothing is mapped.
  func pays(for fault: FaultLine) -> Bool {
    let state = evidence.state
    var cost =
      Self.entriesOfFault + state.contexts.count + state.devices.count + state.domains.count
      + state.reservedRegions.count + resources.count
    guard evidence.work.left(.entries) >= cost else { return spend(cost) }
    let contexts = state.contexts.lazy.filter { $0.device == fault.device }
    let longest = contexts.compactMap { self.evidence.runCount(of: $0) }.max()
    cost += Self.passesOverRuns * (longest ?? 0)
    return spend(cost)
  }

  private func spend(_ cost: Int) -> Bool {
    guard evidence.work.spend(.entries, cost) else {
      evidence.work.cut(.entries, "the explaining of faults")
      return false
    }
    return true
  }

  /// Its way through the tables, and what is said of it.
  private static let entriesOfFault = 256
  /// `RequestRules.truncated` tries eleven widths, `physicalAddress` goes through once more.
  private static let passesOverRuns = 12

  /// The fault with its segment, where the line tells none and only another one has the device.
  private func resolved(_ fault: FaultLine) -> FaultLine {
    guard !fault.namesSegment, evidence.device(fault.device) == nil else { return fault }
    guard let others = functions[fault.device.sourceID], others.count == 1 else { return fault }
    var fault = fault
    fault.device = others[0]
    return fault
  }

  private func addDevice(_ function: PCIFunction, to result: inout FaultExplanation) {
    let name = DeviceName.pci(function)
    var device = evidence.device(function)
    if device == nil {
      let owners = evidence.state.devices.filter { $0.aliases.contains(name) }
      result.aliasOf = owners.map(\.device)
      device = owners.first
    }
    result.isKnownDevice = device != nil ? true : evidence.knows(function)
    result.driver = device.map(\.driver) ?? evidence.driver(of: function)
    result.group = device?.group
    result.unit = device?.unit
  }

  // MARK: Requests

  /// The fault without what forms of the line differ in.
  private static func plain(_ fault: FaultLine) -> FaultLine {
    var fault = fault
    fault.namesSegment = false
    return fault
  }

  /// Why a fault of that time would stand in a log, if it were of the same kernel.
  private func absence(from log: FaultLog?, of time: UInt64?) -> String? {
    guard let log, log.problem == nil, log.suppressed == 0, let begin = log.begin, let end = log.end
    else { return nil }
    let covers =
      "the crashed kernel's log reaches from \(Self.seconds(begin)) s to "
      + "\(Self.seconds(end)) s and does not hold the line"
    if let time { return begin <= time && time <= end || time > end ? covers : nil }
    // Without a time only a log that begins at boot tells.
    return begin < 1_000_000_000 ? covers : nil
  }

  private func explainRequest(
    _ fault: FaultLine, at time: UInt64?, _ result: inout FaultExplanation
  ) {
    let iova = IOVirtualAddress(fault.value)
    let translation = Translator(evidence).translate(fault.device, pasid: fault.pasid, iova: iova)
    result.translation = translation
    result.unit = translation.unit ?? result.unit
    let unit = translation.unit.flatMap { evidence.unit($0) }
    let ending = unit.flatMap { unit in
      evidence.tables(of: unit)?.lookUp(
        bus: fault.device.bus, devfn: fault.device.devfn, pasid: fault.pasid
      ).ending
    }
    let family = fault.reason?.family
    let expected = fault.kind == .read ? translation.faultOnRead : translation.faultOnWrite
    if translation.outcome != .unknown, translation.outcome != .unreadable {
      // Legacy and scalable numbers of one condition are one fault.
      result.stillFaults =
        fault.reason.map { expected?.family == $0.family } ?? (expected != nil)
    }
    let row = domainRow(of: translation)
    if let row {
      result.domain = FaultExplanation.FaultDomain(
        domainID: row.domainID, type: row.type, table: row.table, kernelObject: row.kernelObject)
      result.allocator = row.iova.flatMap { Self.allocator($0, iova) }
      (result.nearestBelow, result.nearestAbove) = Self.neighbours(
        row.mapping?.runs ?? [], of: iova.rawValue)
    }
    let regions = evidence.state.reservedRegions.filter {
      $0.base.rawValue <= iova.rawValue | 0xfff && iova.rawValue <= $0.end.rawValue
        && $0.kind != .msi
    }
    // Another device's ISA range says nothing; another device's RMRR may.
    result.reservedRegion =
      regions.first { $0.devices.contains(.pci(fault.device)) }
      ?? regions.first { $0.kind == .rmrr }
    if ending?.isOpen == true, translation.outcome != .mapped {
      result.window = window(at: fault.value & ~0xfff, row)
    }
    if isOfCrashKernel || result.stillFaults == false, let crashKernel {
      let roads = crashKernel(.pci(fault.device)).map { road in
        var road = road
        road.fits = road.moments.contains { $0.reason?.family == family }
        return road
      }
      result.crashKernel = roads.first { $0.fits } ?? roads.first
    }
    let isInLog = faultsInLog.contains(Self.plain(fault))
    result.isInLogOfDump = isInLog
    let facts = FaultFacts(
      evidence: evidence, fault: fault, translation: translation, ending: ending, unit: unit,
      domain: row, result: result, isOfCrashKernel: isOfCrashKernel,
      absentFromLog: isInLog ? nil : absence(from: logOfDump, of: time))
    (result.diagnosis, result.excluded) = RequestRules(facts).judge()
    if let foreign = otherMachine(fault, unit) { result.diagnosis.insert(foreign, at: 0) }
  }

  /// That no unit of the dump gives such a reason.
  ///
  /// Source: VT-d specification, section 7.1.3: from 0x38 on the conditions are those of scalable
  /// mode.
  private func otherMachine(
    _ fault: FaultLine, _ unit: Unit?
  ) -> FaultExplanation.Diagnosis? {
    guard let unit, unit.tableMode != .scalable, let reason = fault.reason,
      (0x38..<0xff).contains(reason.rawValue)
    else { return nil }
    return .init(
      .otherMachine,
      "reason \(UInt64(reason.rawValue).hexadecimal) is one of scalable mode, and \(unit.name) is in "
        + "\(unit.tableMode.rawValue) mode: the line comes from another machine or another boot",
      confirm: "the line 'DMAR: Enable scalable mode if hardware supports' in the log it comes from"
    )
  }

  /// The way of one address, and the start of the allocator's node that holds it.
  func outlook(_ fault: FaultLine) -> (translation: AddressTranslation, node: UInt64?) {
    let fault = resolved(fault)
    let translation = Translator(evidence).translate(
      fault.device, pasid: fault.pasid, iova: IOVirtualAddress(fault.value))
    let node = domainRow(of: translation)?.iova.flatMap {
      FaultFacts.node($0.allocated, fault.value)
    }
    return (translation, node?.start.rawValue)
  }

  private func domainRow(of translation: AddressTranslation) -> Domain? {
    guard let unit = translation.unit else { return nil }
    let contexts = evidence.state.contexts.filter {
      $0.unit == unit && $0.device == translation.device
    }
    let context = contexts.first {
      translation.pasid == nil ? $0.servesRequestsWithoutPASID : $0.pasid == translation.pasid
    }
    guard let context else { return nil }
    return evidence.state.domains.first {
      $0.unit == unit && $0.domainID == context.domainID && $0.table == context.table
    }
  }

  /// `nil` where no node that was read has the address, and not all could be read.
  private static func allocator(
    _ space: IOVASpace, _ iova: IOVirtualAddress
  ) -> FaultExplanation.FaultAllocator? {
    guard let node = FaultFacts.node(space.allocated, iova.rawValue) else {
      return space.unallocated.map { _ in FaultExplanation.FaultAllocator(state: "free") }
    }
    return FaultExplanation.FaultAllocator(
      state: node.state.rawValue, start: node.start, end: node.end)
  }

  /// The runs next to an address; one that holds it is both.
  static func neighbours(_ runs: [Run], of iova: UInt64) -> (Run?, Run?) {
    let next = runs.partitioningIndex { $0.iova.rawValue > iova }
    return (next > 0 ? runs[next - 1] : nil, next < runs.count ? runs[next] : nil)
  }

  /// Resources that are registers of the platform, by the names that x86 gives them.
  ///
  /// Source: arch/x86/kernel/apic/io_apic.c, apic.c, hpet.c; drivers/iommu/intel/dmar.c.
  private static let registers = ["IOAPIC", "Local APIC", "HPET", "dmar"]

  /// The device registers, or else the host bridge's window, that hold a physical address.
  private func window(at address: UInt64, _ domain: Domain?) -> FaultExplanation.Window? {
    let holding = resources.filter { $0.range.contains(address) }
    if holding.contains(where: { $0.name.hasPrefix("System RAM") }) { return nil }
    func narrowest(_ isMeant: (LinuxMemoryRegion) -> Bool) -> LinuxMemoryRegion? {
      holding.filter(isMeant).min {
        $0.range.upperBound - $0.range.lowerBound < $1.range.upperBound - $1.range.lowerBound
      }
    }
    let found =
      narrowest { PCIFunction($0.name) != nil } ?? narrowest { $0.name.hasPrefix("PCI ") }
      ?? narrowest { name in Self.registers.contains { name.name.hasPrefix($0) } }
    if let found {
      return FaultExplanation.Window(
        name: found.name,
        isOfPlatform: PCIFunction(found.name) == nil && !found.name.hasPrefix("PCI Bus"),
        device: PCIFunction(found.name),
        start: PhysicalAddress(found.range.lowerBound), end: PhysicalAddress(found.range.upperBound)
      )
    }
    // Without the tree of resources the allocator knows what bridges forward.
    guard resources.isEmpty,
      let node = domain?.iova.flatMap({ FaultFacts.node($0.allocated, address) }),
      node.state == .reserved,
      !evidence.state.reservedRegions.contains(where: {
        $0.base.rawValue <= node.end.rawValue && node.start.rawValue <= $0.end.rawValue
      })
    else { return nil }
    return FaultExplanation.Window(
      name: "that the allocator leaves out", isOfPlatform: false,
      start: PhysicalAddress(node.start.rawValue),
      end: PhysicalAddress(node.end.rawValue))
  }

  // MARK: Interrupts

  private func explainInterrupt(_ fault: FaultLine, _ result: inout FaultExplanation) {
    let units = evidence.units(of: fault.device)
    let unit =
      units.first { $0.interruptRemapping?.table != nil }
      ?? evidence.state.units.first {
        $0.segment == fault.device.segment && $0.interruptRemapping?.table != nil
      }
    result.unit = unit?.name ?? result.unit
    let isController = interruptSources?.contains(fault.device.sourceID)
    if isController == true { result.isKnownDevice = true }
    var sender: String?
    if isController == true {
      sender = "an I/O APIC or HPET (source id \(fault.device))"
    } else if let owner = result.aliasOf.first {
      sender = "\(owner), whose requests arrive as \(fault.device),"
    } else if result.isKnownDevice == true {
      sender = fault.device.description + (result.driver.map { " (\($0))" } ?? "")
    }
    let rules = InterruptRules(
      evidence: evidence, fault: fault, unit: unit, sender: sender,
      isController: isController == true, isUnknownSender: result.isKnownDevice.map { !$0 })
    let entry = entry(fault, unit, &result)
    let family = fault.reason?.family ?? .other
    if case .missing(let why) = entry, family == .other || family == .interruptAbsent {
      result.diagnosis = [.init(.unknown, why)]
    } else {
      result.diagnosis = [rules.judge(entry)]
    }
  }

  private func entry(
    _ fault: FaultLine, _ unit: Unit?, _ result: inout FaultExplanation
  ) -> InterruptRules.Entry {
    guard let remapping = unit?.interruptRemapping, let table = remapping.table,
      let entries = UInt64(exactly: remapping.entries)
    else { return .missing("no interrupt remapping table is known for the device") }
    // A request in compatibility format has no index.
    guard fault.reason?.family != .interruptCompatibility else {
      return .missing("the request names no entry")
    }
    guard fault.value < entries else { return .beyondTable(entries: remapping.entries) }
    guard let address = table.advanced(by: fault.value * 16),
      let page = try? evidence.memory.pageOrAssumedZero(address.frame).page
    else { return .missing("the table's page is not in the dump") }
    let entry = InterruptRemapEntry(page: page, word: address.pageOffset / 8)
    result.interrupt = DecodedEntry(interrupt: entry, at: address)
    return entry.isPresent ? .present(entry) : .absent
  }

  // MARK: Numbers

  /// `41.250000`, as the log prints it.
  static func seconds(_ nanoseconds: UInt64) -> String {
    let micro = String(nanoseconds % 1_000_000_000 / 1000)
    return "\(nanoseconds / 1_000_000_000)."
      + String(repeating: "0", count: 6 - micro.count) + micro
  }

  static func decimal(_ value: Double) -> String {
    guard let tenths = UInt64(exactly: (value * 10).rounded()) else { return "0.0" }
    return "\(tenths / 10).\(tenths % 10)"
  }
}
