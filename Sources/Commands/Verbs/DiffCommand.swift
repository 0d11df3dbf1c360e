// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Audit
import Evidence
import Memory
import RemappingState
import Report
import Session
import StateDiff

/// `diff`: two states compared.
struct DiffCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Two states compared: dumps, or reports written earlier.",
    usage: "iommuscope diff <old> <new> [<options>]",
    discussion: """
      Each side is a dump or a JSON report (`report --format json`), in any mixture and of any two \
      kernels of one machine. Exit status: 0 equal, 1 different, 2 failed; with --fail-on, 1 only \
      where the new side has a finding of that severity that the old side has not.
      """)

  @Argument(
    help: ArgumentHelp("The dump or report before.", valueName: "old"), completion: .file())
  var old: String

  @Argument(
    help: ArgumentHelp("The dump or report after.", valueName: "new"), completion: .file())
  var new: String

  @OptionGroup(title: "Comparing") var comparison: ComparisonOptions

  @OptionGroup(title: "Reading the dumps") var input: InputOptions

  @OptionGroup(title: "Reading the dumps") var sides: SideOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<PageFormat>

  @OptionGroup(title: "Shaping the result") var length: LengthOptions<Rows>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @Flag(help: "List also each range that only moved to another page.")
  var physical = false

  @Option(
    help: ArgumentHelp(
      "Exit with 1 only if a finding of this severity or a worse one is new.",
      valueName: "severity"))
  var failOn: FailureThreshold?

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func run(in environment: Environment, console: Console) throws -> Outcome {
    guard old != "-" || new != "-" else {
      throw ValidationError("standard input can be read once; only one side can be '-'.")
    }
    var oldRequest = try input.request([old], in: environment)
    oldRequest.vmlinux = sides.oldVmlinux ?? oldRequest.vmlinux
    oldRequest.symbols = sides.oldSymbols ?? oldRequest.symbols
    oldRequest = try RegisterOptions.added(sides.oldRegisters, to: oldRequest)
    var newRequest = try input.request([new], in: environment)
    // Both sides are one run.
    newRequest.work = oldRequest.work
    newRequest.vmlinux = sides.newVmlinux ?? newRequest.vmlinux
    newRequest.symbols = sides.newSymbols ?? newRequest.symbols
    newRequest = try RegisterOptions.added(sides.newRegisters, to: newRequest)
    let before = try side(oldRequest, in: environment, console: console)
    let after = try side(newRequest, in: environment, console: console)
    console.endProgress()
    let diff = StateDiff(from: before, to: after, options: comparison.options)
    let document = DiffDocument(
      old: before.state.dump, new: after.state.dump, diff: diff,
      cuts: Self.joined([before.state.cuts, after.state.cuts, oldRequest.work.cuts]))
    try destination.write(
      document, as: form, in: environment, keeping: oldRequest.inputs + newRequest.inputs,
      paidBy: oldRequest.work,
      text: { sink, color in
        try DiffText(limit: length.rows, color: color, physical: physical).write(document, to: sink)
      },
      html: { sink in
        let ids = (before.state.devices + after.state.devices).compactMap(\.pciID)
        try DiffPage(rules: Audit.texts, names: PCINames.names(of: ids)).write(document, to: sink)
      })
    if let failOn {
      // More of what the old log had already is new as well, though the finding is the same.
      var severities = Set(diff.newSeverities)
      if let old = before.state.faults, let new = after.state.faults {
        severities.formUnion(new.worsened(since: old))
      }
      return severities.contains { failOn.covers($0) } ? .found : .done
    }
    return diff.isEmpty ? .done : .found
  }

  /// Each cut once.
  private static func joined(_ lists: [[Cut]]) -> [Cut] {
    var seen: Set<Cut> = []
    return lists.joined().filter { seen.insert($0).inserted }
  }

  /// What a dump says now, or what a report said when it was written: its findings are carried over.
  private func side(
    _ request: DumpRequest, in environment: Environment, console: Console
  ) throws -> StateDiff.Side {
    if try CommandFiles.looksLikeJSON(request.name) {
      if let file = request.registerFile {
        throw CommandFailure(
          "\(request.name): a report, which tells already what its registers were; \(file) can be read "
            + "beside a dump only")
      }
      console.progress("reading \(request.name)")
      let report = try EarlierReport.read(request.name, granting: request.work)
      return StateDiff.Side(report.state, findings: report.findings)
    }
    let evidence = try environment.evidence.evidence(of: request, below: [], progress: console)
    var state = evidence.state
    KernelAccount.add(to: &state, from: evidence.log)
    return StateDiff.Side(state, findings: Audit.findings(of: state))
  }
}

extension StateDiff {
  /// Severities of findings that are new, or that both sides have with different severity.
  fileprivate var newSeverities: [Finding.Severity] {
    findings.added.map(\.severity)
      + findings.changed.compactMap { change in
        guard case .field(let field) = change, field.field == "severity",
          case .text(let word) = field.new
        else { return nil }
        return Finding.Severity(rawValue: word)
      }
  }
}

/// What counts as a difference.
struct ComparisonOptions: ParsableArguments {
  @Flag(help: "Compare what is mapped with which access, not which page it is.")
  var ignorePhysical = false

  @Flag(help: "Compare also where tables and entries lie, and the entries' words.")
  var addresses = false

  var options: DiffOptions { DiffOptions(ignorePhysical: ignorePhysical, addresses: addresses) }
}

/// What only one of two dumps is read with, where their kernels differ.
struct SideOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The vmlinux of the old dump alone.", valueName: "file"),
    completion: .file())
  var oldVmlinux: String?

  @Option(
    help: ArgumentHelp("The vmlinux of the new dump alone.", valueName: "file"),
    completion: .file())
  var newVmlinux: String?

  @Option(
    help: ArgumentHelp("The System.map of the old dump alone.", valueName: "file"),
    completion: .file())
  var oldSymbols: String?

  @Option(
    help: ArgumentHelp("The System.map of the new dump alone.", valueName: "file"),
    completion: .file())
  var newSymbols: String?

  @Option(
    help: ArgumentHelp(
      "Registers of the old dump's units; they are of one moment, so each side has its own.",
      valueName: "file"),
    completion: .file())
  var oldRegisters: String?

  @Option(
    help: ArgumentHelp("Registers of the new dump's units.", valueName: "file"),
    completion: .file())
  var newRegisters: String?

  @Option(help: .hidden, completion: .file())
  var registers: String?

  func validate() throws {
    guard registers == nil else {
      throw ValidationError(
        "registers are of one moment, and a comparison has two; name the side with "
          + "'--old-registers' or '--new-registers'.")
    }
  }
}
