// SPDX-License-Identifier: Apache-2.0

internal import Algorithms
internal import Evidence
internal import KernelImage
internal import Memory
internal import RemappingState
internal import Translation
internal import VTd

/// Everything that the rules about refused requests look at.
struct FaultFacts {
  let evidence: DumpEvidence
  let fault: FaultLine
  let translation: AddressTranslation
  /// Where the way to the address space ended; `nil` if no unit has tables for the device.
  let ending: ContextEnding?
  let unit: Unit?
  let domain: Domain?
  let result: FaultExplanation
  /// Whether the line is said to be the crash kernel's.
  var isOfCrashKernel = false
  /// That the crashed kernel's log should hold the line, and does not: why; `nil` otherwise.
  var absentFromLog: String?

  /// Whether the request went into the interrupt window, which is never translated.
  var isInInterruptWindow: Bool {
    0xfee0_0000...0xfeef_ffff ~= fault.value && fault.pasid == nil
  }

  /// What the number is as an address of the kernel, if it is one: `the kernel's address of physical
  /// 0x12345000`.
  var kernelPointer: String? {
    // With an upper half of ones it rather is a small number that was extended with its sign.
    guard let image = evidence.kernel?.image,
      fault.value >> 47 == 0x1_ffff || fault.value >> 56 == 0xff, fault.value >> 32 != 0xffff_ffff
    else { return nil }
    let address = KernelAddress(fault.value)
    if let physical = image.reader.space.linear(address) {
      return "the kernel's own address of physical \(physical)"
    }
    guard let physical = try? image.reader.space.translate(address, in: evidence.memory) else {
      return "an address out of the kernel's half, which this kernel does not map"
    }
    return "an address that the kernel maps for itself, to physical \(physical)"
  }

  var family: FaultFamily { fault.reason?.family ?? .other }
  var page: UInt64 { fault.value & ~0xfff }
  var isMapped: Bool { translation.outcome == .mapped }
  var isPassThrough: Bool { translation.outcome == .passThrough }
  var isUnknown: Bool {
    translation.outcome == .unknown || translation.outcome == .unreadable
  }
  /// Whether the tables of the dump refuse any request for the address.
  var isRefused: Bool { translation.outcome.isRefused }

  /// Whether the way leads to page tables that are walked.
  var reachesPageTables: Bool { domain != nil && ending?.isOpen == true && !isPassThrough }

  /// The page tables have nothing for the address.
  var isHole: Bool { reachesPageTables && isRefused }

  var verb: String { fault.kind == .read ? "read" : "wrote" }

  /// The allocator's node that holds the address.
  var node: IOVARange? { domain?.iova.flatMap { Self.node($0.allocated, fault.value) } }

  /// The allocator, of which all could be read, knows nothing of the address, or there is none.
  var isFree: Bool {
    guard let space = domain?.iova else { return true }
    return node == nil && space.unallocated != nil
  }

  /// The node holds the address for nobody: a host bridge's window, the MSI window, a region.
  var isSetAside: Bool { node?.state == .reserved }

  static func node(_ nodes: [IOVARange], _ address: UInt64) -> IOVARange? {
    let next = nodes.partitioningIndex { $0.start.rawValue > address }
    guard next > 0, nodes[next - 1].end.rawValue >= address else { return nil }
    return nodes[next - 1]
  }

  // MARK: Buffers

  /// Addresses that a driver mapped at once.
  struct Buffer {
    var first: UInt64
    /// Inclusive.
    var last: UInt64
    /// The last byte that is mapped.
    var lastMapped: UInt64

    var length: UInt64 { last - first + 1 }
    var name: String { "\(IOVirtualAddress(first)) to \(IOVirtualAddress(lastMapped))" }
  }

  /// The buffer that a mapped address belongs to: the allocator's node around it, else the run.
  ///
  /// - Returns: `nil` for regions of firmware and other fixed ranges, which nobody runs over.
  func buffer(around address: UInt64, in run: Run) -> Buffer? {
    guard let runLast = Self.last(run) else { return nil }
    let isRegion = evidence.state.reservedRegions.contains {
      $0.base.rawValue <= address && address <= $0.end.rawValue
    }
    guard !isRegion else { return nil }
    guard let allocated = domain?.iova?.allocated else {
      return Buffer(first: run.iova.rawValue, last: runLast, lastMapped: runLast)
    }
    guard let node = Self.node(allocated, address), node.state != .reserved else { return nil }
    return Buffer(
      first: node.start.rawValue, last: node.end.rawValue,
      lastMapped: lastMapped(in: node) ?? node.start.rawValue)
  }

  /// The last mapped byte of a node; `nil` if nothing of it is mapped.
  func lastMapped(in node: IOVARange) -> UInt64? {
    guard let run = runs(upTo: node.end.rawValue).last, let last = Self.last(run),
      last >= node.start.rawValue
    else { return nil }
    return min(last, node.end.rawValue)
  }

  /// The first mapped byte of a node; `nil` if nothing of it is mapped.
  func firstMapped(in node: IOVARange) -> UInt64? {
    let runs = domain?.mapping?.runs ?? []
    let before = self.runs(upTo: node.start.rawValue)
    if let last = before.last.flatMap(Self.last), last >= node.start.rawValue {
      return node.start.rawValue
    }
    guard before.endIndex < runs.count else { return nil }
    let next = runs[before.endIndex].iova.rawValue
    return next <= node.end.rawValue ? next : nil
  }

  private func runs(upTo address: UInt64) -> ArraySlice<Run> {
    let runs = domain?.mapping?.runs ?? []
    return runs[..<runs.partitioningIndex { $0.iova.rawValue > address }]
  }

  /// The last byte of a run; `nil` for an empty one.
  static func last(_ run: Run) -> UInt64? {
    guard run.length.rawValue > 0 else { return nil }
    let (last, overflow) = run.iova.rawValue.addingReportingOverflow(run.length.rawValue - 1)
    return overflow ? nil : last
  }

  // MARK: Width

  /// How many bits of the address are translated, and by what they are bounded; `nil` if unknown.
  var width: (bits: Int, by: String)? {
    let unitBits = unit?.knownCapabilities?.capability.maximumGuestAddressWidth
    guard let path = ending?.openPath, path.kind == .secondStage, let levels = path.levels,
      (1...6).contains(levels)
    else { return unitBits.map { ($0, "the unit translates (MGAW)") } }
    let tableBits = 12 + 9 * levels
    if let unitBits, unitBits < tableBits { return (unitBits, "the unit translates (MGAW)") }
    return (tableBits, "the device's tables of \(levels) levels translate")
  }

  /// Whether the address has more bits than are translated.
  var isBeyondWidth: Bool {
    if let path = ending?.openPath, path.kind == .firstStage || path.kind == .nested {
      guard let levels = path.levels, (4...5).contains(levels) else { return false }
      let upper = Int64(bitPattern: fault.value) >> Int64(12 + 9 * levels - 1)
      return upper != 0 && upper != -1
    }
    guard let width, width.bits < 64 else { return false }
    return fault.value >> UInt64(width.bits) != 0
  }
}

extension ContextEnding {
  /// The path of requests that go on to an address space; `nil` where an entry refuses them.
  var openPath: ContextPath? {
    guard case .path(let path) = self, path.refusal == nil else { return nil }
    return path
  }

  var isOpen: Bool { openPath != nil }
}
