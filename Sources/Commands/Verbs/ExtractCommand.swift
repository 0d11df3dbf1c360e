// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import DumpFile
import Evidence
import Inheritance
import Memory
import Report
import Session

/// `extract`: a small dump with only the pages that the analysis needs.
struct ExtractCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "A small ELF vmcore with only the pages that the analysis needs.",
    usage: "iommuscope extract <dump> ... --output <file> [<options>]",
    discussion: """
      The report of the new dump is the same as the original's. What travels in it is printed, by \
      kind and size; most of it is the kernel's symbols and types, which --compress shrinks to a third.
      """)

  @Argument(help: .dumps, completion: .file())
  var dumps: [String]

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The new dump.", valueName: "file"),
    completion: .file())
  var output: String

  @Flag(help: "Pack the new dump as gzip would; every verb reads it as it is.")
  var compress = false

  @Flag(
    help:
      "Leave out what tells of the host and its people: text of the log, command lines, host names."
  )
  var redact = false

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(to: input.request(dumps, in: environment))
    try CommandFiles.checkNewFile(output, keeping: request.inputs)
    let session = try Session(request, recording: true, progress: console)
    let kernel = try session.kernel(asking: VerbNeeds.symbols)
    VerbNeeds.read(session.evidence(from: kernel), kernel, in: session)
    let redaction =
      redact
      ? session.redaction(
        of: kernel,
        crashKernelIn: MachineFacts(reading: kernel, memory: session.memory).crashKernelMemory)
      : nil
    if let redaction, !redaction.places.contains(where: { $0.kind == .hostName }) {
      throw CommandFailure(
        "\(request.name): nothing tells where the host's name is, so it cannot be left out; name the "
          + "kernel's vmlinux with --vmlinux")
    }
    let (manifest, redacted, size) = try session.writeExtract(
      of: kernel, to: output, compressed: compress, without: redaction)
    console.endProgress()
    if !messages.quiet {
      try DestinationOptions.toStandardOutput(in: environment) { sink in
        try ExtractText().write(
          output, size: size, isCompressed: compress,
          manifest.rows.map { .init(meaning: $0.purpose.meaning, pages: $0.pages) },
          redacted: redacted.map { .init(meaning: $0.kind.meaning, bytes: $0.bytes) },
          to: sink)
      }
    }
    return .done
  }
}
