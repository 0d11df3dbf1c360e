// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import TableCopy
import VTd

/// Requests of one source id with one PASID.
struct RequesterPASID: Hashable {
  var sourceID: UInt16
  var pasid: UInt32
}

/// A unit after the switch of its root pointer.
struct SwitchedUnit {
  /// What a source id's requests without PASID meet in the new tables.
  struct Reading {
    var fate: Fate
    var faultReason: Int?
    var remark: String?
  }

  /// The crash kernel switches translation off before it has new tables.
  var isDisabledFirst = false
  /// Translation stays off for good.
  var isOff = false
  /// The crash kernel's driver stays off, so that nobody attaches a device.
  var neverAttaches = false
  /// Hardware records no fault of what is blocked.
  var isSilent = false
  /// Contexts of each bus hang in two tables.
  var hasHalves = false
  /// Faults have the numbers of scalable mode.
  var isScalable = false
  var hasPassThrough = false
  var rootTable: PhysicalAddress?
  /// By source id, of those that the new tables have a context for.
  var readings: [UInt16: Reading] = [:]
  /// Likewise, of requests with a PASID.
  var pasidReadings: [RequesterPASID: Reading] = [:]
  /// Buses with a context table in the new root, or the halves of it: bus × 2 + half.
  var presentHalves: Set<Int> = []
  /// The reason of a refusal.
  var refusal: String?
  /// Source ids whose device goes on with its domain.
  var preserved: Set<UInt16> = []
  /// What is to be said of source ids whose reading says nothing itself.
  var remarks: [UInt16: String] = [:]

  /// What a source id meets that the new tables have no context for.
  func reading(of sourceID: UInt16) -> Reading {
    if let reading = readings[sourceID] { return reading }
    let half = hasHalves ? Int(sourceID >> 7) : Int(sourceID >> 8) << 1
    let hasTable = presentHalves.contains(half)
    return Reading(
      fate: .blocked,
      faultReason: isSilent
        ? nil
        : (hasTable
          ? FaultReason.contextEntryNotPresent(isScalable: isScalable)
          : FaultReason.rootEntryNotPresent(isScalable: isScalable)).code)
  }
}

extension Forecaster {
  /// Lets one unit be taken over and reads the tables that are in force then.
  func takeOver(
    _ unit: Unit, _ plan: PolicyPlan, _ copier: inout TableCopier
  ) -> (forecast: UnitForecast, switched: SwitchedUnit) {
    var switched = SwitchedUnit()
    switched.hasHalves = unit.tableMode != .legacy
    switched.isScalable = unit.tableMode == .scalable
    let features = ExtendedCapability(unit.extendedCapability.rawValue)
    switched.hasPassThrough = features.passThrough
    var row = UnitForecast(
      unit: unit.name, outcome: .refused, reason: nil,
      rootTable: .init(old: unit.rootTable.map { HexWord($0.rawValue) }, new: nil), roots: [],
      contexts: [], pasids: [],
      domainIDs: DomainIDOutlook(reserved: [], remaining: 0, firstFree: nil, lost: []),
      interruptRemapping: interrupts(unit, plan), memory: MemoryCost([:]), ambiguity: nil,
      problems: [], proof: nil)
    let source = TranslationTables(unit, memory)
    var copy = UnitCopy()
    if unit.translationEnabled != true {
      row.outcome = .disabled
      row.reason =
        unit.translationEnabled == false
        ? "translation was off at the panic: there is nothing to take over"
        : "the kernel's shadow of the command register cannot be read: it is not known whether "
          + "the unit translated"
      switched.isOff = unit.translationEnabled == false && plan.tables != .blocked
    }
    if let source, unit.translationEnabled == true {
      switch plan.tables {
      case .contexts:
        let refusal = refusal(unit, features)
        if options.commandLine.turnsOff {
          row.outcome = .disabled
          row.reason =
            "the crash kernel's command line switches the driver off, and that "
            + "switches translation off"
          switched.isDisabledFirst = true
          switched.isOff = true
        } else if let refusal {
          row.outcome = traits.variant == .v0 ? .disabled : .refused
          row.reason = refusal
          switched.refusal = refusal
          switched.isDisabledFirst = true
        } else if (try? memory.pageOrAssumedZero(source.rootTable.frame)) == nil {
          // The dump lacks it; the crash kernel has it before it.
          row.outcome = .partial
          row.reason = "the root table is not in the dump, so there is no forecast of its words"
        } else {
          copy = copier.copyContexts(source, rule: rule(unit))
          row.outcome = copy.failedBuses.isEmpty ? .copied : .partial
          describe(copy, unit, &row)
        }
      case .everything:
        copy = copier.copyAll(source, dropsBadEntries: options.strict)
        row.outcome = copy.failedBuses.isEmpty ? .copied : .partial
        var verifier = CopyVerifier(
          copier.arena, original: source, budget: budget, walked: walked)
        row.proof = UnitForecast.Proof(verifier.verify(copy), segment: unit.segment)
      case .blocked:
        copy = copier.block(source, except: keptSources(unit))
        row.outcome = .isolated
        switched.isSilent = true
      case .empty:
        row.outcome = .disabled
        row.reason = "translation is off until empty tables are loaded"
        switched.isDisabledFirst = true
      case .adopted, .handedOver:
        copy = takeOverInPlace(unit, source, plan, &copier, &row, &switched)
      }
      if switched.isDisabledFirst, facts.unitsKeptOn.contains(unit.name) {
        copy = keepOn(copy, source, &copier, &row, &switched)
      }
      fill(&row, from: copy, base: copier.arena.base, unit: unit)
      switched.rootTable = copy.rootTable
      read(copy, source, copier, &switched, row.proof)
    }
    row.domainIDs = domainIDs(unit, copy, plan)
    return (row, switched)
  }

  /// A unit that the code does not switch off goes on with its old tables until it gets a new root,
  /// which it never does where the driver stays off.
  private func keepOn(
    _ copy: UnitCopy, _ source: TranslationTables, _ copier: inout TableCopier,
    _ row: inout UnitForecast,
    _ switched: inout SwitchedUnit
  ) -> UnitCopy {
    switched.isDisabledFirst = false
    let reason = row.reason.map { "\($0); " } ?? ""
    row.reason =
      reason + "the code does not switch a unit of graphics alone off on this machine"
      + " (iommu_skip_te_disable), so the old tables stay in force "
      + (switched.isOff ? "for good" : "until an empty root is loaded")
    guard switched.isOff else { return copy }
    switched.isOff = false
    switched.neverAttaches = true
    return copier.adopt(source)
  }

  // MARK: The kernel's code

  /// Why `copy_translation_tables` of the crash kernel would return an error.
  ///
  /// Source: drivers/iommu/intel/iommu.c, `copy_translation_tables`.
  private func refusal(_ unit: Unit, _ features: ExtendedCapability) -> String? {
    if unit.ignored == true {
      return "the driver ignores the unit and switches its translation off"
    }
    guard let root = unit.rootTable, root.rawValue != 0 else { return "the root pointer is 0" }
    switch traits.variant {
    case .v0: return "kernels before 4.2 have no code that copies tables"
    case .v1:
      // The bit that code of 5.0 and later tests no longer exists, so a unit that announces the old
      // mode never matches.
      if (unit.tableMode == .extended) != features.extendedContext {
        return features.extendedContext
          ? "the unit announces extended mode (ECAP.ECS), which its tables do not use"
          : "the tables are in extended mode, which the unit does not announce"
      }
    case .v2a, .v2b:
      let wants =
        (options.commandLine.scalable ?? state.units.contains { $0.tableMode == .scalable })
        && features.scalableMode
      if wants != (unit.tableMode == .scalable) || unit.tableMode == .extended {
        return "the tables are in \(unit.tableMode.rawValue) mode and the crash kernel wants "
          + "\(wants ? "scalable" : "legacy") mode, which cannot be changed while translation is on"
      }
    }
    return nil
  }

  private func rule(_ unit: Unit) -> ContextCopyRule {
    let isV1 = traits.variant == .v1
    return ContextCopyRule(
      marker: isV1 ? .bit67 : .bitmap,
      readsHalves: isV1 && !options.strict
        ? unit.tableMode == .extended : unit.tableMode != .legacy,
      upperOnly: traits.variant == .v2b || options.strict ? .upperHalf : .lowerHalf,
      dropsBadEntries: options.strict)
  }

  private func describe(_ copy: UnitCopy, _ unit: Unit, _ row: inout UnitForecast) {
    var reasons: [String] = []
    if !copy.failedBuses.isEmpty {
      reasons.append(
        "buses \(busList(copy.failedBuses)) could not be copied and fault from then on")
    }
    if traits.variant == .v1, unit.tableMode == .scalable, !options.strict {
      row.outcome = .partial
      reasons.append(
        "this code reads scalable-mode tables as legacy ones: it logs success, but requests without "
          + "PASID look for a PASID that is not there")
    }
    if !copy.upperOnlyBuses.isEmpty, unit.tableMode != .legacy, !options.strict {
      let buses = busList(copy.upperOnlyBuses)
      let wrong = "puts them into the lower half, where devices 10 to 1f are not found"
      let right = "leaves them in the upper half"
      if traits.variant != .v2b {
        reasons.append("buses \(buses) have only an upper table: the code \(wrong)")
      }
      if traits.isAmbiguous {
        row.ambiguity =
          "buses \(buses) have only an upper context table: code up to 7.0 \(wrong); code of 7.2 and "
          + "of 6.1 stable kernels \(right); the dump's types do not show which of the two it is"
      }
    }
    row.reason = reasons.isEmpty ? nil : reasons.joined(separator: "; ")
  }

  private func busList(_ buses: [UInt8]) -> String {
    Set(buses).sorted().map { String($0, radix: 16) }.joined(separator: ", ")
  }

  /// Source ids of devices with firmware regions, which isolation passes over.
  private func keptSources(_ unit: Unit) -> Set<UInt16> {
    var result: Set<UInt16> = []
    for device in state.devices
    where device.unit == unit.name && device.reservedRegions.contains(where: { $0.kind == .rmrr }) {
      result.formUnion(device.requesters.map(\.sourceID))
    }
    return result
  }

  // MARK: Rows

  private func fill(
    _ row: inout UnitForecast, from copy: UnitCopy, base: PhysicalAddress, unit: Unit
  ) {
    func function(_ bus: UInt8, _ devfn: UInt8) -> PCIFunction {
      PCIFunction(segment: unit.segment, bus: bus, devfn: devfn)
    }
    row.rootTable.new = copy.rootTable.map {
      copy.isInPlace ? .exact($0.rawValue) : .arena($0.rawValue &- base.rawValue)
    }
    row.roots = copy.roots.map {
      .init(
        bus: Int($0.bus), half: $0.half.map { $0 == 0 ? "lower" : "upper" }, old: HexWord($0.old),
        new: ForecastWord($0.new))
    }
    row.contexts = copy.contexts.map {
      .init(
        device: function($0.bus, $0.devfn), old: $0.old?.map { HexWord($0) },
        new: $0.new?.map(ForecastWord.init))
    }
    row.pasids = copy.pasids.map {
      .init(
        device: function($0.bus, $0.devfn), pasid: $0.pasid, old: $0.old?.map { HexWord($0) },
        new: $0.new?.map(ForecastWord.init))
    }
    row.memory = MemoryCost(copy.pages)
    row.problems = copy.problems.list.map { problem in
      .init(
        check: problem.check.rawValue, outcome: problem.outcome.rawValue,
        device: problem.bus.flatMap { bus in problem.devfn.map { function(bus, $0) } },
        pasid: problem.pasid, address: problem.address.map { HexWord($0.rawValue) },
        iova: problem.iova.map { HexWord($0.rawValue) }, detail: problem.detail)
    }
  }
}

extension FaultReason {
  /// The number as forecasts carry it.
  var code: Int { Int(rawValue) }
}

extension ForecastWord {
  fileprivate init(_ word: CopiedWord) {
    self =
      switch word {
      case .exact(let word): .exact(word)
      case .arena(let offset): .arena(offset)
      }
  }
}

extension UnitForecast.Proof {
  fileprivate init(_ proof: CopyProof, segment: UInt32) {
    self.init(
      identical: proof.isIdentical, contexts: proof.contexts, spaces: proof.spaces,
      leaves: proof.leaves, runs: proof.runs, bytes: proof.bytes,
      differences: proof.differences.map { difference in
        Difference(
          device: difference.bus.flatMap { bus in
            difference.devfn.map { PCIFunction(segment: segment, bus: bus, devfn: $0) }
          },
          pasid: difference.pasid, iova: difference.iova.map { HexWord($0.rawValue) },
          what: difference.what)
      })
  }
}
