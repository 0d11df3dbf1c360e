// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Report

/// `schema`: the JSON Schema of a document.
struct SchemaCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "The JSON Schema (draft 2020-12) of a document.",
    usage: "iommuscope schema <document> [<options>]")

  @Argument(help: ArgumentHelp("Which document.", valueName: "document"))
  var document: Document

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  enum Document: String, CaseIterable, ExpressibleByArgument {
    case report
    case diff
    case inherit
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    try destination.write(in: environment) { sink in
      switch document {
      case .report: try sink.write(Array(ReportDocument.jsonSchema.utf8))
      case .diff: try sink.write(Array(DiffDocument.jsonSchema.utf8))
      case .inherit: try sink.write(Array(InheritDocument.jsonSchema.utf8))
      }
    }
    return .done
  }
}
