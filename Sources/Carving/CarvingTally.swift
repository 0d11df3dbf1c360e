// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// What was counted below a candidate.
struct CarvingTally {
  var contextTables = 0
  var missing = 0
  var sourceIDs: [UInt16] = []
  var domainIDs: Set<UInt16> = []
  var tables: Set<PhysicalAddress> = []
  var passThrough = 0
  var pasidEntries = 0
  var copied = 0
  var soundTables = 0
  var unreadTables = 0
  /// Context entries, with what they lead to, that are neither zero nor sound.
  var damaged = 0

  /// Adds what a context table, or a half of one, holds.
  mutating func add(_ facts: CarvingMemo.ContextFacts, bus: UInt8, upper: Bool) {
    contextTables += 1
    missing += facts.missing
    sourceIDs += facts.slots.map { UInt16(bus) << 8 | UInt16($0) | (upper ? 0x80 : 0) }
    domainIDs.formUnion(facts.domainIDs)
    tables.formUnion(facts.tables)
    passThrough += facts.passThrough
    pasidEntries += facts.pasidEntries
    copied += facts.copied
    damaged += facts.damaged
  }

  /// How much speaks for a root table, from 0 to 100, and in words; `nil` where nothing leads on.
  func root(at address: PhysicalAddress, mode: TableMode, buses: [UInt8]) -> CarvedRoot? {
    let ways = mode == .legacy ? sourceIDs.count : pasidEntries
    guard ways > 0 || mode == .scalable && missing > 0 else { return nil }
    func count(_ number: Int, _ one: String, _ many: String) -> String {
      "\(number) \(number == 1 ? one : many)"
    }
    var score = 30
    var reasons = [
      "all 256 entries are zero or a pointer into memory; "
        + "\(count(buses.count, "bus is", "buses are")) present"
    ]
    score += 10 * min(3, ways)
    reasons.append(
      "\(count(contextTables, "context table", "context tables")) with "
        + "\(count(sourceIDs.count, "sound entry", "sound entries"))"
        + (damaged == 0 ? ", no other" : ""))
    if damaged > 0 {
      score -= 5 * min(4, damaged)
      reasons.append("\(count(damaged, "context entry is", "context entries are")) damaged")
    }
    if mode == .scalable {
      reasons.append("\(count(pasidEntries, "PASID entry", "PASID entries")), all sound")
    }
    if soundTables > 0 {
      score += soundTables > 1 ? 30 : 20
      reasons.append(
        "\(count(soundTables, "top page table", "top page tables")) with entries that are "
          + "zero or point into memory")
    } else if tables.isEmpty, passThrough > 0 {
      score += 10
      reasons.append("every context passes through, there is no page table to look at")
    }
    if buses.first == 0 {
      score += 10
    } else {
      reasons.append("bus 0 is missing")
    }
    if missing > 0 {
      score -= 10
      reasons.append("\(count(missing, "table is", "tables are")) not in the dump")
    }
    if unreadTables > 0 {
      reasons.append(
        "\(count(unreadTables, "top page table is", "top page tables are")) not in the dump")
    }
    if copied > 0 {
      reasons.append(
        "\(count(copied, "context is", "contexts are")) marked as taken over from another "
          + "kernel")
    }
    return CarvedRoot(
      address: address, mode: mode, score: max(0, min(100, score)), reasons: reasons,
      buses: buses, sourceIDs: sourceIDs, domainIDs: domainIDs.sorted(),
      tables: tables.sorted(), missingTables: missing + unreadTables,
      copiedContexts: copied)
  }
}
