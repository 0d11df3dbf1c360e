// SPDX-License-Identifier: Apache-2.0

internal import Memory
public import Translation
internal import VTd

/// What the kernel's own debugfs files would print, byte for byte.
///
/// Registers are in no dump: where the kernel prints the queue's head and tail, a question mark
/// stands. A page that the dump lacks is a line that starts with `#`.
///
/// Source: drivers/iommu/intel/debugfs.c.
public struct DebugfsText {
  private let generation: DebugfsGeneration
  private let output: TextBuffer

  /// - Parameter generation: of the kernel whose form the lines have.
  public init(_ generation: DebugfsGeneration, to sink: any ByteSink) {
    self.generation = generation
    output = TextBuffer(sink)
  }

  /// Adds one row of a file.
  public func write(_ row: DebugfsRow) throws(OutputError) {
    try output.write(text(row))
  }

  /// Hands on what is still in the buffer.
  public func finish() throws(OutputError) {
    try output.flush()
  }

  private func text(_ row: DebugfsRow) -> String {
    switch row {
    case .translationOff(let unit): "DMA Remapping is not enabled on \(Self.name(unit))\n"
    case .contexts(let unit, let rootTable):
      "IOMMU \(Self.name(unit)): Root Table Address: \(rootTable)\n"
        + "B.D.F\tRoot_entry\t\t\t\tContext_entry\t\t\t\tPASID\tPASID_table_entry\n"
    case .context(let context): Self.text(context)
    case .domain(let device, let pasid, let table):
      heading(Self.name("\(device)"), pasid: pasid, table: "\(table)")
    case .leaf(let leaf): text(leaf)
    case .interrupts(let unit, let isPosted, let table):
      Self.heading(interruptsOf: Self.name(unit), isPosted: isPosted, table: table?.rawValue)
    case .interrupt(let index, let entry):
      Self.text(index, low: entry.words[0], high: entry.words[1], isPosted: entry.isPosted)
    case .interruptsDivider: "****\n\n"
    case .queue(let unit, let base, let words):
      "Invalidation queue on IOMMU: \(Self.name(unit))\n Base: \(base)\tHead: ?\tTail: ?\n"
        + (words == 4
          ? "Index\t\tqw0\t\t\tqw1\t\t\tqw2\t\t\tqw3\t\t\tstatus\n"
          : "Index\t\tqw0\t\t\tqw1\t\t\tstatus\n")
    case .descriptor(let index, let words, let status):
      Self.right("\(index)", 5) + words.map { "\t" + Self.hex($0) }.joined() + "\t"
        + (status.map { Self.hex(UInt64($0)) } ?? "?") + "\n"
    case .missing(let gap): Self.text(gap)
    case .end: "\n"
    }
  }

  /// A name out of the dump, as nothing that a terminal would obey; plain ones stay as they are.
  private static func name(_ text: String) -> String { Escaping.terminal(text) }

  // MARK: Contexts

  private static func text(_ context: DebugfsRow.Context) -> String {
    let line =
      function(context.bus, context.devfn) + "\t" + pair(context.root.high, context.root.low) + "\t"
      + pair(context.entry.high, context.entry.low) + "\t"
    guard let (number, words) = context.pasid else {
      return line + "-1    \t" + triple(0, 0, 0) + "\n"
    }
    return line + column("\(number)", 6) + "\t" + triple(words.2, words.1, words.0) + "\n"
  }

  // MARK: Domains

  private func heading(_ device: String, pasid: UInt32?, table: String) -> String {
    let number = pasid.map {
      " with pasid " + String($0, radix: generation == .filePerSpace ? 16 : 10)
    }
    return "Device \(device)\(number ?? "") @\(table)\n"
      + (generation == .filePerSpace ? Self.columns : Self.oldColumns)
  }

  /// The last column is not padded.
  private static let columns =
    column("IOVA_PFN", 17) + "\t"
    + ["PML5E", "PML4E", "PDPE", "PDE"].map { column($0, 18) + "\t" }.joined() + "PTE\n"

  private static let oldColumns = "IOVA_PFN\t\tPML5E\t\t\tPML4E\t\t\tPDPE\t\t\tPDE\t\t\tPTE\n"

  private func text(_ leaf: DebugfsRow.Leaf) -> String {
    var line = "0x" + Self.hex(leaf.page, 13) + " |"
    // The newer format ends a line at the leaf.
    let last = generation == .filePerSpace ? min(leaf.level, 3) : 1
    for level in stride(from: 5, through: last, by: -1) where level < leaf.path.count {
      line += "\t0x" + Self.hex(leaf.path[level])
    }
    return line + "\n"
  }

  // MARK: Interrupts

  private static func heading(interruptsOf unit: String, isPosted: Bool, table: UInt64?) -> String {
    let kind = isPosted ? "Posted" : "Remapped"
    let columns =
      isPosted
      ? " Entry SrcID   PDA_high PDA_low  Vct IRTE_high\t\tIRTE_low\n"
      : " Entry SrcID   DstID    Vct IRTE_high\t\tIRTE_low\n"
    return "\(kind) Interrupt supported on IOMMU: \(unit)\n"
      + (table.map { " IR table address:" + String($0, radix: 16) + "\n" + columns }
        ?? "Interrupt Remapping is not enabled\n")
  }

  private static func text(_ index: Int, low: UInt64, high: UInt64, isPosted: Bool) -> String {
    let source = UInt16(truncatingIfNeeded: high)
    let destination =
      isPosted
      // The kernel shifts the 26 bits of the lower half as a 32-bit number.
      ? hex(high >> 32, 8) + " " + hex((low >> 38) << 6 & 0xffff_ffff, 8) : hex(low >> 32, 8)
    return " " + column("\(index)", 5) + " "
      + function(UInt8(source >> 8), UInt8(truncatingIfNeeded: source)) + " " + destination + " "
      + hex(low >> 16 & 0xff, 2) + "  " + hex(high) + "\t" + hex(low) + "\n"
  }

  // MARK: Gaps

  private static func text(_ gap: DebugfsRow.Gap) -> String {
    switch gap {
    case .rootTable(let address): "# root table at \(address) is not in the dump\n"
    case .contextTable(let address): "# context table at \(address) is not in the dump\n"
    case .pasidDirectory(let address): "# PASID directory at \(address) is not in the dump\n"
    case .pasidTable(let address): "# PASID table at \(address) is not in the dump\n"
    case .pageTable(let address): "# page table at \(address) is not in the dump\n"
    case .rest(let address):
      "# the rest below \(address) was not looked at: the run's limit of table entries is reached"
        + " (--max-entries)\n"
    case .interruptPages(let count): "# \(count) pages of the table are not in the dump\n"
    case .descriptor(let index): "# descriptor \(index) is not in the dump\n"
    }
  }

  // MARK: The kernel's number formats

  private static func hex(_ value: UInt64, _ width: Int = 16) -> String {
    right(String(value, radix: 16), width, filler: "0")
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

  private static func right(_ text: String, _ width: Int, filler: String = " ") -> String {
    String(repeating: filler, count: max(0, width - text.utf8.count)) + text
  }
}
