// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
public import Evidence
internal import Memory
internal import RemappingState
internal import Translation
internal import VTd

/// Holds faults against the tables, the devices and the allocator of a dump.
public struct FaultExplainer {
  public var evidence: DumpEvidence

  public init(_ evidence: DumpEvidence) {
    self.evidence = evidence
  }

  public func explain(_ record: FaultRecord) -> FaultExplanation {
    let fault = record.fault
    var result = FaultExplanation(
      text: record.text, kind: fault.kind, device: fault.device, pasid: fault.pasid,
      reason: fault.reason.map { ReportedFault($0) }, count: record.count,
      first: record.first.map { Self.seconds($0) }, last: record.last.map { Self.seconds($0) },
      rate: record.rate.map { Self.decimal($0) }, aliasOf: [], diagnosis: [])
    addDevice(fault.device, to: &result)
    if fault.kind == .interrupt {
      result.index = fault.value
      explainInterrupt(fault, &result)
    } else {
      result.iova = IOVirtualAddress(fault.value)
      explainRequest(fault, &result)
    }
    return result
  }

  private func addDevice(_ function: PCIFunction, to result: inout FaultExplanation) {
    let name = DeviceName.pci(function)
    var device = evidence.device(function)
    if device == nil {
      let owners = evidence.state.devices.filter { $0.aliases.contains(name) }
      result.aliasOf = owners.map(\.device)
      device = owners.first
    }
    result.driver = device?.driver
    result.group = device?.group
    result.unit = device?.unit
  }

  // MARK: Requests

  private func explainRequest(_ fault: FaultLine, _ result: inout FaultExplanation) {
    let iova = IOVirtualAddress(fault.value)
    let translation = Translator(evidence).translate(
      fault.device, pasid: fault.pasid, iova: iova)
    result.translation = translation
    result.unit = translation.unit ?? result.unit
    let expected = fault.kind == .read ? translation.faultOnRead : translation.faultOnWrite
    if translation.outcome != .unknown {
      result.stillFaults =
        fault.reason.map { expected?.code == HexWord(UInt64($0.rawValue)) } ?? (expected != nil)
    }
    let row = domainRow(of: translation)
    if let row {
      result.domain = FaultExplanation.FaultDomain(
        domainID: row.domainID, type: row.type, table: row.table, kernelObject: row.kernelObject)
      result.allocator = row.iova.map { Self.allocator($0, iova) }
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
    result.diagnosis = Diagnostician(
      evidence: evidence, fault: fault, translation: translation, domain: row, result: result
    ).diagnose()
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

  private static func allocator(
    _ space: IOVASpace, _ iova: IOVirtualAddress
  ) -> FaultExplanation.FaultAllocator {
    guard let node = space.allocated.first(where: { $0.start <= iova && iova <= $0.end }) else {
      return FaultExplanation.FaultAllocator(state: "free")
    }
    return FaultExplanation.FaultAllocator(
      state: node.state.rawValue, start: node.start, end: node.end)
  }

  /// The runs next to an address; one that holds it is both.
  static func neighbours(_ runs: [Run], of iova: UInt64) -> (Run?, Run?) {
    let next = runs.partitioningIndex { $0.iova.rawValue > iova }
    return (next > 0 ? runs[next - 1] : nil, next < runs.count ? runs[next] : nil)
  }

  // MARK: Interrupts

  private func explainInterrupt(_ fault: FaultLine, _ result: inout FaultExplanation) {
    let units = evidence.units(of: fault.device)
    let unit =
      units.first { $0.interruptRemapping?.table != nil }
      ?? evidence.state.units.first { $0.interruptRemapping?.table != nil }
    guard let unit, let remapping = unit.interruptRemapping, let table = remapping.table,
      let entries = UInt64(exactly: remapping.entries)
    else {
      result.diagnosis = [
        .init(rule: .unknown, message: "no interrupt remapping table is known for the device")
      ]
      return
    }
    result.unit = unit.name
    guard fault.value < entries, let address = table.advanced(by: fault.value * 16),
      let page = try? evidence.memory.pageOrAssumedZero(address.frame).page
    else {
      result.diagnosis = [
        .init(
          rule: .interrupt,
          message: fault.value < entries
            ? "the table's page is not in the dump"
            : "the index is beyond the table's \(remapping.entries) entries")
      ]
      return
    }
    let entry = InterruptRemapEntry(page: page, word: address.pageOffset / 8)
    result.interrupt = DecodedEntry(interrupt: entry, at: address)
    let source = UInt16(truncatingIfNeeded: entry.words[1])
    let owner = PCIFunction(
      segment: unit.segment, bus: UInt8(source >> 8), devfn: UInt8(truncatingIfNeeded: source))
    let message: String
    if !entry.isPresent {
      message =
        "the entry is not present: the interrupt was freed, or never set up by this kernel, while "
        + "the device still sends it"
    } else if source != fault.device.sourceID, entry.words[1] >> 18 & 3 != 0 {
      message =
        "the entry belongs to \(owner): the device sends another device's interrupt, or the entry "
        + "was given away while it still used it"
    } else {
      message =
        "the entry is present and of this source now: it was set up after the fault, or the "
        + "interrupt entry cache was stale"
    }
    result.diagnosis = [.init(rule: .interrupt, message: message)]
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
