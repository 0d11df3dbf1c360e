// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory
internal import RemappingState

/// The driver's own flush queues: ranges that are unmapped and wait for one invalidation together.
///
/// Up to Linux v4.6 `deferred_flush` points to an array of `struct deferred_flush_tables`, one for
/// each unit, whose entries are the `struct iova`s themselves. From v4.7 to v4.13 it is a per-CPU
/// `struct deferred_flush_data` that points to such an array, and entries hold page numbers. All
/// entries before `next` are outstanding. Later kernels have queues in the allocator.
///
/// Source: drivers/iommu/intel-iommu.c, functions `add_unmap` and `flush_unmaps`.
struct PendingFlushes {
  /// Start numbers of the ranges in the queues, by `struct dmar_domain`.
  private(set) var ranges: [KernelAddress: Set<UInt64>] = [:]
  /// Whether all of the queues were read.
  private(set) var isComplete = true

  /// - Parameter cpus: numbers of all CPUs; `nil` if not known.
  init(_ image: KernelImage, _ log: ProblemLog, cpus: [Int]?) {
    let problems = log.count
    defer { if log.count > problems { isComplete = false } }
    _ = log.attempt(.deferredFlush) { () throws(KernelError) in
      guard let symbol = image.symbol("deferred_flush") else { return }
      let isPerCPU: Bool
      if try image.structure("deferred_flush_data") != nil {
        isPerCPU = true
      } else if try image.structure("deferred_flush_tables") != nil {
        isPerCPU = false
      } else {
        return
      }
      let count = Int(clamping: try image.variable("g_num_of_iommus") ?? Int32(0))
      // DMAR_UNITS_SUPPORTED
      guard (0...1024).contains(count) else {
        throw KernelError(
          at: symbol, .malformed("g_num_of_iommus is \(count), more than 1024 units"))
      }
      guard isPerCPU else {
        let array = KernelAddress(try image.reader.littleEndian(at: symbol))
        read(array, of: "deferred_flush_tables", count, image, log)
        return
      }
      if cpus == nil { isComplete = false }
      for cpu in cpus ?? [] {
        let tables = log.attempt(.deferredFlush) { () throws(KernelError) in
          try image.object("deferred_flush_data", at: try image.perCPU(symbol, cpu: cpu))
            .pointer("tables")
        }
        if let tables { read(tables, of: "deferred_flush_table", count, image, log) }
      }
    }
  }

  /// Reads one table for each unit.
  private mutating func read(
    _ array: KernelAddress, of name: String, _ count: Int, _ image: KernelImage, _ log: ProblemLog
  ) {
    guard array.rawValue != 0 else { return }
    for unit in 0..<count {
      _ = log.attempt(.deferredFlush) { () throws(KernelError) in
        let layout = try image.requiredStructure(name)
        let table = KernelObject(
          image, layout,
          at: KernelAddress(
            array.rawValue &+ UInt64(unit) &* UInt64(clamping: layout.byteCount)))
        let isFlat = layout.has("iova")
        let capacity = try table.arrayCount(isFlat ? "iova" : "entries")
        let next = try table.count("next", limit: capacity)
        try image.spend(next, at: table.address)
        for slot in 0..<next {
          _ = log.attempt(.deferredFlush) { () throws(KernelError) in
            if isFlat {
              let range = try image.object(
                "iova", at: KernelAddress(try table.element("iova", slot)))
              add(try range.unsigned("pfn_lo"), try table.element("domain", slot))
            } else {
              let entries = try table.address(of: "entries")
              let element = try image.requiredStructure("deferred_flush_entry")
              let entry = KernelObject(
                image, element,
                at: KernelAddress(
                  entries.rawValue &+ UInt64(slot) &* UInt64(clamping: element.byteCount)))
              add(try entry.unsigned("iova_pfn"), try entry.unsigned("domain"))
            }
          }
        }
      }
    }
  }

  private mutating func add(_ start: UInt64, _ domain: UInt64) {
    ranges[KernelAddress(domain), default: []].insert(start)
  }
}
