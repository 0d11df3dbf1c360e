// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Report

/// `schema`: the JSON Schema of a document.
struct SchemaCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "The JSON Schema (draft 2020-12) of a document.",
    usage: "iommuscope schema [<document>] [<options>]",
    discussion: "Without a document, the names of all.")

  @Argument(help: ArgumentHelp("Which document.", valueName: "document"))
  var document: DocumentArgument?

  @Flag(help: "The schema of each line of the document as lines (--format ndjson).")
  var lines = false

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    if lines, document == nil { throw ValidationError("'--lines' needs a document.") }
  }

  var isPaged: Bool { destination.isPaged }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let text =
      document.map { lines ? $0.outline.lineSchema : $0.outline.jsonSchema }
      ?? DocumentOutline.all.map { $0.verb + "\n" }.joined()
    try destination.write(in: environment) { sink in try sink.write(Array(text.utf8)) }
    return .done
  }
}

/// A document, named after the verb that prints it.
struct DocumentArgument: ExpressibleByArgument {
  let outline: DocumentOutline

  init?(argument: String) {
    guard let outline = DocumentOutline.all.first(where: { $0.verb == argument }) else {
      return nil
    }
    self.outline = outline
  }

  static var allValueStrings: [String] { DocumentOutline.all.map(\.verb) }
}
