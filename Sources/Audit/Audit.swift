// SPDX-License-Identifier: Apache-2.0

public import RemappingState

/// All rules, applied to one state.
public enum Audit {
  /// Every rule there is, in the order of their findings.
  public static let rules: [any AuditRule.Type] = [
    UnitWithoutRoot.self,
    TranslationOff.self,
    UnitWithoutDevices.self,
    ContextFieldImpossible.self,
    ContextReservedBits.self,
    ContextTableOutsideMemory.self,
    ContextTableShared.self,
    ContextTablesUnreadable.self,
    ContextMissing.self,
    AliasContextMissing.self,
    TranslationCacheOff.self,
    UnknownDevice.self,
    ContextOnOtherUnit.self,
    DomainIDMismatch.self,
    TranslationMismatch.self,
    DomainIDNotMarked.self,
    DomainIDShared.self,
    TableUnderTwoIDs.self,
    DomainIDLeaked.self,
    ReferencesDisagree.self,
    DomainTablesDisagree.self,
    ReservedRegionNotMapped.self,
    RegionOverlapsMemory.self,
    RegionOutsideFirmware.self,
    MappedNotAllocated.self,
    FreedButMapped.self,
    AllocatedNotMapped.self,
    FlushPending.self,
    LeakSuspect.self,
    MapsTables.self,
    MapsFreeMemory.self,
    MapsKernelText.self,
    MapsCrashKernel.self,
    MapsMSIWindow.self,
    MappedBeyondWidth.self,
    MapsNoMemory.self,
    SharedWritablePage.self,
    TableCycle.self,
    TableAlias.self,
    TableShared.self,
    ReservedBits.self,
    TablesUnreadable.self,
    TablesAssumedEmpty.self,
    WalkCut.self,
    EntryNotAllocated.self,
    InterruptEntryImpossible.self,
    InvalidationPending.self,
    HandoverDisagrees.self,
    LoggedFaults.self,
    LoggedUnitErrors.self,
    RegistersUnanswered.self,
    RegistersOfCrashKernel.self,
    RegisteredRootDisagrees.self,
    RegisteredStatusDisagrees.self,
    RegisteredInterruptTableDisagrees.self,
    RegisteredQueueDisagrees.self,
    RegisteredQueueStopped.self,
    RegisteredFaults.self,
    DumpIncomplete.self,
    FilteredOut.self,
    Truncated.self,
    Corrupt.self,
    FirmwareTableAltered.self,
    StructureUnreadable.self,
    StructureMalformed.self,
    KernelUnread.self,
  ]

  /// What the rules say: by severity, the worst first, then in the order of the rules.
  public static func findings(of state: RemappingState) -> [Finding] {
    let findings = findings(rules, of: state)
    return Finding.Severity.allCases.flatMap { severity in
      findings.filter { $0.severity == severity }
    }
  }

  /// Those of them that are errors; rules that never give one are not asked.
  public static func errors(of state: RemappingState) -> [Finding] {
    findings(rules.filter { $0.severity == .error }, of: state).filter { $0.severity == .error }
  }

  private static func findings(
    _ rules: [any AuditRule.Type], of state: RemappingState
  ) -> [Finding] {
    let mappings = MappingFacts(state)
    return rules.flatMap { $0.init().check(state, mappings) }
  }

  /// The rules that could not be judged on a state, in their order, each with what is missing.
  public static func unjudged(on state: RemappingState) -> [UnjudgedRule] {
    var reasons: [AuditNeed: String] = [:]
    for need in AuditNeed.allCases { reasons[need] = state.reasonForLack(of: need) }
    return rules.compactMap { rule in
      // The first lack is the deepest: without the kernel's structures there are no allocators.
      AuditNeed.allCases.first { rule.needs.contains($0) && reasons[$0] != nil }
        .flatMap { reasons[$0] }.map { UnjudgedRule(rule: rule.id, reason: $0) }
    }
  }
}
