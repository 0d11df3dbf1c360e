// SPDX-License-Identifier: Apache-2.0

public import Evidence
public import Memory
public import RemappingState
public import VTd

/// Follows addresses of devices through the tables, as the hardware would.
public struct Translator {
  public var evidence: DumpEvidence

  public init(_ evidence: DumpEvidence) {
    self.evidence = evidence
  }

  /// Everything that was found on the way of one address.
  public struct Trace {
    public var unit: Unit
    public var context: ContextTrace
    /// `nil` if the way ended before the page tables, or needs none.
    public var translation: TranslationTrace?
    public var space: AddressSpace?
  }

  /// Follows one address through one unit; `nil` if the unit has no root table.
  public func trace(
    _ device: PCIFunction, pasid: UInt32?, iova: IOVirtualAddress, unit: Unit
  ) -> Trace? {
    guard let tables = evidence.tables(of: unit) else { return nil }
    let context = tables.lookUp(bus: device.bus, devfn: device.devfn, pasid: pasid)
    guard let path = context.path, let walk = evidence.walk(path, unit: unit) else {
      return Trace(unit: unit, context: context)
    }
    return Trace(
      unit: unit, context: context, translation: walk.translate(iova), space: walk.space)
  }

  /// Follows one address through the unit that the device belongs to.
  public func translate(
    _ device: PCIFunction, pasid: UInt32?, iova: IOVirtualAddress
  ) -> AddressTranslation {
    var result: AddressTranslation?
    // Of several units that may be the device's, the first one that knows the bus counts.
    for unit in evidence.units(of: device) {
      guard let trace = trace(device, pasid: pasid, iova: iova, unit: unit) else { continue }
      let answer = Self.answer(trace, device: device, pasid: pasid, iova: iova)
      if trace.context.path != nil { return answer }
      if result == nil { result = answer }
    }
    return result
      ?? AddressTranslation(
        unit: nil, device: device, pasid: pasid, iova: iova, entries: [], outcome: .unknown,
        detail: "no remapping unit with a root table is known for the device",
        faultsSuppressed: false)
  }

  static func answer(
    _ trace: Trace, device: PCIFunction, pasid: UInt32?, iova: IOVirtualAddress
  ) -> AddressTranslation {
    let isScalable = trace.unit.tableMode == .scalable
    var result = AddressTranslation(
      unit: trace.unit.name, device: device, pasid: pasid, iova: iova,
      entries: trace.context.steps.map { DecodedEntry($0) }, outcome: .notMapped,
      detail: trace.context.ending.description, faultsSuppressed: false)
    result.domainID = trace.context.path?.domainID
    result.faultsSuppressed = trace.context.path?.faultsSuppressed ?? false
    let refusal = trace.context.ending.faultReason(isScalable: isScalable)
    if let refusal {
      result.faultOnRead = ReportedFault(refusal)
      result.faultOnWrite = ReportedFault(refusal)
    }
    if case .unreadable = trace.context.ending { result.outcome = .unknown }
    guard let path = trace.context.path, refusal == nil else { return result }
    if path.kind == .passThrough {
      result.outcome = .passThrough
      result.physical = PhysicalAddress(iova.rawValue)
      result.access = PagingAccess.all.description
      result.detail = "pass-through: the address is physical"
      return result
    }
    guard let translation = trace.translation else { return result }
    result.entries += translation.steps.map { DecodedEntry($0) }
    result.detail = translation.ending.description
    result.faultOnRead = translation.ending.faultReason(
      isWrite: false, isScalable: isScalable
    ).map { ReportedFault($0) }
    result.faultOnWrite = translation.ending.faultReason(
      isWrite: true, isScalable: isScalable
    ).map { ReportedFault($0) }
    switch translation.ending {
    case .mapped(let physical, let pageSize, let access):
      result.outcome = .mapped
      result.physical = physical
      result.pageSize = pageSize
      result.access = access.description
    case .unreadable, .cycle: result.outcome = .unknown
    default: break
    }
    return result
  }
}
