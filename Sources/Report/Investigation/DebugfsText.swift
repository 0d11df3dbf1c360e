// SPDX-License-Identifier: Apache-2.0

public import Investigation
import LinuxIOMMU
import Memory
import RemappingState
import VTd

/// What the kernel's own debugfs files would print, byte for byte, from a dump.
///
/// Registers are in no dump: where the kernel prints the queue's head and tail, a question mark
/// stands. A page that the dump lacks is a line that starts with `#`.
///
/// Source: drivers/iommu/intel/debugfs.c.
public struct DebugfsText {
  public let evidence: DumpEvidence
  public var format: Format

  /// The files that can be printed.
  public enum File: String, CaseIterable, Sendable {
    case dmarTranslation = "dmar_translation_struct"
    case domainTranslation = "domain_translation_struct"
    case interruptRemapping = "ir_translation_struct"
    case invalidationQueue = "invalidation_queue"
  }

  /// How a kernel prints domains.
  public enum Format: Sendable {
    /// Up to 5.14: PASIDs in the device line, every domain of a group's devices.
    case withPASID
    /// Up to 6.7: one file, one table per device of the bus, that of its group's first device.
    case oneFile
    /// Since 6.8: one file per device.
    case filePerDevice
  }

  public init(_ evidence: DumpEvidence) {
    self.evidence = evidence
    format = Format(release: evidence.state.dump.release)
  }

  public func write(_ file: File, to sink: any ByteSink) throws(OutputError) {
    let output = TextBuffer(sink)
    switch file {
    case .dmarTranslation: try writeTranslation(to: output)
    case .domainTranslation: try writeDomains(to: output)
    case .interruptRemapping: try writeInterrupts(to: output)
    case .invalidationQueue: try writeQueues(to: output)
    }
    try output.flush()
  }

  /// The units that the kernel goes through: those in use.
  private var units: [Unit] {
    let active = evidence.state.units.filter { $0.ignored != true && $0.rootTable != nil }
    // In the order of the kernel's list.
    guard let kernel = evidence.kernel?.structures else { return active }
    let order = Dictionary(
      kernel.units.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    return active.sorted { order[$0.name] ?? .max < order[$1.name] ?? .max }
  }

  // MARK: dmar_translation_struct

  private func writeTranslation(to output: TextBuffer) throws(OutputError) {
    for unit in units {
      guard unit.translationEnabled != false else {
        try output.write("DMA Remapping is not enabled on \(unit.name)\n")
        continue
      }
      guard let tables = evidence.tables(of: unit) else { continue }
      try output.write("IOMMU \(unit.name): Root Table Address: \(tables.rootTable)\n")
      try output.write(
        "B.D.F\tRoot_entry\t\t\t\tContext_entry\t\t\t\tPASID\tPASID_table_entry\n")
      guard let root = try? evidence.memory.pageOrAssumedZero(tables.rootTable.frame).page else {
        try output.write("# root table at \(tables.rootTable) is not in the dump\n\n")
        continue
      }
      for bus in 0..<256 {
        try writeBus(UInt8(bus), root: root, tables, to: output)
      }
      try output.write("\n")
    }
  }

  private func writeBus(
    _ bus: UInt8, root: Page, _ tables: TranslationTables, to output: TextBuffer
  ) throws(OutputError) {
    let low = root[word: 2 * Int(bus)]
    let high = root[word: 2 * Int(bus) + 1]
    let isScalable = tables.mode == .scalable
    for half in 0..<2 {
      let word = isScalable && half == 1 ? high : low
      // The kernel gives up on a bus at the first half that is not there.
      guard word & 1 != 0 else { return }
      let address = PhysicalAddress(word & ~0xfff)
      guard let page = try? evidence.memory.pageOrAssumedZero(address.frame).page else {
        try output.write("# context table at \(address) is not in the dump\n")
        continue
      }
      for slot in 0..<128 {
        let devfn = UInt8(half << 7 | slot)
        let first = isScalable ? 4 * slot : 2 * Int(devfn)
        let contextLow = page[word: first]
        guard contextLow & 1 != 0 else { continue }
        let line =
          Self.function(bus, devfn) + "\t" + Self.pair(high, low) + "\t"
          + Self.pair(page[word: first + 1], contextLow) + "\t"
        guard isScalable else {
          try output.write(line + "-1    \t" + Self.triple(0, 0, 0) + "\n")
          continue
        }
        let context = ScalableContextEntry(page: page, word: first)
        try writePASIDs(of: context, line: line, to: output)
      }
    }
  }

  private func writePASIDs(
    of context: ScalableContextEntry, line: String, to output: TextBuffer
  ) throws(OutputError) {
    let count = context.pasidDirectoryEntryCount
    for first in stride(from: 0, to: count, by: Page.wordCount) {
      guard let base = context.pasidDirectory.advanced(by: UInt64(first) * 8),
        let page = try? evidence.memory.pageOrAssumedZero(base.frame).page
      else {
        try output.write("# PASID directory at \(context.pasidDirectory) is not in the dump\n")
        return
      }
      for index in 0..<min(Page.wordCount, count - first) {
        let entry = PASIDDirectoryEntry(rawValue: page[word: index])
        guard entry.isPresent else { continue }
        guard let table = try? evidence.memory.pageOrAssumedZero(entry.pasidTable.frame).page else {
          try output.write("# PASID table at \(entry.pasidTable) is not in the dump\n")
          continue
        }
        for slot in 0..<64 where table[word: 8 * slot] & 1 != 0 {
          let pasid = String((first + index) * 64 + slot)
          try output.write(
            line + pasid + String(repeating: " ", count: max(0, 6 - pasid.count)) + "\t"
              + Self.triple(
                table[word: 8 * slot + 2], table[word: 8 * slot + 1], table[word: 8 * slot])
              + "\n")
        }
      }
    }
  }

  // MARK: domain_translation_struct

  /// What the kernel calls a device's domain: its top table and levels.
  private struct DomainTable {
    var table: PhysicalAddress
    var levels: Int
  }

  private func writeDomains(to output: TextBuffer) throws(OutputError) {
    // The order of the bus is that of discovery, which is by number.
    for device in evidence.state.devices {
      guard case .pci = device.device, let group = device.group else { continue }
      switch format {
      case .withPASID, .oneFile:
        // The domain of the group's first device stands for all.
        let first = evidence.state.devices.first { $0.group == group } ?? device
        guard let domain = domainTable(of: first) else { continue }
        let pasid = format == .withPASID ? " with pasid 0" : ""
        try output.write("Device \(first.device)\(pasid) @\(domain.table)\n")
        try output.write("IOVA_PFN\t\tPML5E\t\t\tPML4E\t\t\tPDPE\t\t\tPDE\t\t\tPTE\n")
        try writeTable(domain, to: output)
        try output.write("\n")
      case .filePerDevice:
        guard let domain = domainTable(of: device) else { continue }
        try output.write("Device \(device.device) @\(domain.table)\n")
        try output.write(
          Self.column("IOVA_PFN", 17) + "\t" + Self.column("PML5E", 18) + "\t"
            + Self.column("PML4E", 18) + "\t" + Self.column("PDPE", 18) + "\t"
            + Self.column("PDE", 18) + "\t" + Self.column("PTE", 18) + "\n")
        try writeTable(domain, to: output)
        try output.write("\n")
      }
    }
  }

  private func domainTable(of device: Device) -> DomainTable? {
    if let object = device.domain,
      let domain = evidence.kernel?.structures.domains.first(where: { $0.kernelObject == object })
    {
      return domain.table.flatMap { table in
        domain.levels.map { DomainTable(table: table, levels: $0) }
      }
    }
    guard let function = device.device.function,
      let context = evidence.state.contexts.first(where: {
        $0.device == function && $0.servesRequestsWithoutPASID
      }), let table = context.table, let levels = context.levels
    else { return nil }
    return DomainTable(table: table, levels: levels)
  }

  private func writeTable(_ domain: DomainTable, to output: TextBuffer) throws(OutputError) {
    var path = [UInt64](repeating: 0, count: 6)
    var budget = 1 << 20
    try writeLevel(
      domain.table, level: domain.levels, start: 0, path: &path, budget: &budget, to: output)
  }

  /// As the kernel walks: every entry with a right counts, whatever else is in it.
  private func writeLevel(
    _ table: PhysicalAddress, level: Int, start: UInt64, path: inout [UInt64],
    budget: inout Int, to output: TextBuffer
  ) throws(OutputError) {
    guard (1...5).contains(level), budget > 0 else { return }
    budget -= 1
    guard let page = try? evidence.memory.pageOrAssumedZero(table.frame).page else {
      try output.write("# page table at \(table) is not in the dump\n")
      return
    }
    let shift = UInt64(PagingRules.shift(level: level))
    for index in 0..<Page.wordCount {
      let word = page[word: index]
      guard word & 3 != 0 else { continue }
      let iova = start &+ UInt64(index) << shift
      path[level] = word
      if word & 0x80 != 0 || level == 1 {
        try writeLeaf(iova >> 12, path, level: level, to: output)
      } else {
        try writeLevel(
          PhysicalAddress(word & 0xf_ffff_ffff_f000), level: level - 1, start: iova, path: &path,
          budget: &budget, to: output)
      }
      path[level] = 0
    }
  }

  private func writeLeaf(
    _ page: UInt64, _ path: [UInt64], level: Int, to output: TextBuffer
  ) throws(OutputError) {
    var line = "0x" + Self.hex(page, 13) + " |"
    // The newer format ends a line at the leaf.
    let last = format == .filePerDevice ? min(level, 3) : 1
    for level in stride(from: 5, through: last, by: -1) { line += "\t0x" + Self.hex(path[level]) }
    try output.write(line + "\n")
  }

  // MARK: ir_translation_struct

  private func writeInterrupts(to output: TextBuffer) throws(OutputError) {
    for unit in units where ExtendedCapability(unit.extendedCapability.rawValue).interruptRemapping
    {
      try output.write("Remapped Interrupt supported on IOMMU: \(unit.name)\n")
      if let table = unit.interruptRemapping?.table, unit.interruptRemappingEnabled != false {
        try output.write(" IR table address:" + String(table.rawValue, radix: 16) + "\n")
        try output.write(" Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low\n")
        try writeEntries(of: unit, posted: false, to: output)
      } else {
        try output.write("Interrupt Remapping is not enabled\n")
      }
      try output.write("\n")
    }
    try output.write("****\n\n")
    for unit in units where Capability(unit.capability.rawValue).postedInterrupts {
      try output.write("Posted Interrupt supported on IOMMU: \(unit.name)\n")
      if let table = unit.interruptRemapping?.table {
        try output.write(" IR table address:" + String(table.rawValue, radix: 16) + "\n")
        try output.write(" Entry SrcID   PDA_high PDA_low  Vct IRTE_high\t\tIRTE_low\n")
        try writeEntries(of: unit, posted: true, to: output)
      } else {
        try output.write("Interrupt Remapping is not enabled\n")
      }
      try output.write("\n")
    }
  }

  private func writeEntries(
    of unit: Unit, posted: Bool, to output: TextBuffer
  ) throws(OutputError) {
    var lines: [String] = []
    let missing = TableLister(evidence).forEachInterrupt(of: unit) { index, entry, _ in
      guard entry.isPosted == posted else { return }
      let low = entry.words[0]
      let high = entry.words[1]
      let source = UInt16(truncatingIfNeeded: high)
      var line =
        " " + Self.column("\(index)", 5) + " "
        + Self.function(UInt8(source >> 8), UInt8(truncatingIfNeeded: source)) + " "
      if posted {
        // The kernel shifts the 26 bits of the lower half as a 32-bit number.
        line += Self.hex(high >> 32, 8) + " " + Self.hex((low >> 38) << 6 & 0xffff_ffff, 8)
      } else {
        line += Self.hex(low >> 32, 8)
      }
      line += " " + Self.hex(low >> 16 & 0xff, 2) + "  " + Self.hex(high) + "\t" + Self.hex(low)
      lines.append(line + "\n")
    }
    try output.write(lines.joined())
    if missing > 0 { try output.write("# \(missing) pages of the table are not in the dump\n") }
  }

  // MARK: invalidation_queue

  private func writeQueues(to output: TextBuffer) throws(OutputError) {
    for unit in units {
      guard let queue = unit.invalidationQueue, let base = queue.base,
        queue.descriptorSize == 16 || queue.descriptorSize == 32,
        ExtendedCapability(unit.extendedCapability.rawValue).queuedInvalidation
      else { continue }
      let status =
        evidence.kernel?.structures.units.first { $0.name == unit.name }?.invalidationQueue?.status
      try output.write("Invalidation queue on IOMMU: \(unit.name)\n")
      try output.write(" Base: \(base)\tHead: ?\tTail: ?\n")
      let words = queue.descriptorSize / 8
      try output.write(
        words == 4
          ? "Index\t\tqw0\t\t\tqw1\t\t\tqw2\t\t\tqw3\t\t\tstatus\n"
          : "Index\t\tqw0\t\t\tqw1\t\t\tstatus\n")
      for index in 0..<max(0, min(queue.entries, 4096)) {
        guard let address = base.advanced(by: UInt64(index * queue.descriptorSize)),
          address.pageOffset + queue.descriptorSize <= Page.size,
          let page = try? evidence.memory.pageOrAssumedZero(address.frame).page
        else {
          try output.write("# descriptor \(index) is not in the dump\n")
          continue
        }
        let number = String(index)
        var line = String(repeating: " ", count: max(0, 5 - number.count)) + number
        for word in 0..<words {
          line += "\t" + Self.hex(page[word: address.pageOffset / 8 + word])
        }
        let state = status.flatMap { index < $0.count ? Self.hex(UInt64($0[index])) : nil }
        try output.write(line + "\t" + (state ?? "?") + "\n")
      }
      try output.write("\n")
    }
  }

  // MARK: The kernel's number formats

  private static func hex(_ value: UInt64, _ width: Int = 16) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  private static func pair(_ high: UInt64, _ low: UInt64) -> String {
    "0x\(hex(high)):0x\(hex(low))"
  }

  private static func triple(_ high: UInt64, _ middle: UInt64, _ low: UInt64) -> String {
    "0x\(hex(high)):0x\(hex(middle)):0x\(hex(low))"
  }

  private static func function(_ bus: UInt8, _ devfn: UInt8) -> String {
    hex(UInt64(bus), 2) + ":" + hex(UInt64(devfn >> 3), 2) + ".\(devfn & 7)"
  }

  /// Padded on the right, as `%-5d` does.
  private static func column(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}

extension DebugfsText.Format {
  /// The format that a kernel of this release prints; the newest one if that is not known.
  ///
  /// A text format leaves no trace in types or symbols, so the release has to tell.
  init(release: String?) {
    let parts = (release ?? "").split(whereSeparator: { !$0.isNumber }).prefix(2).map {
      Int($0) ?? 0
    }
    guard parts.count == 2 else {
      self = .filePerDevice
      return
    }
    switch (parts[0], parts[1]) {
    case (...4, _), (5, ...14): self = .withPASID
    case (5, _), (6, ...7): self = .oneFile
    default: self = .filePerDevice
    }
  }
}
