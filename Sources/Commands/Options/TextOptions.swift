// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Report

/// Which parts of a report the text shows.
struct TextOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Only these sections of the text, separated by commas, or all.", valueName: "list"),
    transform: SectionList.init)
  var sections: SectionList = SectionList(sections: Set(ReportSection.allCases))
}

/// The value of `--sections`.
struct SectionList: Hashable, Sendable {
  var sections: Set<ReportSection>
}

extension SectionList {
  init(_ list: String) throws {
    sections = []
    for name in list.split(separator: ",", omittingEmptySubsequences: false) {
      if name == "all" {
        sections.formUnion(ReportSection.allCases)
      } else if let section = ReportSection(rawValue: String(name)) {
        sections.insert(section)
      } else {
        let names = ReportSection.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("no section is called '\(name)'; there are \(names) and all.")
      }
    }
  }
}
