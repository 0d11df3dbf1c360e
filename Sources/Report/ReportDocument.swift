// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import Owners
public import RemappingState

/// The document of `report`: one state, what the audit says about it, and who wrote it.
///
/// Reads from what it writes, so that a report written earlier can stand in for its dump.
public struct ReportDocument: Hashable, Sendable {
  public var tool: Tool
  public var state: RemappingState
  public var findings: [Finding]
  /// The rules whose silence says nothing, each with the reason.
  public var notJudged: [UnjudgedRule]
  /// Of a report about one device: what it is and what it can reach.
  public var deviceView: DeviceView?

  public init(
    state: RemappingState, findings: [Finding], notJudged: [UnjudgedRule] = [],
    deviceView: DeviceView? = nil, tool: Tool = .current
  ) {
    self.tool = tool
    self.state = state
    self.findings = findings
    self.notJudged = notJudged
    self.deviceView = deviceView
  }
}

extension ReportDocument: Document, DocumentRow {
  public static let outline = DocumentOutline(ReportDocument.self, verb: "report")
  public var body: DocumentBody { DocumentBody(self) }

  static var rowName: String { "report" }
  static var rowMeaning: String { "The state of the DMA remapping units in a crash dump." }
  static var blank: ReportDocument? {
    ReportDocument(
      state: RemappingState(dump: DumpSummary(file: "", format: "")), findings: [])
  }

  static func describe<Fields: FieldVisitor>(
    _ fields: inout Fields
  ) where Fields.Row == ReportDocument {
    fields.constant("schema", "iommuscope-report/1", "Name and version of the document's form.")
    fields.field("tool", \.tool, "The program that wrote the document.")
    fields.field("dump", \.state.dump, "The dump that was read.")
    fields.field("units", \.state.units, "Remapping units, by segment and register base.")
    fields.field(
      "contexts", \.state.contexts,
      "What the hardware would see, nothing of the kernel's belief; by unit, device and PASID.")
    fields.field(
      "domains", \.state.domains,
      "Address spaces, by unit, domain-id and table; unknown ones last.")
    fields.field("devices", \.state.devices, "What the kernel believed; by device.")
    fields.field(
      "reservedRegions", \.state.reservedRegions, "Fixed regions, by segment and base.")
    fields.field("findings", \.findings, "What the audit's rules say about the state.")
    fields.field(
      "observations", \.state.observations,
      "What the readers and the table walk met and could not, or need not, resolve.")
    fields.field(
      "memoryMap", \.state.memoryMap,
      "What lies where in physical memory, as far as it matters to DMA; by address.")
    fields.field(
      "handovers", \.state.handovers,
      "What live updates of the kernel hand over; empty where nobody prepared one.",
      since: "0.1.0")
    fields.field(
      "translationCaches", \.state.translationCaches,
      "Root ports (ATSR) and devices (SATC) that may cache translations, as firmware says.",
      since: "0.1.0")
    fields.field(
      "faults", \.state.faults,
      "What the kernel log tells of faults and errors; null where no log was read.",
      since: "0.1.0")
    fields.field(
      "startUp", \.state.startUp,
      "How the units came up; null where neither command line nor log was read.", since: "0.1.0")
    fields.field(
      "registers", \.state.registers,
      "Registers of the units, read beside the dump (--registers); null where nobody gave any.",
      since: "0.1.0")
    fields.field(
      "notJudged", \.notJudged,
      "Rules that could not be judged, so that the lack of a finding says nothing.",
      since: "0.1.0")
    fields.field("cuts", \.state.cuts, Cut.meaning, since: "0.1.0")
    fields.field(
      "deviceView", \.deviceView,
      "With --device: what the device is and what it can reach; null in a report of everything.",
      since: "0.1.0")
  }
}
