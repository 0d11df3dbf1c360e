// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Evidence
import History
import RemappingState
import Report
import Session

/// `history`: what the dump still holds of the time before the crash.
struct HistoryCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "The remapping events and invalidations before the crash, as far as they are left.",
    usage: "iommuscope history <dump> ... [<options>]",
    discussion: """
      Trace events of the systems iommu and intel_iommu, if they were switched on, and the last \
      descriptors of the invalidation queues, which carry no time.
      """)

  @Argument(
    help: ArgumentHelp("The dump, or all files of a split one.", valueName: "dump"),
    completion: .file())
  var dumps: [String]

  @OptionGroup var length: LengthOptions<NewestRows>

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = input.request(dumps)
    let evidence = try environment.evidence.evidence(
      of: request, below: [], progress: console)
    console.progress("reading the trace ring")
    let ring = evidence.kernel.map { TraceRing(reading: $0.image) }
    console.endProgress()
    let document = HistoryDocument(
      dump: evidence.state.dump, events: ring?.events ?? [],
      problems: ring?.problems ?? ["the kernel's structures were not read"],
      invalidations: InvalidationHistory.descriptors(evidence))
    try destination.write(in: environment, keeping: request.inputs) { sink in
      switch form.format {
      case .text:
        let color = form.useColor(in: environment, toFile: destination.output != nil)
        try HistoryText(limit: length.rows, color: color).write(document, to: sink)
      case .json: try document.writeJSON(to: sink)
      }
    }
    return .done
  }
}
