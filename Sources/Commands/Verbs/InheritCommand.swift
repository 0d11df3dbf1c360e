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
struct InheritCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "inherit",
    abstract:
      "Whether the crash kernel gets through, and what it inherits from units that translate.",
    usage: "iommuscope inherit <dump> ... [<options>]",
    discussion: """
      Begins with the answer: will the crash kernel get through, which drivers to leave out of its \
      initramfs, which words belong on its command line. Policies: linux (root and context tables \
      copied, as Linux does), full-copy (every level copied), isolate (everything blocked, pass-through \
      at attach), disable (translation off), reset (devices reset first, then linux), adopt (the old \
      tables stay in force where they are), live-update (a planned update that preserves chosen \
      devices). Old transfers are followed through four moments: T1 the crash kernel's IOMMU driver \
      starts, T2 the new root pointer is in force, T3 a driver attaches the device, T4 the dump is saved.
      """)

  @Argument(help: .dumps, completion: .file())
  var dumps: [String]

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @Option(
    help: ArgumentHelp(
      "Which policy: linux, full-copy, isolate, disable, reset, adopt, live-update or all.",
      valueName: "policy"))
  var policy: PolicyChoice?

  @Option(
    help: ArgumentHelp(
      "Devices that a live update preserves, separated by commas; by default those that VFIO and "
        + "iommufd have.", valueName: "devices"))
  var preserved: String?

  @Option(
    help: ArgumentHelp(
      "What the crash kernel can drive: names of drivers or devices, separated by commas; by default "
        + "all drivers of the crashed kernel.", valueName: "list"))
  var crashDrivers: String?

  @Option(
    help: ArgumentHelp(
      "Memory of the crash kernel, such as 0x1000000-0xfffffff (end inclusive); by default what the "
        + "dump says. May be given several times.", valueName: "range"))
  var crashReservation: [ReservationRange] = []

  @Option(
    help: ArgumentHelp(
      "Which generation of Linux's code copies the tables (see the manual page); by default that of "
        + "the crashed kernel.",
      valueName: "variant"))
  var crashKernel: CopyVariant?

  @Option(
    help: ArgumentHelp(
      "The crash kernel's command line, such as \"$(cat /proc/cmdline)\" of a crash kernel; the text "
        + "says which words count.", valueName: "words"))
  var crashCommandLine: String?

  @Flag(
    help:
      "Copy without the known quirks of Linux's code, and without entries that hardware would refuse."
  )
  var strict = false

  @Option(
    help: ArgumentHelp(
      "Write the reconstructed tables as an ELF file; of the one policy, or of full-copy.",
      valueName: "file"),
    completion: .file())
  var image: String?

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<PageFormat>

  @OptionGroup var length: LengthOptions<Rows>

  @Option(
    help: ArgumentHelp(
      "Exit with 1 if the verdict of the policy (of linux, if all are shown) is this one or worse: "
        + "risky or unsafe.", valueName: "verdict"))
  var failOn: VerdictThreshold?

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func validate() throws {
    if policy == .disable, image != nil {
      throw ValidationError(
        "'--image' has nothing to write under 'disable', which makes no tables.")
    }
    if preserved != nil, !(policy ?? .all).policies.contains(.liveUpdate) {
      throw ValidationError("'--preserved' counts under 'live-update' alone.")
    }
  }

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(
      to: input.request(dumps, in: environment, findsSharedPages: false))
    let session = try Session(request, progress: console)
    let kernel = try session.kernel(asking: VerbNeeds.symbols)
    let evidence = session.evidence(from: kernel)
    let state = evidence.state
    var facts = MachineFacts(reading: kernel, of: evidence)
    if !crashReservation.isEmpty {
      facts.reservations = crashReservation.map { .init(kind: .given, range: $0.range) }
      facts.reservationsAreComplete = true
    }
    try Self.checkDrivers(options.drivers ?? [], of: state, facts)
    let second = session.crashKernel(beside: kernel, in: facts.crashKernelMemory)
    facts.takeCommandLine(from: session, running: second)
    let result = Forecaster(
      state, memory: session.memory, facts: facts, options: options,
      errors: Audit.errors(of: state).devicesWithErrors,
      budget: CopyBudget(session.work)
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
    let document = InheritDocument(
      dump: state.dump, forecast: result.forecast, cuts: session.work.cuts)
    try destination.write(
      document, as: form, in: environment, keeping: request.inputs,
      paidBy: session.work,
      text: { sink, color in
        try InheritText(
          limit: length.rows,
          color: color,
          isBrief: policy == nil
        ).write(document, to: sink)
      },
      html: { sink in
        let context = PageContext(evidence, naming: [], dumps: dumps, input)
        try InheritPage(context: context, state: state).write(document, to: sink)
      })
    for concern in result.forecast.outlook.concerns where concern.kind == .noWriter {
      console.warning(concern.text)
    }
    let judged = result.forecast.policies.first { $0.policy == tablesOrLinux }
    return failOn.map { threshold in judged.map { $0.verdict >= threshold.verdict } ?? false }
      ?? false
      ? .found : .done
  }
}

extension InheritCommand {
  /// Names of `--crash-drivers` that the dump knows neither as a driver nor as a device.
  private static func checkDrivers(
    _ names: [String], of state: RemappingState, _ facts: MachineFacts
  ) throws {
    let drivers = Set(state.devices.compactMap(\.driver)).union(facts.drivers.values)
    let functions = Set(state.contexts.map(\.device)).union(facts.bridges.keys).union(
      state.devices.flatMap { [$0.device] + $0.aliases }.compactMap(\.function))
    for name in names {
      if let function = PCIFunction(name) {
        guard !functions.contains(function) else { continue }
        throw ValidationError(
          "'--crash-drivers': the dump knows no device \(function); 'iommuscope report' lists them."
        )
      }
      let known = drivers.contains { $0.isDriver(name) }
      guard !known else { continue }
      throw ValidationError(
        "'--crash-drivers': no device of the dump has a driver called '\(name)'; there are "
          + (drivers.isEmpty ? "none" : drivers.sorted().joined(separator: ", ")) + ".")
    }
  }

  /// The policy that `--fail-on` judges.
  private var tablesOrLinux: Policy {
    guard let policy, policy != .all else { return .linux }
    return policy.policies[0]
  }

  private var options: ForecastOptions {
    ForecastOptions(
      policies: (policy ?? .all).policies, variant: crashKernel,
      commandLine: CrashCommandLine(crashCommandLine ?? ""),
      drivers: crashDrivers.map {
        $0.split(separator: ",").map(String.init).filter { $0 != "none" }
      }, strict: strict,
      preserved: preserved.map {
        $0.split(separator: ",").map(String.init).filter { $0 != "none" }.map(DeviceName.init)
      })
  }

  /// Whose tables `--image` writes.
  private var tablesPolicy: Policy {
    guard let policy, policy != .all else { return .fullCopy }
    return policy.policies[0]
  }
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

/// The value of `inherit --fail-on`.
enum VerdictThreshold: String, CaseIterable, ExpressibleByArgument {
  case unsafe
  case risky

  var verdict: Verdict {
    switch self {
    case .unsafe: .unsafe
    case .risky: .risky
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
