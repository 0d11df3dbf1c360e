// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Audit
import Evidence
import Memory
import Owners
import RemappingState
import Report
import Session

/// `report`: everything about the remapping units at the time of the crash.
struct ReportCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Everything about the remapping units at the time of the crash.",
    usage: "iommuscope report <dump> ... [--device <sbdf>] [<options>]",
    discussion: """
      Sections of the text: \(ReportSection.allCases.map(\.rawValue).joined(separator: ", ")). \
      JSON always holds everything. A report that was written earlier as JSON can stand in for its \
      dump, for another form of it. With --device, one device: who it is, what its requests can \
      reach, and what it should not reach.
      """)

  @Argument(help: .dumps, completion: .file())
  var dumps: [String]

  @Option(
    help: ArgumentHelp(
      "Only this device, and whatever has to do with it: 0000:03:00.0, or its Linux name.",
      valueName: "sbdf"))
  var device: String?

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<FindingsFormat>

  @OptionGroup(title: "Shaping the result") var text: TextOptions

  @OptionGroup(title: "Shaping the result") var length: LengthOptions<Rows>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Judging the result") var judgement: JudgementOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func run(in environment: Environment, console: Console) throws -> Outcome {
    if dumps.count == 1, let earlier = try EarlierReport.read(ifThereIsOneIn: dumps[0]) {
      guard device == nil else {
        throw CommandFailure("\(dumps[0]): '--device' needs the dump that the report is of")
      }
      console.endProgress()
      return try write(earlier, keeping: dumps, in: environment) {
        PageContext(names: PCINames.names(of: earlier.state.devices.compactMap(\.pciID)))
      }
    }
    let request = try registers.added(to: input.request(dumps, in: environment))
    var evidence = try environment.evidence.evidence(of: request, below: [], progress: console)
    KernelAccount.add(to: &evidence.state, from: evidence.log)
    evidence.state.cuts = evidence.cuts
    var state = evidence.state
    var document = ReportDocument(
      state: state, findings: Audit.findings(of: state), notJudged: Audit.unjudged(on: state))
    if let device {
      console.progress("looking up what \(device) can reach")
      let name = DeviceName(device)
      guard let view = DeviceView(of: name, in: evidence) else {
        throw CommandFailure(unknown(name, in: evidence, request.name))
      }
      state.cuts = evidence.cuts
      document.state.cuts = state.cuts
      document = document.narrowed(to: view)
    }
    console.endProgress()
    warn(about: state, console)
    return try write(
      document, keeping: request.inputs, paidBy: evidence.work, in: environment
    ) {
      PageContext(
        evidence, naming: document.evidenceAddresses, of: device.map { DeviceName($0) },
        dumps: dumps, input)
    }
  }

  private func write(
    _ document: ReportDocument, keeping inputs: [String], paidBy work: WorkBudget? = nil,
    in environment: Environment, context: @escaping () -> PageContext
  ) throws -> Outcome {
    try destination.write(
      document, as: form, in: environment, keeping: inputs, paidBy: work,
      text: { sink, color in
        if let view = document.deviceView {
          try DeviceText(
            view, name: view.pciID.flatMap { PCINames.name(of: $0) }, limit: length.rows,
            color: color
          ).write(document, to: sink)
        } else {
          try TextReport(
            sections: text.sections.sections, limit: length.rows, color: color
          ).write(document, to: sink)
        }
      },
      html: { sink in
        try ReportPage(rules: Audit.texts, context: context()).write(document, to: sink)
      },
      sarif: { sink in
        try SARIFLog(document, rules: Audit.texts).write(to: sink)
      })
    guard let failOn = judgement.failOn else { return .done }
    return document.findings.contains { failOn.covers($0.severity) } ? .found : .done
  }

  /// Names what there is, so that the next try is not another guess.
  private func unknown(_ name: DeviceName, in evidence: DumpEvidence, _ dump: String) -> String {
    if let function = name.function, evidence.knows(function) == true {
      let why =
        evidence.state.hasNoUnit
        ? "the kernel has no remapping unit"
        : evidence.units(of: function).first { $0.translationEnabled == false }.map {
          "\($0.name) does not translate"
        }
      return "\(dump): Linux has the device \(name)"
        + (evidence.driver(of: function).map { " (driver \($0))" } ?? "")
        + ", and remapping has no record of it"
        + (why.map { ": \($0), so it reaches every address" } ?? "")
    }
    let known = evidence.state.devices.map(\.device.description)
    let shown = known.prefix(16).joined(separator: ", ")
    let rest = known.count > 16 ? " and \(known.count - 16) more" : ""
    return "\(dump): neither the kernel nor a context knows a device \(name)"
      + (known.isEmpty ? "" : "; there are \(shown)\(rest)")
  }

  /// Who only keeps the JSON should not have to look into it to learn that it has gaps.
  private func warn(about state: RemappingState, _ console: Console) {
    if state.dump.typesFrom == nil {
      console.warning(
        "the kernel's structures could not be read, only the hardware's tables; try --vmlinux")
    }
    let gaps = state.observations.count { $0.kind == .unreadable || $0.kind == .budget }
    if !state.cuts.isEmpty {
      console.warning("not everything was looked at, limits were reached; the report lists where")
    }
    if gaps > 0 {
      console.warning("parts of the dump are missing; the section `missing` lists them")
    }
  }
}
