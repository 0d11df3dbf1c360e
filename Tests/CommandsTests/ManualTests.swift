// SPDX-License-Identifier: Apache-2.0

import Audit
import Foundation
import Report
import Testing

@testable import Commands

/// The manual pages against the program: whatever is added to one must be in the other.
struct ManualTests {
  /// All pages, with roff's escapes undone.
  private let pages: String

  init() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../man")
    let names = try FileManager.default.contentsOfDirectory(
      atPath: folder.path(percentEncoded: false))
    pages = try names.sorted().map { name in
      try String(decoding: Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
    }.joined().replacing("\\-", with: "-")
  }

  /// What `--experimental-dump-help` says about a command.
  private struct Command: Decodable {
    struct Argument: Decodable {
      struct Name: Decodable {
        var kind: String
        var name: String
      }
      var names: [Name]?
      var shouldDisplay: Bool
      var allValues: [String]?
    }
    var commandName: String
    var shouldDisplay: Bool
    var arguments: [Argument]?
    var subcommands: [Command]?
  }

  private struct Help: Decodable { var command: Command }

  private func commands() throws -> [Command] {
    let run = CommandRun("--experimental-dump-help")
    #expect(run.status == .done)
    let root = try JSONDecoder().decode(Help.self, from: Data(run.output.utf8)).command
    let verbs = (root.subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
    #expect(!verbs.isEmpty)
    return [root] + verbs
  }

  @Test func describesEveryOptionOfEveryCommand() throws {
    for command in try commands() {
      #expect(pages.contains(command.commandName))
      for argument in command.arguments ?? [] where argument.shouldDisplay {
        for name in argument.names ?? [] {
          let option = name.kind == "long" ? "--\(name.name)" : "-\(name.name)"
          // At the start of a tagged paragraph, not only in passing.
          let isDescribed = pages.split(separator: "\n").contains { line in
            // Pages in mdoc write one of the dashes with `Fl`.
            let written = line.hasPrefix(".It Fl ") ? option.dropFirst() : option[...]
            return line.hasPrefix(".B") || line.hasPrefix(".It Fl ")
              ? line.split(whereSeparator: { " \",".contains($0) }).contains(written) : false
          }
          #expect(isDescribed, "\(command.commandName) \(option)")
        }
        for value in argument.allValues ?? [] { #expect(pages.contains(value), "\(value)") }
      }
    }
  }

  @Test func describesEverySectionRuleAndExitStatus() {
    for section in ReportSection.allCases {
      #expect(pages.contains("\n.B \(section.rawValue)\n"), "\(section)")
    }
    for rule in Audit.rules { #expect(pages.contains(rule.id), "\(rule.id)") }
    for outcome in Outcome.allCases { #expect(pages.contains("\n.B \(outcome.rawValue)\n")) }
  }

  @Test func namesTheVersion() {
    #expect(pages.contains("iommuscope \(Tool.current.version)\""))
  }
}
