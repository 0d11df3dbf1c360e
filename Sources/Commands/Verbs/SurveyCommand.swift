// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Report
import Session
import Survey

/// `survey`: many dumps, a line each.
struct SurveyCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "survey",
    abstract: "Many dumps, or folders of dumps: a line each, the worst first.",
    usage: "iommuscope survey <path> ... [<options>]",
    discussion: """
      Folders are searched, whatever the files in them are called; links to folders are not \
      followed. Dumps of one crash, and crashes that look alike, are named together. Each dump is \
      read by a process of its own, so that a damaged one never stops the rest: it becomes a row \
      that says why. With --format ndjson rows are written as soon as they are known.
      """)

  @Argument(
    help: ArgumentHelp("Dumps, and folders that hold some.", valueName: "path"),
    completion: .file())
  var paths: [String]

  @Option(
    help: ArgumentHelp(
      "Dumps read at a time; as many as processors by default.",
      valueName: "number"))
  var jobs: Int?

  @Option(help: ArgumentHelp("Seconds that one dump may take.", valueName: "seconds"))
  var timeout: Int = 600

  /// Judges the paths as one dump and prints its row: what the processes of a survey are run for.
  @Flag(help: .hidden) var alone = false

  @OptionGroup(title: "Reading the dumps") var input: InputOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<PlainFormat>

  @OptionGroup(title: "Shaping the result") var length: LengthOptions<AllRows>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Judging the result") var judgement: JudgementOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  /// The processes that judge one dump each confine themselves.
  var runsPrograms: Bool { !alone }

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("'--jobs' is 1 or more; have \(jobs).") }
    guard (1...1_000_000).contains(timeout) else {
      throw ValidationError("'--timeout' is a number of seconds; have \(timeout).")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    if alone {
      let row = DumpJudge.row(paths, input, progress: console)
      try destination.write(in: environment) { sink in try row.writeRow(to: sink) }
      return .done
    }
    console.progress("looking for dumps")
    let finder = DumpFinder(paths)
    guard !finder.candidates.isEmpty else {
      throw CommandFailure("no dump found in \(paths.joined(separator: ", "))")
    }
    var dumps: [SurveyedDump] = []
    let inputs = finder.candidates.flatMap(\.files)
    if form.format == .ndjson {
      try destination.write(in: environment, keeping: inputs) { sink in
        let lines = try SurveyLines(paths: paths, others: finder.others, to: sink)
        dumps = try judge(finder.candidates, in: environment, console) { try lines.append($0) }
        console.endProgress()
        try lines.finish(dumps)
      }
    } else {
      dumps = try judge(finder.candidates, in: environment, console) { _ in }
      console.endProgress()
      let document = SurveyDocument(paths: paths, others: finder.others, dumps: dumps)
      try destination.write(
        document, as: form, in: environment, keeping: inputs,
        text: { sink, color in
          try SurveyText(limit: length.rows, color: color).write(document, to: sink)
        })
    }
    let failures = dumps.count { $0.failure != nil }
    if failures > 0 {
      console.warning("\(failures) of \(dumps.count) dumps could not be judged")
    }
    guard failures < dumps.count else { return .failed }
    guard let failOn = judgement.failOn else { return .done }
    return dumps.contains { dump in dump.rules.contains { failOn.covers($0.severity) } }
      ? .found : .done
  }

  /// Judges every candidate.
  ///
  /// - Parameter next: is given each row in the order of the candidates, as soon as it and all
  ///   before it are known.
  private func judge(
    _ candidates: [DumpFinder.Candidate], in environment: Environment, _ console: Console,
    next: (SurveyedDump) throws -> Void
  ) throws -> [SurveyedDump] {
    var rows: [SurveyedDump?] = Array(repeating: nil, count: candidates.count)
    var given = 0
    var finished = 0
    func finish(_ index: Int, _ row: SurveyedDump) throws {
      rows[index] = row
      finished += 1
      console.progress("\(finished) of \(candidates.count) dumps")
      while given < rows.count, let row = rows[given] {
        try next(row)
        given += 1
      }
    }
    let readable = candidates.indices.filter { candidates[$0].problem == nil }
    for (index, candidate) in candidates.enumerated() {
      guard let problem = candidate.problem else { continue }
      try finish(index, SurveyedDump(file: candidate.files[0], failure: .init(.notRead, problem)))
    }
    guard let program = environment.program else {
      for index in readable {
        try finish(
          index, DumpJudge.row(candidates[index].files, input, progress: Silence()))
      }
      return rows.compactMap(\.self)
    }
    let pool = ProcessPool(
      program: program, jobs: jobs ?? ProcessPool.processors, timeout: timeout)
    try pool.run(readable.map { arguments(for: candidates[$0].files) }) { place, ending, output in
      let index = readable[place]
      try finish(index, row(of: candidates[index].files, ending, output))
    }
    return rows.compactMap(\.self)
  }

  private func arguments(for files: [String]) -> [String] {
    var words = [
      "survey", "--alone", "--quiet", "--types", input.types.rawValue, "--max-unpacked",
      "\(input.unpacking.maxUnpacked)",
    ]
    if let vmlinux = input.vmlinux { words += ["--vmlinux", vmlinux] }
    if let symbols = input.symbols { words += ["--symbols", symbols] }
    return words + ["--"] + files
  }

  /// What a child printed, or how it ended.
  private func row(
    of files: [String], _ ending: ProcessPool.Ending, _ output: [UInt8]
  ) -> SurveyedDump {
    let parts = files.count > 1 ? files : []
    func failed(_ kind: SurveyedDump.Failure.Kind, _ text: String) -> SurveyedDump {
      SurveyedDump(file: files[0], parts: parts, failure: .init(kind, text))
    }
    switch ending {
    case .exited(0):
      do {
        return try SurveyedDump.row(output)
      } catch {
        return failed(.ended, "the process that read it gave no answer: \(error)")
      }
    case .exited(let status):
      return failed(.ended, "the process that read it ended with status \(status)")
    case .signaled(let signal):
      return failed(.ended, "the process that read it was ended by signal \(signal)")
    case .timedOut:
      return failed(.timeOut, "it took longer than \(timeout) seconds (--timeout)")
    case .notStarted(let error):
      return failed(.ended, "no process could be started for it: \(error)")
    case .tooMuchOutput:
      return failed(.ended, "the process that read it printed too much")
    }
  }
}

/// Says nothing of single dumps.
private struct Silence: SessionProgress {
  func progress(_ message: String) {}
  func detail(_ message: String) {}
  func warning(_ message: String) {}
}
