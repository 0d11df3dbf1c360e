// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Carving
import DumpFile
import RemappingState
import Report

/// `carve`: root tables by their shape, with no symbols.
struct CarveCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "carve",
    abstract: "Root tables found by their shape, with no symbols.",
    usage: "iommuscope carve <dump> ... [<options>]",
    discussion: """
      Works on torn dumps and on images that hold two kernels. Each root table comes with a score \
      and what it rests on; `--root` of the other verbs takes its address.
      """)

  @Argument(
    help: ArgumentHelp("The dump, or all files of a split one.", valueName: "dump"),
    completion: .file())
  var dumps: [String]

  @Option(help: ArgumentHelp("Leave out roots with a lower score, 0 to 100.", valueName: "score"))
  var threshold: Int = 50

  @Option(help: ArgumentHelp("Rows of each list in the text; 0 for all.", valueName: "rows"))
  var limit: Int = 20

  @OptionGroup(title: "Shaping the result") var form: FormatOptions

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    guard (0...100).contains(threshold) else {
      throw ValidationError("'--threshold' is a score from 0 to 100; have \(threshold).")
    }
    guard limit >= 0 else {
      throw ValidationError("'--limit' is a number of rows, 0 or more; have \(limit).")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let dump: DumpFile
    do {
      dump = try DumpFile.open(dumps)
    } catch {
      throw CommandFailure("\(error)")
    }
    for obstacle in dump.obstacles { console.warning(obstacle) }
    let roots = dump.carvedRoots(threshold: threshold, console)
    console.endProgress()
    let document = CarveDocument(
      dump: DumpSummary(symbolless: dump, name: dumps.first ?? ""),
      pages: dump.storedFrames.reduce(0) { $0 &+ UInt64($1.count) }, roots: roots)
    try destination.write(in: environment, keeping: dumps) { sink in
      switch form.format {
      case .text:
        let color = form.useColor(in: environment, toFile: destination.output != nil)
        try CarveText(limit: limit == 0 ? nil : limit, color: color).write(document, to: sink)
      case .json: try JSONTextEncoder().encode(document, to: sink)
      }
    }
    return .done
  }
}

extension DumpFile {
  /// The root tables among the pages that the file holds.
  func carvedRoots(threshold: Int = 50, _ console: Console) -> [CarvedRoot] {
    var carver = RootCarver(memory: memory)
    carver.threshold = threshold
    console.progress("looking for root tables")
    return carver.roots(in: storedFrames) { pages in
      console.progress("looking for root tables: \(pages >> 8) MiB")
    }
  }
}
