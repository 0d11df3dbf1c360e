// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import Translation

/// Joins faults of neighbouring pages: a device that runs through a range is one event.
///
/// Faults belong together if device, kind, PASID and reason agree, if their pages are near each
/// other, and if the tables and the allocator say the same about each of them.
struct FaultClusters {
  let explanations: [FaultExplanation]

  /// So many pages make a range; fewer are faults of their own.
  static let leastPages = 4
  /// Pages that may lie between two of a range: the kernel leaves out faults when there are many.
  static let widestGap: UInt64 = 64

  private struct Key: Hashable {
    var fault: FaultLine

    init(_ fault: FaultLine) {
      self.fault = fault
      self.fault.value = 0
    }
  }

  init(_ records: [FaultRecord], _ explainer: FaultExplainer) {
    var groups: [Key: [Int]] = [:]
    for (index, record) in records.enumerated() where record.fault.kind != .interrupt {
      groups[Key(record.fault), default: []].append(index)
    }
    // The rows that an entry stands for, by the first of them in the log.
    var clusters: [Int: [Int]] = [:]
    var joined: Set<Int> = []
    for group in groups.values where group.count >= Self.leastPages {
      let byPage = group.sorted { records[$0].fault.value < records[$1].fault.value }
      var stretch: [Int] = []
      func close() {
        defer { stretch = [] }
        guard stretch.count >= Self.leastPages, let first = stretch.min() else { return }
        clusters[first] = stretch
        joined.formUnion(stretch)
      }
      var last: Signature?
      for index in byPage {
        // Without what it costs to compare them, faults stay apart.
        guard let signature = Signature(explainer, records[index].fault) else { break }
        if let previous = stretch.last {
          let gap = (records[index].fault.value >> 12) - (records[previous].fault.value >> 12)
          if gap > Self.widestGap || signature != last { close() }
        }
        last = signature
        stretch.append(index)
      }
      close()
    }
    var explanations: [FaultExplanation] = []
    for (index, record) in records.enumerated() {
      if let cluster = clusters[index] {
        explanations.append(Self.join(cluster.map { records[$0] }, explainer))
      } else if !joined.contains(index) {
        explanations.append(explainer.explain(record))
      }
    }
    self.explanations = explanations
  }

  /// What must agree for two pages to have one cause.
  private struct Signature: Hashable {
    var outcome: AddressTranslation.Outcome
    var detail: String
    var node: UInt64?

    init?(_ explainer: FaultExplainer, _ fault: FaultLine) {
      guard explainer.pays(for: fault) else { return nil }
      let answer = explainer.outlook(fault)
      outcome = answer.translation.outcome
      detail = answer.translation.outcome == .mapped ? "" : answer.translation.detail
      node = answer.node
    }
  }

  /// Records by ascending page.
  private static func join(
    _ records: [FaultRecord], _ explainer: FaultExplainer
  ) -> FaultExplanation {
    let count = records.reduce(0) { $0 + $1.count }
    let first = records.compactMap(\.first).min()
    let last = records.compactMap(\.last).max()
    var record = records[0]
    record.count = count
    record.first = first
    record.last = last
    var result = explainer.explain(record)
    result.pages = records.count
    result.lastIOVA = records.last.map { IOVirtualAddress($0.fault.value) }
    return result
  }
}
