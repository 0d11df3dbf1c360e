// SPDX-License-Identifier: Apache-2.0

import RemappingState
import Report
import StateFixtures
import Testing

@testable import Commands

struct CommandLineTests {
  // MARK: Help and version

  @Test func theRootsHelpListsWhatWorks() {
    let run = CommandRun("--help")
    #expect(run.status == .done)
    #expect(
      run.output == """
        OVERVIEW: What the Intel VT-d remapping units in a Linux crash dump were doing.

        The result goes to standard output, everything else to standard error. Exit status: 0 done, even if
        parts of the dump were missing (the report says so); 1 there is a finding that --fail-on asks
        about, or a difference that diff found; 2 it could not be done; 64 wrong usage.

        USAGE: iommuscope <subcommand>

        OPTIONS:
          --version               Show the version.
          -h, --help              Show help information.

        SUBCOMMANDS:
          report                  Everything about the remapping units at the time of the crash.
          inherit                 Whether the crash kernel gets through, and what it inherits from units
                                  that translate.
          diff                    Two states compared: dumps, or reports written earlier.
          translate               Where a device's address leads, level by level.
          owners                  Which devices can reach a physical address, and what the page is.
          faults                  The DMAR fault lines of the dump's kernel log, each explained against the
                                  tables.
          history                 Remapping events and invalidations before the crash, as far as the dump
                                  still holds them.
          tables                  Raw entries of the tables, decoded field by field.
          carve                   Root tables found by their shape, with no symbols.
          survey                  Many dumps, or folders of dumps: a line each, the worst first.
          extract                 A small ELF vmcore with only the pages that the analysis needs.
          capture                 In a crash kernel: the state of remapping, saved before the dump is.
          schema                  The JSON Schema (draft 2020-12) of a document.

          See 'iommuscope help <subcommand>' for detailed help.

        """)
    #expect(CommandRun("-h").output == run.output)
    #expect(CommandRun("help").output == run.output)
  }

  @Test func theReportsHelp() {
    let run = CommandRun("report", "--help")
    #expect(run.status == .done)
    #expect(
      run.output == """
        OVERVIEW: Everything about the remapping units at the time of the crash.

        Sections of the text: summary, units, contexts, domains, devices, reserved, memory, iova,
        interrupts, findings, missing. JSON always holds everything. A report that was written earlier as
        JSON can stand in for its dump, for another form of it. With --device, one device: who it is, what
        its requests can reach, and what it should not reach.

        USAGE: iommuscope report <dump> ... [--device <sbdf>] [<options>]

        ARGUMENTS:
          <dump>                  The dump: a file, all files of a split one, a folder, or - for standard
                                  input.

        READING THE DUMP:
          --vmlinux <file>        The crashed kernel's vmlinux, with symbols, DWARF or both.
          --symbols <file>        The crashed kernel's System.map.
          --types <source>        Where struct layouts come from; auto prefers DWARF, then the dump's own
                                  BTF. (values: auto, dwarf, btf; default: auto)
          --debug-directory <folder>
                                  Look here first for the kernel's debug information, laid out as
                                  /usr/lib/debug is; may be repeated.
          --max-unpacked <size>   Unpack a packed dump, or standard input, to this size at most: 512M, 64G,
                                  2T. (default: 64G)
          --max-entries <n>       Look at this many table entries at most; 0 for no limit. The default,
                                  like those below, is far more than an undamaged dump needs.
          --max-runs <n>          Keep this many rows (runs, contexts, events) in memory at most; 0 for no
                                  limit.
          --max-objects <n>       Read this many kernel objects at most; 0 for no limit.
          --max-pages <n>         Decompress this many pages at most; 0 for no limit.
          --max-output <bytes>    Write this many bytes of the result at most; 0 for no limit.
          --registers <file>      Registers of the units, read beside the dump: a report that capture
                                  --registers wrote, or QEMU's offsets and values. Root pointers that the
                                  dump lacks are taken from them.

        SHAPING THE RESULT:
          --format <format>       Form of the result. (values: text, json, ndjson, html, sarif; default:
                                  text)
          --color <when>          Colour in text; auto colours on a terminal, unless NO_COLOR is set.
                                  (values: auto, always, never; default: auto)
          --sections <list>       Only these sections of the text, separated by commas, or all.
          --limit <rows>          Rows of each list in the text; 0 for all. (default: 20)
          -o, --output <file>     Write the result to this file, which appears once it is complete, instead
                                  of standard output.
          --no-pager              Never show text that is longer than the terminal through a pager.

        JUDGING THE RESULT:
          --fail-on <severity>    Exit with 1 if there is a finding of this severity or a worse one.
                                  (values: error, warning)

        MESSAGES:
          -q, --quiet             Print no warnings and no progress, only errors.
          -v, --verbose           Print what is being done.
          --sandbox/--no-sandbox  Confine the process to what reading a dump needs (seccomp, Landlock); on
                                  where the kernel can.

        OPTIONS:
          --device <sbdf>         Only this device, and whatever has to do with it: 0000:03:00.0, or its
                                  Linux name.
          --version               Show the version.
          -h, --help              Show help information.


        """)
    #expect(CommandRun("help", "report").output == run.output)
  }

  @Test func theSchemasHelp() {
    let run = CommandRun("schema", "--help")
    #expect(run.status == .done)
    #expect(run.output.contains("Which document. (values: report, inherit, diff, faults, owners,"))
    let names = CommandRun("schema")
    #expect(names.status == .done)
    #expect(
      names.output.split(separator: "\n") == [
        "report", "inherit", "diff", "faults", "owners", "translate", "tables", "history", "carve",
        "survey",
      ])
    for name in names.output.split(separator: "\n") {
      let schema = CommandRun("schema", String(name))
      #expect(schema.status == .done)
      #expect(schema.output.contains("\"title\": \"iommuscope-\(name)/1\""))
    }
  }

  @Test func theVersionNamesTheLibrariesToo() {
    let run = CommandRun("--version")
    #expect(run.status == .done)
    let lines = run.output.split(separator: "\n")
    #expect(lines.first == "iommuscope \(Tool.current.version)")
    #expect(
      lines.dropFirst().compactMap { $0.split(separator: " ").first } == [
        "built:", "sandbox:", "glibc", "elfutils", "opened", "zlib", "libdeflate", "lzo", "snappy",
        "zstd", "bzip2", "xz", "lz4", "debuginfod",
      ])
    #if DEBUG
    let kind = "debug"
    #else
    let kind = "release"
    #endif
    #expect(lines[1].hasPrefix("built: \(kind); Swift's standard library 6."))
    #expect(run.errors.isEmpty)
  }

  // MARK: Exit status

  @Test(arguments: [
    [], ["frobnicate"], ["--frobnicate"], ["report"], ["report", "d", "--format", "yaml"],
    ["report", "d", "--format", "xml"], ["report", "d", "--sections", "summary,frob"],
    ["report", "d", "--sections", ""], ["report", "d", "--limit", "-1"],
    ["report", "d", "--limit", "many"], ["report", "d", "--color", "sometimes"],
    ["report", "d", "--fail-on", "info"], ["report", "d", "--types", "stabs"],
    ["report", "d", "--quiet", "--verbose"], ["report", "d", "--output"],
    ["schema", "frob"], ["extract", "d"], ["diff", "d"], ["diff", "a", "b", "c"],
    ["diff", "a", "b", "--limit", "-1"], ["report", "--frob", "d"],
  ])
  func wrongUsageIs64(_ arguments: [String]) {
    let errors = MemorySink()
    let output = MemorySink()
    let status = Iommuscope.run(
      arguments,
      in: Environment(
        standardOutput: output, standardError: errors,
        evidence: PreparedEvidence(state: .sample)))
    #expect(status == .usage)
    #expect(output.bytes.isEmpty)
    #expect(!errors.bytes.isEmpty)
  }

  @Test func anUnknownSectionIsToldTheKnownOnes() {
    let run = CommandRun("report", "d", "--sections", "summary,frob")
    #expect(
      run.errors.contains(
        "no section is called 'frob'; there are summary, units, contexts, domains, devices,"))
  }

  @Test func whatCannotBeDoneIs2WithOneSentence() {
    let run = CommandRun("report", "missing.vmcore", state: nil)
    #expect(run.status == .failed)
    #expect(run.output.isEmpty)
    #expect(run.errors == "iommuscope: cannot read missing.vmcore: no\\u{1b}such file\n")
  }

  @Test(arguments: [
    (Finding.Severity.error, "error", Outcome.found), (.error, "warning", .found),
    (.warning, "error", .done), (.warning, "warning", .found), (.info, "warning", .done),
  ])
  func failsOnFindingsWhereAsked(
    _ worst: Finding.Severity, _ threshold: String, _ expected: Outcome
  ) {
    var state = RemappingState.sample
    switch worst {
    case .error: state.domains[1].walk?.cycles = 1
    case .warning: state.domains[1].walk?.aliases = 1
    case .info: state.domains[1].walk?.assumedEmpty = 1
    }
    #expect(CommandRun("report", "d", state: state).status == .done)
    let run = CommandRun("report", "d", "--fail-on", threshold, state: state)
    #expect(run.status == expected)
    #expect(run.output.contains(worst.rawValue))
  }

  @Test func everyOutcomeIsDocumented() {
    #expect(Outcome.allCases.map(\.rawValue) == [0, 1, 2, 64])
    for status in Outcome.allCases {
      #expect(CommandRun("--help").output.contains("\(status.rawValue) "))
    }
  }

  // MARK: Output

  @Test func textIsTheDefaultAndJSONIsOneDocument() {
    #expect(CommandRun("report", "d").output.hasPrefix("SUMMARY\n"))
    let json = CommandRun("report", "d", "--format", "json").output
    #expect(json.hasPrefix("{\n  \"schema\": \"iommuscope-report/1\",\n"))
    #expect(json.hasSuffix("\n}\n"))
    #expect(CommandRun("report", "d", "--format", "json").output == json)
  }

  @Test func sectionsAndLimitShapeTheText() {
    let run = CommandRun("report", "d", "--sections", "devices,units", "--limit", "1")
    #expect(run.output.hasPrefix("REMAPPING UNITS\n"))
    #expect(run.output.contains("... 5 more of 6 devices; --limit 0 shows all\n"))
    #expect(!run.output.contains("FINDINGS"))
    #expect(
      CommandRun("report", "d", "--sections", "all", "--limit", "0").output
        == CommandRun("report", "d").output)
  }

  @Test(
    arguments: [
      (["--color", "always"], false, [:], true), (["--color", "never"], true, [:], false),
      ([], true, [:], true), ([], false, [:], false), ([], true, ["NO_COLOR": "1"], false),
      ([], true, ["NO_COLOR": ""], true), ([], true, ["TERM": "dumb"], false),
      (["--color", "always"], false, ["NO_COLOR": "1"], true),
      (["--color", "always", "--format", "json"], true, [:], false),
    ] as [([String], Bool, [String: String], Bool)])
  func coloursWhereItIsSeen(
    _ options: [String], _ isTerminal: Bool, _ variables: [String: String], _ expected: Bool
  ) {
    let output = MemorySink()
    _ = Iommuscope.run(
      ["report", "d"] + options,
      in: Environment(
        standardOutput: output, standardError: MemorySink(), outputIsTerminal: isTerminal,
        variables: variables, evidence: PreparedEvidence(state: .sample)))
    #expect(output.bytes.contains(0x1b) == expected)
  }

  @Test(arguments: [["report", "d"], ["report", "d", "--format", "json"], ["schema", "report"]])
  func aReaderThatHasGoneIsNoError(_ arguments: [String]) {
    let errors = MemorySink()
    let status = Iommuscope.run(
      arguments,
      in: Environment(
        standardOutput: BrokenSink(.closed), standardError: errors,
        evidence: PreparedEvidence(state: .sample)))
    #expect(status == .done)
    #expect(errors.bytes.isEmpty)
  }

  @Test(arguments: [["report", "d"], ["report", "d", "--format", "json"], ["--help"]])
  func aFullDiskIsAnError(_ arguments: [String]) {
    let errors = MemorySink()
    let status = Iommuscope.run(
      arguments,
      in: Environment(
        standardOutput: BrokenSink(.failed("cannot write standard output: no space left")),
        standardError: errors, evidence: PreparedEvidence(state: .sample)))
    #expect(status == .failed)
    #expect(errors.text == "iommuscope: cannot write standard output: no space left\n")
  }

  @Test func theSchemaIsPrinted() {
    let run = CommandRun("schema", "report")
    #expect(run.status == .done)
    #expect(run.output == ReportDocument.jsonSchema)
  }

  // MARK: Messages

  @Test func standardErrorIsSilentWhereAllIsWell() {
    #expect(CommandRun("report", "d").errors.isEmpty)
  }

  @Test func verboseTellsAndPassesTheRequest() {
    let run = CommandRun(
      "report", "a", "b", "--vmlinux", "v", "--types", "btf", "--verbose", errorIsTerminal: false)
    #expect(run.errors == "iommuscope: request [\"a\", \"b\"] v btf\n")
  }

  @Test func onlyATerminalSeesProgressAndItIsWipedAway() {
    let run = CommandRun("report", "d", errorIsTerminal: true)
    #expect(run.errors == "\rreading d\r         \r")
    #expect(CommandRun("report", "d", "--quiet", errorIsTerminal: true).errors.isEmpty)
  }

  @Test func gapsAreWarnedAboutUnlessQuiet() {
    var state = RemappingState.sample
    state.observations = [Observation(.unreadable, structure: Structure("struct iova"))]
    #expect(
      CommandRun("report", "d", state: state).errors
        == "iommuscope: warning: parts of the dump are missing; the section `missing` lists them\n")
    #expect(CommandRun("report", "d", "-q", state: state).errors.isEmpty)
  }

  @Test func everyVerbSaysWhichDumpIsMissing() {
    for verb in ["report", "extract", "inherit", "carve"] {
      let output = verb == "extract" ? ["-o", "/nonexistent/new"] : []
      let errors = MemorySink()
      let status = Iommuscope.run(
        [verb, "/nonexistent/dump"] + output,
        in: Environment(standardOutput: MemorySink(), standardError: errors))
      #expect(status == .failed, "\(verb)")
      #expect(
        errors.text
          == "iommuscope: /nonexistent/dump: cannot open the dump: No such file or directory\n",
        "\(verb)")
    }
  }
}
