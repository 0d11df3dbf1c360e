// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Audit
import Evidence
import RemappingState
import Report
import Session

/// `report`: everything about the remapping units at the time of the crash.
struct ReportCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Everything about the remapping units at the time of the crash.",
    usage: "iommuscope report <dump> ... [<options>]",
    discussion: """
      Sections of the text: \(ReportSection.allCases.map(\.rawValue).joined(separator: ", ")). \
      JSON always holds everything.
      """)

  @Argument(
    help: ArgumentHelp("The dump, or all files of a split one.", valueName: "dump"),
    completion: .file())
  var dumps: [String]

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions

  @OptionGroup(title: "Shaping the result") var text: TextOptions

  @OptionGroup(title: "Shaping the result") var length: LengthOptions<Rows>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Judging the result") var judgement: JudgementOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = input.request(dumps)
    let state = try environment.evidence.evidence(of: request, below: [], progress: console).state
    console.endProgress()
    let document = ReportDocument(state: state, findings: Audit.findings(of: state))
    warn(about: state, console)
    try destination.write(in: environment, keeping: request.inputs) { sink in
      switch form.format {
      case .text:
        let color = form.useColor(in: environment, toFile: destination.output != nil)
        try TextReport(
          sections: text.sections.sections, limit: length.rows, color: color
        ).write(document, to: sink)
      case .json: try document.writeJSON(to: sink)
      }
    }
    guard let failOn = judgement.failOn else { return .done }
    return document.findings.contains { failOn.covers($0.severity) } ? .found : .done
  }

  /// Who only keeps the JSON should not have to look into it to learn that it has gaps.
  private func warn(about state: RemappingState, _ console: Console) {
    if state.dump.typesFrom == nil {
      console.warning(
        "the kernel's structures could not be read, only the hardware's tables; try --vmlinux")
    }
    let gaps = state.observations.count { $0.kind == .unreadable || $0.kind == .budget }
    if gaps > 0 {
      console.warning("parts of the dump are missing; the section `missing` lists them")
    }
  }
}
