// SPDX-License-Identifier: Apache-2.0

public import RemappingState

/// How one state became another: two dumps of a machine compared row by row.
///
/// Identity comes first, by what survives a reboot or a new kernel: units by segment and register
/// base, contexts and devices by source id, domains by whom they serve, fixed regions by range,
/// findings by rule and subject. What is left compares field by field, mappings as ranges of I/O
/// virtual addresses.
///
/// Never compared: where kernel objects lie, the evidence of findings and the dump itself.
public struct StateDiff: Hashable, Sendable {
  public var options: DiffOptions
  public var units: RowDifference<Unit>
  public var contexts: RowDifference<Context>
  public var domains: RowDifference<Domain>
  public var devices: RowDifference<Device>
  public var reservedRegions: RowDifference<ReservedRegion>
  public var findings: RowDifference<Finding>
  /// What all that means for whoever runs the machine, changes first; also says what stayed.
  public var meaning: [Statement]

  /// A state with what the audit said about it.
  public struct Side: Hashable, Sendable {
    public var state: RemappingState
    public var findings: [Finding]

    public init(_ state: RemappingState, findings: [Finding] = []) {
      self.state = state
      self.findings = findings
    }
  }

  public var isEmpty: Bool {
    units.isEmpty && contexts.isEmpty && domains.isEmpty && devices.isEmpty
      && reservedRegions.isEmpty && findings.isEmpty
  }

  public init(from old: Side, to new: Side, options: DiffOptions = DiffOptions()) {
    let sides = ComparedState.pair(old, new, options)
    self.options = options
    func difference<Row>(
      _ rows: (ComparedState) -> [ComparedRow<Row>]
    ) -> RowDifference<Row> {
      RowDifference(
        from: rows(sides.old), to: rows(sides.new), ignorePhysical: options.ignorePhysical)
    }
    units = difference(\.units)
    contexts = difference(\.contexts)
    domains = difference(\.domains)
    devices = difference(\.devices)
    reservedRegions = difference(\.reservedRegions)
    findings = difference(\.findings)
    meaning = Statement.statements(from: old.state, to: new.state)
  }
}

/// One side as it is compared: identities that both sides share, and nothing but what is compared.
struct ComparedState {
  var units: [ComparedRow<Unit>]
  var contexts: [ComparedRow<Context>]
  var domains: [ComparedRow<Domain>]
  var devices: [ComparedRow<Device>]
  var reservedRegions: [ComparedRow<ReservedRegion>]
  var findings: [ComparedRow<Finding>]

  static func pair(
    _ old: StateDiff.Side, _ new: StateDiff.Side, _ options: DiffOptions
  ) -> (old: ComparedState, new: ComparedState) {
    let labels = UnitLabels(old.state.units, new.state.units)
    let domains = DomainIdentity(old.state, new.state, labels: labels)
    return (
      ComparedState(old, domains.old, labels, .old, options),
      ComparedState(new, domains.new, labels, .new, options)
    )
  }

  private init(
    _ side: StateDiff.Side, _ domainKeys: [RowKey], _ labels: UnitLabels,
    _ which: UnitLabels.Side, _ options: DiffOptions
  ) {
    let state = side.state
    units = state.units.map {
      ComparedRow(row: $0, key: $0.identity, fields: $0.fields(options))
    }
    contexts = state.contexts.map {
      ComparedRow(row: $0, key: $0.identity(labels, which), fields: $0.fields(options))
    }
    domains = zip(state.domains, domainKeys).map { domain, key in
      ComparedRow(
        row: domain, key: key, fields: domain.fields(options, labels, which),
        ranges: MappedRange.ranges(of: domain.mapping))
    }
    devices = state.devices.map {
      ComparedRow(row: $0, key: $0.identity, fields: $0.fields(labels, which))
    }
    reservedRegions = state.reservedRegions.map {
      ComparedRow(row: $0, key: $0.identity, fields: $0.fields)
    }
    findings = side.findings.map {
      ComparedRow(row: $0, key: $0.identity(labels, which), fields: $0.fields)
    }
  }
}
