// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Audit
import Evidence
import Faults
import Files
import Inheritance
import Memory
import RemappingState
import Report
import Session
import TableCopy

/// `capture`: in a crash kernel, what this tool can tell, before anything else can go wrong.
struct CaptureCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "capture",
    abstract: "In a crash kernel: the state of remapping, saved before the dump is.",
    usage: "iommuscope capture <dump> --output-directory <folder> [<options>]",
    discussion: """
      Writes summary.txt, faults.txt, report.json, inherit.json and extract.vmcore, each whole or \
      not at all and safe on disk before the next one is begun, so that they survive when saving \
      the dump does not finish. Nothing keeps the kernel from saving its dump afterwards: memory \
      and time are bounded. The dump is usually /proc/vmcore.
      """)

  @Argument(
    help: ArgumentHelp("The dump, usually /proc/vmcore.", valueName: "dump"),
    completion: .file())
  var dumps: [String]

  @Option(
    help: ArgumentHelp("Where the files go; created if it does not exist.", valueName: "folder"),
    completion: .directory)
  var outputDirectory: String

  @Option(
    help: ArgumentHelp(
      "End when more memory than this is taken, mapped files aside: 64M, 1G.", valueName: "size"))
  var maxMemory = ByteCount(bytes: 64 << 20)

  @Option(help: ArgumentHelp("End after so many seconds.", valueName: "seconds"))
  var timeLimit: Int = 120

  @Flag(
    help:
      "Read the units' registers too, through /dev/mem: fault records and root pointers are in no dump."
  )
  var registers = false

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    guard timeLimit > 0 else {
      throw ValidationError("'--time-limit' is a number of seconds; have \(timeLimit).")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let watch = ResourceWatch.begin(
      memory: maxMemory.bytes, seconds: timeLimit, words: "capture was given up: ")
    defer { watch.end() }
    let request = try input.request(dumps)
    let files = try CaptureFiles(outputDirectory, keeping: request.inputs, console)
    let session = try Session(request, recording: true, progress: console)
    // Falls back on root tables that are found by their shape.
    var evidence = try session.evidence(below: [], asking: VerbNeeds.symbols)
    let log = KernelAccount.add(to: &evidence.state, from: evidence.log)
    evidence.state.cuts = evidence.cuts
    if registers {
      evidence.state.registers = RegisterFile.live(evidence.state.units, warn: console.warning)
    }
    let state = evidence.state
    let findings = Audit.findings(of: state)
    let report = ReportDocument(
      state: state, findings: findings, notJudged: Audit.unjudged(on: state))
    // Smallest first.
    files.write("summary.txt") { sink in
      try TextReport(sections: [.summary, .units, .findings, .missing], limit: 20, color: false)
        .write(report, to: sink)
    }
    files.write("faults.txt") { try Self.writeFaults(log.readable(), evidence, to: $0) }
    files.write("report.json") { try report.writeJSON(to: $0) }
    if let kernel = evidence.kernel {
      files.write("inherit.json") {
        try Self.forecast(evidence, findings, kernel, session).writeJSON(to: $0)
      }
      files.make("extract.vmcore") { path in
        VerbNeeds.read(evidence, kernel, in: session)
        try session.writeExtract(of: kernel, to: path)
      }
    } else {
      files.skip(["inherit.json", "extract.vmcore"], "the kernel's structures cannot be read")
    }
    console.endProgress()
    if !messages.quiet {
      try DestinationOptions.toStandardOutput(in: environment) { sink in
        try sink.write(Array(files.account.utf8))
      }
    }
    return files.isComplete ? .done : .failed
  }

  private static func writeFaults(
    _ log: FaultLog, _ evidence: DumpEvidence, to sink: any ByteSink
  ) throws {
    try FaultsText(limit: 100, color: false).write(
      FaultsDocument(
        explaining: log, isGiven: false, by: FaultExplainer(evidence), evidence), to: sink)
  }

  /// What `inherit` says where nothing is asked of it.
  private static func forecast(
    _ evidence: DumpEvidence, _ findings: [Finding], _ kernel: KernelEvidence, _ session: Session
  ) throws -> InheritDocument {
    let state = evidence.state
    var facts = MachineFacts(reading: kernel, of: evidence)
    let second = session.crashKernel(beside: kernel, in: facts.crashKernelMemory)
    facts.takeCommandLine(from: session, running: second)
    let result = Forecaster(
      state, memory: session.memory, facts: facts, options: ForecastOptions(),
      errors: findings.devicesWithErrors,
      budget: CopyBudget(session.work)
    ).forecast(
      keepingTablesOf: nil,
      beside: second.map { CrashTakeover(release: $0.release, structures: $0.kernel?.structures) }
    ) { _ in }
    return InheritDocument(
      dump: state.dump, forecast: result.forecast, cuts: session.work.cuts)
  }
}

/// The files of a capture, and what became of each.
final class CaptureFiles {
  private let folder: String
  private let inputs: [String]
  private let console: Console
  private(set) var isComplete = true
  /// A line a file.
  private(set) var account = ""

  /// - Throws: where the folder cannot be made.
  init(_ folder: String, keeping inputs: [String], _ console: Console) throws(CommandFailure) {
    self.folder = folder.hasSuffix("/") ? folder : folder + "/"
    self.inputs = inputs
    self.console = console
    do {
      try OutputFolder.make(folder)
    } catch {
      throw CommandFailure(error.description)
    }
  }

  /// Lets `body` write a file; what fails is told, and the next file is written all the same.
  func write(_ name: String, _ body: (any ByteSink) throws -> Void) {
    make(name) { path in try CommandFiles.write(path, keeping: inputs, body) }
  }

  /// Lets `body` make the file at the path that it gets.
  func make(_ name: String, _ body: (String) throws -> Void) {
    console.progress("writing \(name)")
    let path = folder + name
    do {
      try CommandFiles.checkNewFile(path, keeping: inputs)
      try body(path)
      try OutputFolder.synchronize(folder)
      account += "\(path)\n"
    } catch {
      skip([name], "\(error)")
    }
  }

  func skip(_ names: [String], _ reason: String) {
    isComplete = false
    for name in names { console.error("\(folder)\(name) was not written: \(reason)") }
  }
}
