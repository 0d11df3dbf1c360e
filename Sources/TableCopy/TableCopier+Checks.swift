// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState
internal import VTd

// What of the old tables is worth a word.
extension TableCopier {
  func note(_ reading: TranslationTablesReading, in copy: inout UnitCopy) {
    for obstacle in reading.obstacles {
      func note(_ check: CopyProblem.Check, _ outcome: CopyProblem.Outcome, _ detail: String) {
        copy.problems.note(
          CopyProblem(
            check, outcome, bus: obstacle.bus, devfn: obstacle.devfn, pasid: obstacle.pasid,
            address: obstacle.address, detail: "\(obstacle.structure.rawValue): \(detail)"))
      }
      switch obstacle.kind {
      case .unreadable(let error):
        note(
          error.absence == .notInDump ? .tableOutsideMemory : .tableMissing, .dropped, "\(error)")
      case .assumedZero: note(.assumedZero, .copied, "a hole of the ELF dump is taken for zeros")
      case .reservedBits(let mask): note(.reservedBits, .copied, "reserved bits \(mask)")
      case .violations(let violations):
        for violation in violations {
          note(
            violation.field == "DID" ? .domainIDOutOfRange : .fieldViolation, .copied,
            "\(violation)")
        }
      case .shared(let bus):
        note(.sharedContextTable, .copied, "also the table of bus \(String(bus, radix: 16))")
      case .budgetExhausted(let part): note(.budget, .ended, "more \(part.rawValue) than allowed")
      }
    }
  }

  func noteKept(_ path: ContextPath, _ copy: inout UnitCopy) {
    // Pass-through and reserved types have no tables; a table of impossible depth has no copy.
    guard let table = path.table, let levels = path.levels else { return }
    copy.problems.note(
      CopyProblem(
        .fieldViolation, .kept, bus: path.bus, devfn: path.devfn, pasid: path.pasid,
        address: path.entry, detail: "a table at \(table) with \(levels) levels cannot be walked"))
  }

  /// One domain-id with two tables, and one table with two ids.
  ///
  /// The code of 2014 looked only at the id and would have given all its devices the first table.
  func checkDomainIDs(_ reading: TranslationTablesReading, _ copy: inout UnitCopy) {
    var tableOfID: [UInt16: PhysicalAddress] = [:]
    var idOfTable: [PhysicalAddress: UInt16] = [:]
    for path in reading.paths {
      guard let table = path.table, let id = path.domainID else { continue }
      // First-stage and pass-through entries of scalable mode share an id by design.
      let sharesID = path.kind == .firstStage || path.kind == .nested
      if let other = tableOfID[id], other != table, !sharesID {
        copy.problems.note(
          CopyProblem(
            .domainIDWithTwoTables, .copied, bus: path.bus, devfn: path.devfn, pasid: path.pasid,
            address: path.entry,
            detail: "domain-id \(id) has the table \(table) here and \(other) before"))
      } else {
        tableOfID[id] = table
      }
      if let other = idOfTable[table], other != id {
        copy.problems.note(
          CopyProblem(
            .tableWithTwoDomainIDs, .copied, bus: path.bus, devfn: path.devfn, pasid: path.pasid,
            address: path.entry,
            detail: "the table \(table) has domain-id \(id) here and \(other) before"))
      } else {
        idOfTable[table] = id
      }
    }
  }
}
