// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What the readers and the table walk could not, or need not, resolve.
struct MissingText {
  private let observations: [Observation]
  private let notJudged: [UnjudgedRule]

  init(_ document: ReportDocument) {
    observations = document.state.observations
    notJudged = document.notJudged
  }

  func write(to page: TextPage) throws(OutputError) {
    if observations.isEmpty { try page.paragraph("nothing", indent: 2) }
    for observation in observations.prefix(page.shown(observations.count)) {
      try page.field(observation.kind.rawValue, sentence(observation), labelWidth: 16)
    }
    try page.cut(observations.count, "observations", indent: 2)
    // One paragraph for each reason: a kernel that cannot be read silences most rules.
    var reasons: [String] = []
    for rule in notJudged where !reasons.contains(rule.reason) { reasons.append(rule.reason) }
    for reason in reasons {
      let rules = notJudged.filter { $0.reason == reason }.map(\.rule)
      try page.field(
        "not judged", "\(rules.joined(separator: ", ")): \(reason)", labelWidth: 16)
    }
  }

  private func sentence(_ observation: Observation) -> String {
    var place: [String] = []
    if let unit = observation.unit { place.append(unit) }
    if let device = observation.device { place.append("\(device)") }
    if let id = observation.domainID { place.append("domain-id \(id)") }
    var text = place.isEmpty ? "" : place.joined(separator: " ") + ": "
    text += observation.subject
    if let address = observation.address { text += " at \(address)" }
    if let word = observation.word { text += ", word \(word)" }
    if !observation.detail.isEmpty { text += ": \(observation.detail)" }
    if observation.count != 1 { text += " (\(observation.count) times)" }
    return text
  }
}
