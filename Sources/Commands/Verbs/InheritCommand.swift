// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import Audit
import Evidence
public import Inheritance
import Memory
import RemappingState
import Report
import Session
import TableCopy

/// `inherit`: what the crash kernel would find, under one policy or all.
struct InheritCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "inherit",
    abstract: "What the crash kernel inherits from units that translate, under each policy.",
    usage: "iommuscope inherit <dump> ... [<options>]",
    discussion: """
      Policies: linux (root and context tables copied, as Linux does), full-copy (every level \
      copied), isolate (everything blocked, pass-through at attach), disable (translation off), \
      reset (devices reset first, then linux), adopt (the old tables stay in force where they are), \
      live-update (a planned update that preserves chosen devices). Moments: T1 start-up of the driver, T2 the new root \
      pointer, T3 a driver attaches the device, T4 while the dump is saved.
      """)

  @Argument(
    help: ArgumentHelp("The dump, or all files of a split one.", valueName: "dump"),
    completion: .file())
  var dumps: [String]

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @Option(
    help: ArgumentHelp(
      "Which policy: linux, full-copy, isolate, disable, reset, adopt, live-update or all.",
      valueName: "policy"))
  var policy: PolicyChoice = .all

  @Option(
    help: ArgumentHelp(
      "Devices that a live update preserves, separated by commas; by default those that VFIO and "
        + "iommufd have.", valueName: "devices"))
  var preserved: String?

  @Option(
    help: ArgumentHelp(
      "Drivers or devices, separated by commas, that the crash kernel has drivers for; by default all "
        + "of the crashed kernel's.", valueName: "list"))
  var crashDrivers: String?

  @Option(
    help: ArgumentHelp(
      "Memory of the crash kernel, such as 0x1000000-0xfffffff (end inclusive); by default what the "
        + "dump says. May be given several times.", valueName: "range"))
  var crashReservation: [ReservationRange] = []

  @Option(
    help: ArgumentHelp(
      "How the crash kernel's code copies: v0, v1, v2a or v2b; by default as the crashed kernel's.",
      valueName: "variant"))
  var crashKernel: CopyVariant?

  @Option(
    help: ArgumentHelp(
      "The crash kernel's command line; words for intel_iommu, iommu and intremap count.",
      valueName: "words"))
  var crashCommandLine: String?

  @Flag(
    help: "Leave out the code's quirks, and context entries that hardware would refuse.")
  var strict = false

  @Option(
    help: ArgumentHelp(
      "Write the reconstructed tables as an ELF file; of the one policy, or of full-copy.",
      valueName: "file"),
    completion: .file())
  var image: String?

  @OptionGroup(title: "Shaping the result") var form: FormatOptions

  @OptionGroup var length: LengthOptions<Rows>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    if policy == .disable, image != nil {
      throw ValidationError(
        "'--image' has nothing to write under 'disable', which makes no tables.")
    }
    if preserved != nil, !policy.policies.contains(.liveUpdate) {
      throw ValidationError("'--preserved' counts under 'live-update' alone.")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = input.request(dumps)
    let session = try Session(request, progress: console)
    let kernel = try session.kernel(asking: VerbNeeds.symbols)
    let state = session.evidence(from: kernel).state
    var facts = MachineFacts(reading: kernel, memory: session.memory)
    if !crashReservation.isEmpty {
      facts.reservations = crashReservation.map { .init(kind: .given, range: $0.range) }
    }
    facts.commandLine = session.crashCommandLine(in: facts.crashKernelMemory).map {
      CrashCommandLine($0)
    }
    let second = session.crashKernel(beside: kernel, in: facts.crashKernelMemory)
    let result = Forecaster(
      state, memory: session.memory, facts: facts, options: options,
      errors: Set(Audit.findings(of: state).filter { $0.severity == .error }.compactMap(\.device))
    ).forecast(
      keepingTablesOf: image == nil ? nil : tablesPolicy,
      beside: second.map { CrashTakeover(release: $0.release, structures: $0.kernel?.structures) }
    ) { console.progress("policy \($0.rawValue)") }
    if let image, let tables = result.tables {
      try CommandFiles.write(image, keeping: request.inputs) { sink in
        try tables.write { (bytes) throws(OutputError) in try sink.write(bytes) }
      }
    }
    console.endProgress()
    let document = InheritDocument(dump: state.dump, forecast: result.forecast)
    try destination.write(in: environment, keeping: request.inputs) { sink in
      switch form.format {
      case .text:
        try InheritText(
          limit: length.rows,
          color: form.useColor(in: environment, toFile: destination.output != nil)
        ).write(document, to: sink)
      case .json: try document.writeJSON(to: sink)
      }
    }
    return .done
  }
}

extension InheritCommand {
  private var options: ForecastOptions {
    ForecastOptions(
      policies: policy.policies, variant: crashKernel,
      commandLine: CrashCommandLine(crashCommandLine ?? ""),
      drivers: crashDrivers.map {
        $0.split(separator: ",").map(String.init).filter { $0 != "none" }
      }, strict: strict,
      preserved: preserved.map {
        $0.split(separator: ",").map(String.init).filter { $0 != "none" }.map(DeviceName.init)
      })
  }

  /// Whose tables `--image` writes.
  private var tablesPolicy: Policy { policy == .all ? .fullCopy : policy.policies[0] }
}

/// The value of `--policy`.
enum PolicyChoice: String, CaseIterable, ExpressibleByArgument {
  case linux
  case fullCopy = "full-copy"
  case isolate
  case disable
  case reset
  case adopt
  case liveUpdate = "live-update"
  case all

  var policies: [Policy] {
    switch self {
    case .linux: [.linux]
    case .fullCopy: [.fullCopy]
    case .isolate: [.isolate]
    case .disable: [.disable]
    case .reset: [.reset]
    case .adopt: [.adopt]
    case .liveUpdate: [.liveUpdate]
    case .all: Policy.allCases
    }
  }
}

extension CopyVariant: ExpressibleByArgument {}

/// A value of `--crash-reservation`: `START-END` in hexadecimal or decimal, end inclusive.
struct ReservationRange: ExpressibleByArgument, Hashable, Sendable {
  var range: ClosedRange<UInt64>

  init?(argument: String) {
    let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let start = Self.number(parts[0]), let end = Self.number(parts[1]),
      start <= end
    else { return nil }
    range = start...end
  }

  private static func number(_ text: Substring) -> UInt64? {
    guard text.hasPrefix("0x") || text.hasPrefix("0X") else { return UInt64(text) }
    return UInt64(text.dropFirst(2), radix: 16)
  }
}
