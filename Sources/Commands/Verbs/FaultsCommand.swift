// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Evidence
import Faults
import RemappingState
import Report
import Session

/// `faults`: the fault lines of the kernel log, explained.
struct FaultsCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "faults",
    abstract: "The DMAR fault lines of the dump's kernel log, each explained against the tables.",
    usage: "iommuscope faults <dump> ... [--line <text>] [<options>]",
    discussion: "Alike faults are one entry with their count and rate.")

  @Argument(
    help: ArgumentHelp("The dump, or all files of a split one.", valueName: "dump"),
    completion: .file())
  var dumps: [String]

  @Option(
    help: ArgumentHelp(
      "Explain this line instead of the dump's log: 'DMAR: [DMA Read ...'.", valueName: "text"))
  var line: [String] = []

  @OptionGroup var length: LengthOptions<FaultKinds>

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var root: RootOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    for text in line where FaultLine(text) == nil {
      throw ValidationError(
        "'--line' takes a fault line of the kernel, such as 'DMAR: [DMA Read NO_PASID] Request "
          + "device [00:04.0] fault addr 0x12345000 [fault reason 0x06] ...'; have '\(text)'.")
    }
    if root.root != nil, line.isEmpty {
      throw ValidationError("'--root' reads no log; give a '--line'.")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = input.request(dumps)
    let evidence = try environment.evidence.evidence(
      of: request, below: root.roots, progress: console)
    let log: FaultLog?
    let records: [FaultRecord]
    if line.isEmpty {
      guard let kernel = evidence.kernel else {
        throw CommandFailure(
          "\(request.name): the kernel's log cannot be read without its structures; give the line "
            + "with --line")
      }
      console.progress("reading the kernel's log")
      let read = FaultLog(reading: kernel.image)
      if let problem = read.problem, read.messages == 0 {
        throw CommandFailure("\(request.name): the kernel's log cannot be read: \(problem)")
      }
      log = read
      records = read.records
    } else {
      log = nil
      records = line.compactMap { text in
        FaultLine(text).map { FaultRecord(fault: $0, text: text) }
      }
    }
    console.endProgress()
    let explainer = FaultExplainer(evidence)
    let document = FaultsDocument(
      dump: evidence.state.dump, log: log, faults: records.map { explainer.explain($0) })
    try destination.write(in: environment, keeping: request.inputs) { sink in
      switch form.format {
      case .text:
        let color = form.useColor(in: environment, toFile: destination.output != nil)
        try FaultsText(limit: length.rows, color: color).write(document, to: sink)
      case .json: try document.writeJSON(to: sink)
      }
    }
    return .done
  }
}
