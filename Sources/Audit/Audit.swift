// SPDX-License-Identifier: Apache-2.0

public import RemappingState

/// All rules, applied to one state.
public enum Audit {
  /// Every rule there is, in the order of their findings.
  public static let rules: [any AuditRule.Type] = [
    TranslationOff.self,
    ContextMissing.self,
    UnknownDevice.self,
    ContextOnOtherUnit.self,
    DomainIDMismatch.self,
    TranslationMismatch.self,
    DomainIDNotMarked.self,
    DomainIDLeaked.self,
    DomainTablesDisagree.self,
    ReservedRegionNotMapped.self,
    MappedNotAllocated.self,
    FreedButMapped.self,
    TableCycle.self,
    TableAlias.self,
    ReservedBits.self,
    TablesUnreadable.self,
    TablesAssumedEmpty.self,
    WalkCut.self,
    EntryNotAllocated.self,
    InvalidationPending.self,
    DumpIncomplete.self,
    FilteredOut.self,
    Truncated.self,
    Corrupt.self,
    StructureUnreadable.self,
    StructureMalformed.self,
    KernelUnread.self,
  ]

  /// What the rules say: by severity, the worst first, then in the order of the rules.
  public static func findings(of state: RemappingState) -> [Finding] {
    let findings = rules.flatMap { $0.init().check(state) }
    return Finding.Severity.allCases.flatMap { severity in
      findings.filter { $0.severity == severity }
    }
  }
}
