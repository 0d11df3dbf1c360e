// SPDX-License-Identifier: Apache-2.0

import Evidence
import Memory
import RemappingState
import Report
import Session
import Translation

extension PageContext {
  /// Entries of tables that a page shows at most; what goes beyond has its command.
  private static let rows = 3000

  /// What a page shows beside a document.
  ///
  /// - Parameters:
  ///   - named: addresses of evidence, whose tables come first.
  ///   - device: without the page tables of others.
  ///   - dumps: as they were named on the command line.
  init(
    _ evidence: DumpEvidence, naming named: [PhysicalAddress], of device: DeviceName? = nil,
    dumps: [String], _ input: InputOptions
  ) {
    self.init(
      tables: TableAtlas(evidence).excerpt(naming: named, of: device, rows: Self.rows),
      command: ["iommuscope", "tables"] + dumps + input.words + ["--at"],
      names: PCINames.names(of: evidence.state.devices.compactMap(\.pciID)))
  }
}

extension InputOptions {
  /// The options that another command has to be given to read the same.
  var words: [String] {
    (vmlinux.map { ["--vmlinux", $0] } ?? []) + (symbols.map { ["--symbols", $0] } ?? [])
      + (types == .auto ? [] : ["--types", types.rawValue])
      + debugDirectory.flatMap { ["--debug-directory", $0] }
  }
}

extension ReportDocument {
  /// Where findings and observations have their bytes; kernel addresses among them lead nowhere.
  var evidenceAddresses: [PhysicalAddress] {
    findings.flatMap(\.evidence).compactMap(\.address).map { PhysicalAddress($0.rawValue) }
      + state.observations.compactMap(\.address).map { PhysicalAddress($0.rawValue) }
  }
}
