// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension Domain {
  func fields(
    _ options: DiffOptions, _ labels: UnitLabels, _ side: UnitLabels.Side
  ) -> [FieldValue.Member] {
    var fields: [FieldValue.Member] = [
      .init("domainID", FieldValue(domainID)),
      .init("type", FieldValue(type)),
      .init("stage", FieldValue(stage)),
      .init("levels", FieldValue(levels)),
      .init("devices", FieldValue(devices)),
      .init("inFlight", .flag(inFlight)),
      .init("mapping.leaves", FieldValue(mapping?.leaves)),
      .init("mapping.bytes", mapping.map { .number(Int(clamping: $0.bytes)) } ?? .null),
    ]
    let figures = iova.map { IOVAFigure.figures(of: $0) }
    for state in IOVARange.State.allCases {
      fields.append(
        .init(
          "iova.\(state.rawValue)", figures.map { .figure($0[state] ?? IOVAFigure()) } ?? .null))
    }
    fields += [
      .init(
        "iova.unallocated",
        iova.flatMap { IOVAFigure.unallocated(of: $0) }.map { .figure($0) } ?? .null),
      .init("walk.unreadable", FieldValue(walk?.unreadable)),
      .init("walk.assumedEmpty", FieldValue(walk?.assumedEmpty)),
      .init("walk.cycles", FieldValue(walk?.cycles)),
      .init("walk.aliases", FieldValue(walk?.aliases)),
      .init("walk.reservedBits", FieldValue(walk?.reservedBits)),
      .init("walk.budgetExhausted", FieldValue(walk?.budgetExhausted)),
    ]
    if options.addresses { fields.append(.init("table", FieldValue(table))) }
    return fields
  }
}

extension IOVAFigure {
  mutating func add(_ start: IOVirtualAddress, _ end: IOVirtualAddress) {
    ranges += 1
    guard let distance = end.distance(from: start) else { return }
    for part in [distance, 1] {
      let (sum, overflow) = bytes.addingReportingOverflow(part)
      bytes = overflow ? .max : sum
    }
  }

  /// Of the states that at least one range is in.
  static func figures(of space: IOVASpace) -> [IOVARange.State: IOVAFigure] {
    var figures: [IOVARange.State: IOVAFigure] = [:]
    for range in space.allocated {
      figures[range.state, default: IOVAFigure()].add(range.start, range.end)
    }
    return figures
  }

  /// `nil` where that is not known.
  static func unallocated(of space: IOVASpace) -> IOVAFigure? {
    space.unallocated.map { ranges in
      var figure = IOVAFigure()
      for range in ranges { figure.add(range.start, range.end) }
      return figure
    }
  }
}
