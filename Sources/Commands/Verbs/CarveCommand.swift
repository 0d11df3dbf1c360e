// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import DumpFile
import Memory
import RemappingState
import Report
import Session

/// `carve`: root tables by their shape, with no symbols.
struct CarveCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "carve",
    abstract: "Root tables found by their shape, with no symbols.",
    usage: "iommuscope carve <dump> ... [<options>]",
    discussion: """
      Works on dumps that were cut off and on images that hold two kernels. Each root table comes \
      with a score and the reasons for it; `--root` of the other verbs takes its address.
      """)

  @Argument(help: .dumps, completion: .file())
  var dumps: [String]

  @Option(help: ArgumentHelp("Leave out roots with a lower score, 0 to 100.", valueName: "score"))
  var threshold: Int = 50

  @OptionGroup(title: "Reading the dump") var unpacking: UnpackingOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @OptionGroup(title: "Reading the dump") var bounds: BoundOptions

  @OptionGroup var length: LengthOptions<Rows>

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<PlainFormat>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    guard (0...100).contains(threshold) else {
      throw ValidationError("'--threshold' is a score from 0 to 100; have \(threshold).")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(
      to: DumpRequest(files: dumps, unpackLimit: unpacking.maxUnpacked.bytes, work: bounds.work))
    if let file = request.registerFile, request.registers.allSatisfy({ $0.givenRoot == nil }) {
      console.warning(
        "\(file): no unit in it was reading a root table: none answered, or none translated")
    }
    let session = try Session(request, progress: console)
    for obstacle in session.dump.obstacles { console.warning(obstacle) }
    let roots = session.carvedRoots(threshold: threshold)
    console.endProgress()
    let document = CarveDocument(
      dump: session.symbollessSummary,
      pages: session.dump.storedFrames.reduce(0) { $0 &+ UInt64($1.count) }, roots: roots,
      cuts: session.work.cuts)
    try destination.write(
      document, as: form, in: environment, keeping: session.request.inputs,
      paidBy: session.work,
      text: { sink, color in
        try CarveText(limit: length.rows, color: color).write(document, to: sink)
      })
    return .done
  }
}
