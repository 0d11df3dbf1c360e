// SPDX-License-Identifier: Apache-2.0

public import Evidence
internal import Memory
internal import RemappingState
internal import Translation
internal import VTd

/// Explains what units and their driver said beside refused requests.
public struct UnitExplainer {
  public var evidence: DumpEvidence

  public init(_ evidence: DumpEvidence) { self.evidence = evidence }

  public func explain(_ record: UnitRecord) -> UnitExplanation {
    var result = UnitExplanation(
      kind: .status, severity: .info, text: record.text, count: record.count,
      first: record.first.map { FaultExplainer.seconds($0) },
      last: record.last.map { FaultExplainer.seconds($0) }, unit: record.unit, meaning: "",
      entries: [], evidence: [])
    guard paysForRecord() else {
      result.kind = Self.kind(of: record.message)
      result.severity = .warning
      result.meaning =
        "what the run may do was spent before this message was held against the dump (--max-entries)"
      return result
    }
    switch record.message {
    case .status(let word): explain(FaultStatus(word), &result)
    case .invalidationError(let error, let detail):
      explain(error, detail, record, &result)
    case .descriptor(let place, let words):
      result.kind = .invalidationError
      result.severity = .error
      result.meaning = "a descriptor of the invalidation queue, printed with an error of it"
      add(InvalidationDescriptor(words: words), place, &result)
    case .cleared(let error):
      result.kind = .invalidationError
      result.severity = .error
      result.meaning = "the driver cleared an \(Self.name(error)), whose own message is missing"
      result.next = Self.history
    case .pageRequest(let problem, let words): explain(problem, words, &result)
    case .alreadySet(let page, let old, let new): explainEntry(page, old, new, &result)
    case .firmware(let complaint, let base, let end): explain(complaint, base, end, &result)
    case .regionBinds(let device): explainBoundRegion(device, &result)
    case .takeover(let kind): explain(kind, &result)
    case .failure(let failure, let device): explain(failure, device, &result)
    case .malfunction:
      result.kind = .malfunction
      result.severity = .error
      result.meaning =
        "a unit did not carry out a command within ten seconds, and the kernel panicked: the unit is "
        + "stuck, or has lost its power"
      result.next = Self.history
    case .lockup:
      result.kind = .lockup
      result.severity = .error
      result.meaning =
        "a CPU hung in qi_submit_sync, waiting for the unit to finish an invalidation: the queue "
        + "has stopped, most often behind a device that does not answer the invalidation of its TLB"
      result.evidence = pendingDescriptors()
      result.next = Self.history
    case .tables: explainTables(record, &result)
    case .foreign(let source):
      result.kind = .foreign
      result.severity = source == .xen ? .warning : .info
      result.meaning =
        switch source {
        case .xen: "a message of Xen about its own remapping units, which this dump does not hold"
        case .amd: "a message of an AMD remapping unit (AMD-Vi), which is none of VT-d's"
        case .smmu: "a message of an Arm SMMU, which is none of VT-d's"
        }
    }
    if let device = result.device {
      result.driver = evidence.driver(of: device)
      result.unit = result.unit ?? evidence.device(device)?.unit
    }
    return result
  }

  /// Takes what it costs to hold one message against the state, whose rows are gone through for each.
  private func paysForRecord() -> Bool {
    let state = evidence.state
    let rows =
      state.units.count + state.devices.count + state.contexts.count + state.domains.count
      + state.reservedRegions.count + state.memoryMap.count
    guard evidence.work.spend(.entries, Self.entriesOfMessage + 2 * rows) else {
      evidence.work.cut(.entries, "the explaining of messages of units")
      return false
    }
    return true
  }

  /// A way through the tables, and searches among the runs of the domains that have the address.
  private static let entriesOfMessage = 256

  /// What a message is about by itself; what the dump says may make it `unreachable`.
  private static func kind(of message: UnitMessage) -> UnitExplanation.Kind {
    switch message {
    case .status: .status
    case .invalidationError, .descriptor, .cleared: .invalidationError
    case .pageRequest: .pageRequest
    case .alreadySet: .alreadySet
    case .firmware, .regionBinds: .firmware
    case .takeover: .takeover
    case .failure: .failure
    case .malfunction: .malfunction
    case .lockup: .lockup
    case .tables: .tables
    case .foreign: .foreign
    }
  }

  static let history = "iommuscope history lists what the invalidation queue held"

  static func name(_ error: UnitMessage.InvalidationError) -> String {
    switch error {
    case .queue: "invalidation queue error (IQE)"
    case .completion: "invalidation completion error (ICE)"
    case .timeOut: "invalidation time-out error (ITE)"
    }
  }

  // MARK: Status

  private func explain(_ status: FaultStatus, _ result: inout UnitExplanation) {
    guard !status.isAllOnes else {
      result.kind = .unreachable
      result.severity = .error
      result.meaning =
        "the fault status register reads as all ones: the unit does not answer. It has lost its "
        + "power or its link (a suspended or removed part of the machine), or its registers are not "
        + "where the ACPI table says"
      result.next = "the messages before it: power management, hot-plug, machine checks"
      return
    }
    let set = FaultStatus.layout.filter {
      $0.role == .field && $0.name != "FRI" && status.value(of: $0) != 0
    }
    result.entries = [
      .init(
        "fault status", logged: [UInt64(status.rawValue)],
        fields: FaultStatus.layout.reversed().filter { status.value(of: $0) != 0 }.map {
          DecodedField($0, in: status.words)
        })
    ]
    if set.isEmpty {
      result.meaning =
        "the fault interrupt came with nothing pending: no fault, no overflow, no invalidation error"
        + (status.recordIndex == 0
          ? "" : "; the index of the next fault record is \(status.recordIndex)")
      return
    }
    var parts = set.map(\.meaning)
    if status.isPending { parts[0] += " (record \(status.recordIndex))" }
    result.meaning = parts.joined(separator: "; ")
    if status.hasInvalidationError {
      result.severity = .error
      result.next = Self.history
    } else if status.isOverflown {
      result.severity = .warning
    }
  }

  // MARK: The invalidation queue

  private func explain(
    _ error: UnitMessage.InvalidationError, _ detail: UInt64?, _ record: UnitRecord,
    _ result: inout UnitExplanation
  ) {
    result.kind = .invalidationError
    result.severity = .error
    result.next = Self.history
    for place in [UnitMessage.DescriptorPlace.prior, .head, .tail, .named] {
      guard let words = record.descriptors[place] else { continue }
      add(InvalidationDescriptor(words: words), place, &result)
    }
    // A register that is not there reads as all ones, and so do its fields.
    if detail == 0xffff || (error == .queue && detail == 0xf) {
      result.kind = .unreachable
      result.meaning =
        "\(Self.name(error)), and the register that tells more reads as all ones: the unit does not "
        + "answer; the error itself is none, for its bit was read as all ones too"
      result.next = "the messages before it: power management, hot-plug, machine checks"
      return
    }
    var device: PCIFunction?
    if let detail, detail != 0, error != .queue {
      device = function(UInt16(truncatingIfNeeded: detail))
    }
    // What is in front of the head was fetched already; that is what waits for an answer.
    let places: [UnitMessage.DescriptorPlace] = [.prior, .head]
    let descriptors = places.compactMap { record.descriptors[$0] }.map {
      InvalidationDescriptor(words: $0)
    }
    let waiting = descriptors.first { $0.type == .deviceTLB || $0.type == .pasidDeviceTLB }
    device = device ?? waiting?.sourceID.map { function($0) }
    result.device = device
    result.iova = waiting?.address
    switch error {
    case .timeOut:
      let who = device.map { "the device TLB of \($0)" } ?? "a device TLB"
      result.meaning =
        "invalidation time-out (ITE): \(who) did not answer an invalidation in time: the device has "
        + "lost its link or its power, was reset, or its address translation service hangs"
      if device == nil, detail == 0 {
        result.evidence.append(
          "SID 0 names no device: the unit does not tell which one (an older revision)")
      }
      if let device { result.evidence += presence(device) }
    case .completion:
      result.meaning =
        "invalidation completion error (ICE): a completion came that no invalidation waited for, or "
        + "under a wrong source id; it follows time-outs as a rule"
    case .queue:
      result.meaning =
        "invalidation queue error (IQE): the unit did not understand the descriptor at the queue's "
        + "head, or could not fetch it, and takes no further ones"
      if let detail {
        result.evidence.append("the unit's reason is \(detail) (field IQEI of IQERCD)")
      }
      if let head = record.descriptors[.head] ?? record.descriptors[.named] {
        let bits = InvalidationDescriptor(words: head).reservedBits
        result.evidence.append(
          bits.isEmpty
            ? "the descriptor at the head has no reserved bits set"
            : "the descriptor at the head has reserved bits set: \(bits)")
      }
    }
    if record.isCleared { result.evidence.append("the driver cleared it and went on") }
  }

  private func add(
    _ descriptor: InvalidationDescriptor, _ place: UnitMessage.DescriptorPlace,
    _ result: inout UnitExplanation
  ) {
    let words = Array(descriptor.words.prefix(2))
    let title =
      switch place {
      case .head: "QI HEAD"
      case .prior: "QI PRIOR"
      case .tail: "QI TAIL"
      case .named: "descriptor"
      }
    result.entries.append(
      .init(
        words.allSatisfy { $0 == 0 }
          ? "\(title): empty slot" : "\(title): \(descriptor.type)", logged: words,
        fields: descriptor.fields.reversed().filter {
          $0.bits.upperBound < 128 && $0.value(in: words + [0, 0]) != 0
        }.map { DecodedField($0, in: words + [0, 0]) }))
  }

  /// Descriptors that the unit had not finished when the machine stopped.
  private func pendingDescriptors() -> [String] {
    evidence.state.units.compactMap { unit in
      guard let queue = unit.invalidationQueue, queue.pending > 0 else { return nil }
      return "\(unit.name): \(queue.pending) descriptors of the queue were not finished"
    }
  }

  private func function(_ source: UInt16) -> PCIFunction {
    let known = evidence.state.devices.compactMap(\.device.function).filter {
      $0.sourceID == source
    }
    return known.count == 1
      ? known[0] : PCIFunction(bus: UInt8(source >> 8), devfn: UInt8(truncatingIfNeeded: source))
  }

  private func presence(_ device: PCIFunction) -> [String] {
    evidence.knows(device) == false
      ? ["Linux knows no device \(device) in this dump: it was removed, or never was there"] : []
  }

  // MARK: Page requests

  private func explain(
    _ problem: UnitMessage.PageRequestProblem, _ words: [UInt64],
    _ result: inout UnitExplanation
  ) {
    result.kind = .pageRequest
    result.severity = .error
    let cause =
      switch problem {
      case .withoutPASID: "it names no PASID, and this kernel answers only those that do"
      case .unknownPASID: "its PASID belongs to no address space"
      case .privileged: "it asks with supervisor privilege"
      case .execute: "it asks for execution"
      case .notCanonical: "its address is not canonical"
      case .invalid: "its device is unknown, or the request is malformed"
      case .overflow, .overflowCleared: ""
      }
    switch problem {
    case .overflow:
      result.severity = .warning
      result.meaning =
        "page requests were lost: devices asked for pages faster than the kernel answered, and the "
        + "queue was full; they ask again"
      return
    case .overflowCleared:
      result.meaning = "the page request queue was emptied after an overflow"
      return
    default:
      result.meaning = "the driver refused a page request of a device: \(cause)"
      result.next = "whether the driver enabled PRI and bound the PASID (iommu_sva_bind_device)"
    }
    guard words.count == 2 else { return }
    let request = PageRequestDescriptor(words: words)
    result.entries = [
      .init(
        "page request", logged: words,
        fields: PageRequestDescriptor.layout.reversed().filter {
          $0.bits.upperBound < 128 && request.value(of: $0) != 0
        }.map { DecodedField($0, in: request.words) })
    ]
    guard words.contains(where: { $0 != 0 }) else {
      result.evidence.append("the descriptor is empty")
      return
    }
    let device = function(request.sourceID)
    result.device = device
    result.iova = request.address
    let pasid = request.pasid.map { "PASID \($0)" } ?? "no PASID"
    let access =
      [(request.isRead, "read"), (request.isWrite, "write"), (request.isExecute, "execute")]
      .filter(\.0).map(\.1)
    result.evidence.append(
      "request of \(device), \(pasid), page \(request.address), "
        + (access.isEmpty ? "no access" : access.joined(separator: " and ")))
    result.evidence += presence(device)
    if let pasid = request.pasid {
      let isBound = evidence.state.contexts.contains { $0.device == device && $0.pasid == pasid }
      result.evidence.append(
        "PASID \(pasid) is \(isBound ? "" : "not ")bound for \(device) in the tables of the dump")
    }
  }

  // MARK: Firmware

  private func explain(
    _ complaint: UnitMessage.FirmwareComplaint, _ base: UInt64?, _ end: UInt64?,
    _ result: inout UnitExplanation
  ) {
    result.kind = .firmware
    result.severity = .warning
    switch complaint {
    case .allOnes:
      result.kind = .unreachable
      result.severity = .error
      result.meaning =
        "firmware names a unit at \(base.map { PhysicalAddress($0).description } ?? "?") whose "
        + "registers read as all ones: it is not there, or switched off; Linux leaves it out"
    case .regionNotReserved, .badRegion:
      result.meaning =
        "firmware asks to keep a region mapped (RMRR) that its own memory map does not reserve: the "
        + "kernel may use that memory while the device does too. Linux keeps the region mapped"
    case .other: result.meaning = "a complaint about firmware's tables; no fault by itself"
    }
    guard let base, let end, base <= end else { return }
    result.iova = IOVirtualAddress(base)
    let regions = evidence.state.reservedRegions.filter {
      $0.base.rawValue <= end && base <= $0.end.rawValue
    }
    for region in regions.prefix(4) {
      let owners = region.devices.map(\.description).joined(separator: ", ")
      result.evidence.append(
        "in the dump: \(region.kind.rawValue) \(region.base) to \(region.end) of \(owners), mapped "
          + (region.mapped?.rawValue ?? "unknown"))
    }
    if regions.isEmpty { result.evidence.append("no device of the dump has such a region") }
    let kinds = Set(
      evidence.state.memoryMap.filter { $0.start.rawValue <= end && base <= $0.end.rawValue }
        .map(\.kind.rawValue)
    ).sorted()
    if !kinds.isEmpty {
      result.evidence.append("the memory map has there: \(kinds.joined(separator: ", "))")
    }
  }
}
