// SPDX-License-Identifier: Apache-2.0

import Evidence
import Faults
import RemappingState
import Report

extension FaultsDocument {
  /// A log with every fault and every message about units explained.
  ///
  /// - Parameter isGiven: whether the lines come from the command line, not from the dump.
  init(
    explaining log: FaultLog, isGiven: Bool, by explainer: FaultExplainer, _ evidence: DumpEvidence
  ) {
    let faults = explainer.explain(log.records)
    let units = UnitExplainer(evidence)
    self.init(
      dump: evidence.state.dump, log: log, isGiven: isGiven, faults: faults,
      unitMessages: log.units.map { units.explain($0) }, cuts: evidence.cuts)
  }
}
