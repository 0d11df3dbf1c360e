// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import Evidence
import Memory
import RemappingState
import Report
import Session
public import Translation

/// `tables`: raw entries, decoded field by field.
struct TablesCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "tables",
    abstract: "Raw entries of the tables, decoded field by field.",
    usage: "iommuscope tables <dump> ... [--device <sbdf> | --at <address>] [<options>]",
    discussion: """
      Without --device: root, context and PASID entries of every unit. With it: the entries that \
      lead to the device's address space, drawn bit by bit, and those of its page tables. With --at: \
      the table at an address that a report names, what points to it and where it leads; or, below a \
      page, the one entry there. \
      --format debugfs prints what the crashed kernel's debugfs files would print.
      """)

  @Argument(help: .dumps, completion: .file())
  var dumps: [String]

  @Option(help: ArgumentHelp("Only this device, with its page tables.", valueName: "sbdf"))
  var device: DeviceArgument?

  @Option(help: ArgumentHelp("With --device: of this PASID.", valueName: "n"))
  var pasid: UInt32?

  @Option(
    help: ArgumentHelp(
      "Only the table page at this physical address, or the one entry there; may be repeated.",
      valueName: "address"),
    transform: TableAddress.init)
  var at: [TableAddress] = []

  @Flag(help: "The entries of the interrupt remapping tables as well.")
  var interrupts = false

  @OptionGroup var length: LengthOptions<Rows>

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @OptionGroup(title: "Reading the dump") var root: RootOptions

  @Option(help: ArgumentHelp("Form of the result.", valueName: "format"))
  var format: TablesFormat = .text

  @Option(
    name: .customLong("file"),
    help: ArgumentHelp(
      "With --format debugfs: only this one of the kernel's files.", valueName: "name"))
  var files: [DebugfsFile] = []

  @Option(
    help: ArgumentHelp(
      "With --format debugfs: the form of kernels since this release, 5.10, 5.18, 6.0 or 6.7; by default that of the dump's kernel.",
      valueName: "release"))
  var generation: DebugfsGeneration?

  @Option(
    help: ArgumentHelp(
      "Colour in text; auto colours on a terminal, unless NO_COLOR is set.", valueName: "when"))
  var color: ColorChoice = .auto

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    if pasid != nil, device == nil { throw ValidationError("'--pasid' needs '--device'.") }
    if let pasid, pasid >= 1 << 20 {
      throw ValidationError("'--pasid' has 20 bits; have \(pasid).")
    }
    if !at.isEmpty {
      if device != nil { throw ValidationError("'--at' and '--device' exclude each other.") }
      if interrupts { throw ValidationError("'--at' and '--interrupts' exclude each other.") }
      if format == .debugfs {
        throw ValidationError("'--at' cannot be had as '--format debugfs'.")
      }
    }
    if !files.isEmpty, format != .debugfs {
      throw ValidationError("'--file' needs '--format debugfs'.")
    }
    if generation != nil, format != .debugfs {
      throw ValidationError("'--generation' needs '--format debugfs'.")
    }
  }

  var isPaged: Bool { format != .json && format != .ndjson && destination.isPaged }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(
      to: input.request(dumps, in: environment, findsSharedPages: false))
    let evidence = try environment.evidence.evidence(
      of: request, below: root.roots, progress: console)
    console.endProgress()
    try destination.write(
      in: environment, keeping: request.inputs, paidBy: evidence.work, isText: format != .json
    ) { sink in
      switch format {
      case .debugfs: try writeDebugfs(evidence, console, to: sink)
      case .text:
        let color = color.isOn(in: environment, toFile: destination.output != nil)
        try TablesText(limit: length.rows, color: color).write(
          document(evidence), to: sink)
      case .json: try document(evidence).writeJSON(to: sink)
      case .ndjson: try document(evidence).writeLines(to: sink)
      }
    }
    return .done
  }

  private func document(_ evidence: DumpEvidence) -> TablesDocument {
    if !at.isEmpty {
      let atlas = TableAtlas(evidence)
      return TablesDocument(
        dump: evidence.state.dump, units: [], devices: [],
        pages: at.map { atlas.contents(at: $0.address) }, cuts: evidence.cuts)
    }
    let lister = TableLister(evidence)
    if let device {
      let tables = lister.tables(of: device.function, pasid: pasid)
      return TablesDocument(
        dump: evidence.state.dump, units: [], devices: tables.map { [$0] } ?? [],
        cuts: evidence.cuts)
    }
    let units = evidence.state.units.compactMap { lister.tables(of: $0, interrupts: interrupts) }
    return TablesDocument(
      dump: evidence.state.dump, units: units, devices: [], cuts: evidence.cuts)
  }

  private func writeDebugfs(
    _ evidence: DumpEvidence, _ console: Console, to sink: any ByteSink
  ) throws {
    let reader = DebugfsReader(evidence, generation: generation)
    if let contradiction = reader.contradiction {
      console.warning(
        "the kernel's types are those of the form since Linux \(contradiction.types.rawValue), its "
          + "release is one of the form since \(contradiction.release.rawValue), which is printed; "
          + "--generation chooses")
    }
    let text = DebugfsText(reader.generation, to: sink)
    for file in files.isEmpty ? DebugfsFile.allCases : files {
      if files.count != 1 { try sink.write(Array("==> \(file.rawValue) <==\n".utf8)) }
      try reader.forEachRow(of: file) { (row) throws(OutputError) in try text.write(row) }
      try text.finish()
    }
  }
}

/// A value of `--at`.
struct TableAddress: Hashable, Sendable {
  var address: PhysicalAddress

  init(_ text: String) throws {
    guard let word = UInt64(address: text), word < 1 << 52 else {
      throw ValidationError(
        "'--at' is a hexadecimal physical address, such as 0x26c3000; have '\(text)'.")
    }
    address = PhysicalAddress(word)
  }
}

/// The value of `tables --format`.
enum TablesFormat: String, CaseIterable, ExpressibleByArgument {
  case text
  case json
  case ndjson
  case debugfs
}

extension DebugfsFile: ExpressibleByArgument {}

extension DebugfsGeneration: ExpressibleByArgument {}
