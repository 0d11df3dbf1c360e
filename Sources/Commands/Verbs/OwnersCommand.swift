// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Evidence
import Memory
import Owners
import RemappingState
import Report
import Session

/// `owners`: which devices can reach physical addresses.
struct OwnersCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "owners",
    abstract: "Which devices can reach a physical address, and what the page is.",
    usage: """
      iommuscope owners <dump> <address>[-<address>] ... [<options>]
      iommuscope owners <dump> --addresses <file> [<options>]
      """)

  @Argument(help: .dumpBeforeOperands, completion: .file())
  var dump: String

  @Argument(
    help: ArgumentHelp(
      "Physical addresses, or ranges with an inclusive end, hexadecimal.", valueName: "range"),
    transform: { try Operand($0, PhysicalRange.init) })
  var operands: [Operand<PhysicalRange>] = []

  @OptionGroup var files: AddressFileOptions

  @OptionGroup var length: LengthOptions<Rows>

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @OptionGroup(title: "Reading the dump") var root: RootOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<PlainFormat>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    guard !operands.values().isEmpty || !files.addresses.isEmpty else {
      throw ValidationError("Missing expected argument '<range> ...'")
    }
    if dump == "-", files.addresses.contains("-") {
      throw ValidationError("Standard input cannot be the dump and the addresses.")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(
      to: input.request([dump] + operands.files(), in: environment, findsSharedPages: false))
    // Read first: a missing file should not cost the time of a dump.
    let ranges = operands.values() + (try files.ranges())
    let evidence = try environment.evidence.evidence(
      of: request, below: root.roots, progress: console)
    console.endProgress()
    let index = OwnersIndex(evidence)
    let classifier = PageClassifier(evidence)
    let document = OwnersDocument(
      dump: evidence.state.dump,
      ranges: ranges.map { range in
        OwnersDocument.Answer(
          start: range.first, end: range.last, pages: Self.pages(range, classifier),
          reaches: index.reaches(range.first, range.last))
      }, tablesComplete: evidence.state.tablesAreComplete, cuts: evidence.cuts)
    try destination.write(
      document, as: form, in: environment,
      keeping: request.inputs + files.addresses.filter { $0 != "-" },
      paidBy: evidence.work,
      text: { sink, color in
        try OwnersText(limit: length.rows, color: color).write(document, to: sink)
      })
    return .done
  }

  /// The pages of a range, neighbours that are alike joined.
  private static func pages(
    _ range: PhysicalRange, _ classifier: PageClassifier
  ) -> [OwnersDocument.Pages] {
    var pages: [OwnersDocument.Pages] = []
    for frame in range.first.frame...range.last.frame {
      let state = classifier.state(frame)
      let end = PhysicalAddress(frame << 12 | 0xfff)
      if let last = pages.last, last.kind == state.kind, last.detail == state.detail {
        pages[pages.count - 1].end = end
      } else {
        pages.append(
          OwnersDocument.Pages(
            start: PhysicalAddress(frame << 12), end: end, kind: state.kind,
            detail: state.detail))
      }
    }
    return pages
  }
}

/// A range of physical memory on the command line.
struct PhysicalRange: Hashable, Sendable {
  var first: PhysicalAddress
  /// Inclusive.
  var last: PhysicalAddress
}

extension PhysicalRange {
  /// Reads `0x1000` or `0x1000-0x1fff`.
  init(_ text: String) throws {
    let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first.flatMap({ UInt64(address: $0) }),
      let last = parts.count == 2 ? UInt64(address: parts[1]) : first
    else {
      throw ValidationError(
        "a range is hexadecimal, such as 0x1000 or 0x1000-0x1fff; have '\(text)'.")
    }
    // Every page of the range is looked at; 2^20 pages are 4 GiB.
    guard first <= last, last - first < 1 << 32 else {
      throw ValidationError(
        "a range ascends and has at most 4 GiB; have \(first.hexadecimal) to \(last.hexadecimal).")
    }
    self.first = PhysicalAddress(first)
    self.last = PhysicalAddress(last)
  }
}
