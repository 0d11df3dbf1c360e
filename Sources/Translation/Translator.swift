// SPDX-License-Identifier: Apache-2.0

public import Evidence
public import Memory
public import RemappingState
public import VTd

/// Follows addresses of devices through the tables, as the hardware would.
///
/// What becomes of a request is `RequestResolver`'s to say; this names it.
public struct Translator {
  public var evidence: DumpEvidence

  public init(_ evidence: DumpEvidence) {
    self.evidence = evidence
  }

  /// Follows one address through one unit.
  public func trace(
    _ device: PCIFunction, pasid: UInt32?, iova: IOVirtualAddress, unit: Unit
  ) -> RequestTrace {
    evidence.resolver(of: unit).resolve(
      MemoryRequest(bus: device.bus, devfn: device.devfn, pasid: pasid, address: iova))
  }

  /// Follows one address through the unit that the device belongs to.
  public func translate(
    _ device: PCIFunction, pasid: UInt32?, iova: IOVirtualAddress
  ) -> AddressTranslation {
    var result: AddressTranslation?
    // Of several units that may be the device's, the first one that knows the bus counts.
    for unit in evidence.units(of: device) {
      let trace = trace(device, pasid: pasid, iova: iova, unit: unit)
      if trace.ending == .unknownRoot { continue }
      let answer = Self.answer(trace, device: device, pasid: pasid, iova: iova, unit: unit)
      // Nothing but a way that ended above the tables leaves the question to the next unit.
      guard case .context = trace.ending, trace.context?.path == nil else { return answer }
      if result == nil { result = answer }
    }
    return result ?? answerWithoutUnit(device, pasid: pasid, iova: iova)
  }

  /// What becomes of a request that comes to no unit that is known.
  private func answerWithoutUnit(
    _ device: PCIFunction, pasid: UInt32?, iova: IOVirtualAddress
  ) -> AddressTranslation {
    var result = AddressTranslation(
      unit: nil, device: device, pasid: pasid, iova: iova, entries: [], outcome: .unknown,
      detail: evidence.state.reasonOfOtherUnits
        ?? "no remapping unit with a root table is known for the device",
      faultsSuppressed: false)
    if evidence.state.hasNoUnit {
      result.outcome = .untranslated
      result.detail = "the kernel has no remapping unit"
      result.physical = PhysicalAddress(iova.rawValue)
      result.access = PagingAccess.all.description
    }
    return result
  }

  static func answer(
    _ trace: RequestTrace, device: PCIFunction, pasid: UInt32?, iova: IOVirtualAddress, unit: Unit
  ) -> AddressTranslation {
    let path = trace.context?.path
    var result = AddressTranslation(
      unit: unit.name, device: device, pasid: pasid, iova: iova,
      entries: (trace.context?.steps ?? []).map { DecodedEntry($0) }
        + (trace.translation?.steps ?? []).map { DecodedEntry($0) },
      outcome: .init(trace.ending), detail: trace.ending.description, domainID: path?.domainID,
      faultOnRead: trace.faultReason(isWrite: false).map { ReportedFault($0) },
      faultOnWrite: trace.faultReason(isWrite: true).map { ReportedFault($0) },
      faultsSuppressed: path?.faultsSuppressed ?? false)
    switch trace.ending {
    case .untranslated(let physical), .passThrough(let physical):
      result.physical = physical
      result.access = PagingAccess.all.description
    case .translation(.mapped(let physical, let pageSize, let access)):
      result.physical = physical
      result.pageSize = pageSize
      result.access = access.description
    default: break
    }
    return result
  }
}

extension DumpEvidence {
  /// The unit as requests meet it.
  public func resolver(of unit: Unit) -> RequestResolver {
    RequestResolver(
      tables: tables(of: unit), isTranslating: unit.translationEnabled != false,
      unit: unit.knownCapabilities)
  }
}
