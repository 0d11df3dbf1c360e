// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Evidence
import History
import Memory
import RemappingState
import Report
import Session

/// `history`: what the dump still holds of the time before the crash.
struct HistoryCommand: DocumentVerb {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract:
      "Remapping events and invalidations before the crash, as far as the dump still holds them.",
    usage: "iommuscope history <dump> ... [<options>]",
    discussion: """
      Trace events of the systems iommu and intel_iommu, if they were switched on, how long before the \
      panic they end, and the last descriptors of the invalidation queues, which carry no time. With \
      --format trace the events, for ui.perfetto.dev or chrome://tracing.
      """)

  @Argument(help: .dumps, completion: .file())
  var dumps: [String]

  @Option(
    help: ArgumentHelp(
      "Only what is about this PCI function, [segment:]bus:device.function.", valueName: "sbdf"))
  var device: DeviceArgument?

  @Option(
    help: ArgumentHelp(
      "Only events of this time before the panic, such as 100ms or 2s.", valueName: "duration"))
  var last: DurationArgument?

  @OptionGroup var length: LengthOptions<NewestRows>

  @OptionGroup(title: "Reading the dump") var input: InputOptions

  @OptionGroup(title: "Reading the dump") var registers: RegisterOptions

  @OptionGroup(title: "Shaping the result") var form: FormatOptions<EventsFormat>

  @OptionGroup(title: "Shaping the result") var destination: DestinationOptions

  @OptionGroup(title: "Messages") var messages: MessageOptions

  func run(in environment: Environment, console: Console) throws -> Outcome {
    let request = try registers.added(
      to: input.request(dumps, in: environment, findsSharedPages: false))
    let evidence = try environment.evidence.evidence(
      of: request, below: [], progress: console)
    console.progress("reading the trace ring")
    let ring = evidence.kernel.map { TraceRing(reading: $0.image) }
    var names = EventNames(evidence.state)
    var events = ring?.events ?? []
    names.attribute(&events)
    console.endProgress()
    let document = HistoryDocument(
      dump: evidence.state.dump, ring: ring?.coverage, events: events,
      problems: ring?.problems ?? ["the kernel's structures were not read"],
      queues: InvalidationHistory.queues(evidence),
      invalidations: InvalidationHistory.descriptors(evidence),
      selection: HistorySelection(
        device: device.map { .pci($0.function) }, last: last?.nanoseconds),
      names: names, cuts: evidence.cuts)
    try destination.write(
      document, as: form, in: environment, keeping: request.inputs,
      paidBy: evidence.work,
      text: { sink, color in
        try HistoryText(limit: length.rows, color: color).write(document, to: sink)
      },
      trace: { sink in try TraceEventLog(document).write(to: sink) })
    return .done
  }
}

/// A value of `--last`: a number and a unit, `250us`, `100ms`, `1.5s`, `2m`; seconds without one.
struct DurationArgument: ExpressibleByArgument, Hashable, Sendable {
  var nanoseconds: UInt64

  private static let units: [(name: String, nanoseconds: UInt64)] = [
    ("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
  ]

  init?(argument: String) {
    let unit = Self.units.first { argument.hasSuffix($0.name) } ?? ("", 1_000_000_000)
    let number = argument.dropLast(unit.name.count)
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    // The integer parser would accept a sign here.
    guard (1...2).contains(parts.count), !number.isEmpty,
      parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isNumber) }), let whole = UInt64(parts[0])
    else { return nil }
    var (time, overflow) = whole.multipliedReportingOverflow(by: unit.nanoseconds)
    guard !overflow else { return nil }
    if parts.count == 2 {
      guard parts[1].count <= 9, let digits = UInt64(parts[1]) else { return nil }
      var scale: UInt64 = 1
      for _ in parts[1] { scale *= 10 }
      // At most 10^9 times a minute of nanoseconds, which fits in 64 bits only part by part.
      let fraction = Double(digits) / Double(scale) * Double(unit.nanoseconds)
      (time, overflow) = time.addingReportingOverflow(UInt64(fraction))
      guard !overflow else { return nil }
    }
    nanoseconds = time
  }
}
