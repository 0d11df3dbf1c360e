// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Evidence
import Faults
import RemappingState
import Report
import Session
import Translation

/// `faults`: what the kernel log tells of remapping units, explained.
struct FaultsCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "faults",
    abstract: "The DMAR fault lines of the dump's kernel log, each explained against the tables.",
    usage: "iommuscope faults <dump> ... [--line <text>] [--lines <file>] [<options>]",
    discussion: """
      Requests that a unit refused, errors of its queues, and what else its driver complains of. \
      Faults that are alike, or run through neighbouring pages, are shown once with their count.
      """)

  @Argument(help: .dumps, completion: .file())
  var dumps: [String]

  @Option(
    help: ArgumentHelp(
      "Explain this text instead of the dump's log: one line or many, as copied from a log or mail.",
      valueName: "text"))
  var line: [String] = []

  @Option(
    help: ArgumentHelp(
      "Explain the lines of this file instead of the dump's log; - for standard input.",
      valueName: "file"), completion: .file())
  var lines: [String] = []

  @Option(
    help: ArgumentHelp(
      "Which kernel the given lines are of: crashed-kernel or crash-kernel; by default the crashed "
        + "one's, unless they fit the other better.", valueName: "kernel"))
  var of: LineOrigin?

  @OptionGroup var length: LengthOptions<FaultKinds>

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @OptionGroup(title: "Reading the dump") var root: RootOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<FindingsFormat>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @Option(
    help: ArgumentHelp(
      "Exit with 1 if there is a fault or message of this severity or a worse one.",
      valueName: "severity"))
  var failOn: FailureThreshold?

  @OptionGroup(title: "Messages") var messages: MessageOptions

  /// Whether the lines come from the command line, not from the dump.
  private var isGiven: Bool { !line.isEmpty || !lines.isEmpty }

  func validate() throws {
    if lines.isEmpty, !line.isEmpty, FaultLog(pasted: line.joined(separator: "\n")).isEmpty {
      throw ValidationError(
        "'--line' takes text with a message of the kernel about a remapping unit, such as 'DMAR: "
          + "[DMA Read NO_PASID] Request device [00:04.0] fault addr 0x12345000 [fault reason 0x06] "
          + "...'; have '\(line.joined(separator: "\n"))'.")
    }
    if root.root != nil, !isGiven {
      throw ValidationError("'--root' reads no log; give a '--line'.")
    }
    if of == .crashKernel, !isGiven {
      throw ValidationError("'--of crash-kernel' needs its lines; give a '--line' or '--lines'.")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(
      to: input.request(dumps, in: environment, findsSharedPages: false))
    // Read first: a missing file should not cost the time of a dump.
    let given = isGiven ? try givenLog(in: environment) : nil
    let evidence = try environment.evidence.evidence(
      of: request, below: root.roots, progress: console)
    var log = try given ?? dumpLog(evidence, request, console)
    for registers in evidence.state.registers ?? [] where !isGiven { log.add(registers) }
    var explainer = FaultExplainer(evidence)
    if isGiven, of != .crashedKernel, let kernel = evidence.kernel {
      let outlook = CrashKernelOutlook(evidence, kernel, console)
      explainer.crashKernel = { outlook.outlooks($0) }
      explainer.isOfCrashKernel = of == .crashKernel
      explainer.logOfDump = FaultLog(reading: kernel.image)
    }
    let document = FaultsDocument(explaining: log, isGiven: isGiven, by: explainer, evidence)
    console.endProgress()
    try destination.write(
      document, as: form, in: environment, keeping: request.inputs + files,
      paidBy: evidence.work,
      text: { sink, color in
        try FaultsText(limit: length.rows, color: color).write(document, to: sink)
      },
      html: { sink in
        let named = document.faults.compactMap(\.translation).flatMap(\.entries).map(\.address)
        let context = PageContext(evidence, naming: named, dumps: dumps, input)
        try FaultsPage(context: context, devices: evidence.state.devices).write(document, to: sink)
      },
      sarif: { sink in try SARIFLog(document).write(to: sink) })
    guard let failOn else { return .done }
    let severities = document.faults.map(\.severity) + document.unitMessages.map(\.severity)
    return severities.contains { failOn.covers($0) } ? .found : .done
  }

  private var files: [String] { lines.filter { $0 != "-" } }

  private func givenLog(in environment: Environment) throws -> FaultLog {
    var text = line
    for file in lines {
      let bytes = try CommandFiles.bytes(file)
      text.append(String(decoding: bytes, as: UTF8.self))
    }
    return FaultLog(pasted: text.joined(separator: "\n"))
  }

  private func dumpLog(
    _ evidence: DumpEvidence, _ request: DumpRequest, _ console: Console
  ) throws -> FaultLog {
    console.progress("reading the kernel's log")
    do {
      return try evidence.faultLog()
    } catch {
      if evidence.kernel == nil, evidence.state.registers != nil {
        console.warning("\(error); only the registers are explained")
        return FaultLog()
      }
      throw CommandFailure("\(request.name): \(error); give the line with --line")
    }
  }
}

/// The value of `--of`.
enum LineOrigin: String, CaseIterable, ExpressibleByArgument {
  case crashedKernel = "crashed-kernel"
  case crashKernel = "crash-kernel"
}
