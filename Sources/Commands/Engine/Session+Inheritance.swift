// SPDX-License-Identifier: Apache-2.0

internal import Inheritance
internal import KernelImage
internal import LinuxIOMMU
internal import Memory

extension Session {
  /// What a forecast needs beyond the state: the crash kernel's memory, the kernel's text, the code
  /// that copies tables, and the bridges above each device.
  func machineFacts(_ kernel: LinuxIOMMU) -> MachineFacts {
    var gaps: [String] = []
    func attempt<T>(_ what: String, _ body: () throws(KernelError) -> T) -> T? {
      do {
        return try body()
      } catch {
        gaps.append("\(what): \(error)")
        return nil
      }
    }
    let traits =
      attempt("the generation of the copying code") { () throws(KernelError) in
        CrashKernelTraits(
          hasFlags: try image.has("intel_iommu", "flags"),
          hasBitmap: try image.has("intel_iommu", "copied_tables"),
          hasIDA: try image.has("intel_iommu", "domain_ida"),
          hasMaximumID: try image.has("intel_iommu", "max_domain_id"))
      } ?? CrashKernelTraits(variant: .v2a, isAmbiguous: true)
    var facts = MachineFacts(memoryFrames: memory.memoryFrames, traits: traits)
    for (symbol, kind) in [
      ("crashk_res", MachineFacts.Reservation.Kind.main), ("crashk_low_res", .low),
    ] {
      guard let address = image.symbol(symbol) else {
        gaps.append("\(symbol): no such symbol; name the reservation with --crash-reservation")
        continue
      }
      if let range = attempt(symbol, { () throws(KernelError) in try resource(at: address) }),
        let range
      {
        facts.reservations.append(.init(kind: kind, range: range))
      }
    }
    facts.reservations +=
      (attempt("crashk_cma_ranges") { () throws(KernelError) in try cmaRanges() } ?? []).map {
        .init(kind: .cma, range: $0)
      }
    if let start = image.symbol("_stext"), let end = image.symbol("_etext"), start < end {
      facts.kernelText =
        attempt("kernel text") { () throws(KernelError) -> ClosedRange<UInt64>? in
          let first = try image.reader.physical(start).rawValue
          guard let length = end.distance(from: start),
            let last = PhysicalAddress(first).advanced(by: length - 1)
          else { return nil }
          return first...last.rawValue
        } ?? nil
    }
    for device in kernel.devices {
      guard let function = device.name.function else { continue }
      facts.bridges[function] = device.bridges
      // PCI_BASE_CLASS_DISPLAY
      if device.classCode.map({ $0 >> 16 == 3 }) == true { facts.displays.insert(function) }
    }
    facts.gaps = gaps
    return facts
  }

  /// A `struct resource`; `nil` for one that is not set.
  private func resource(at address: KernelAddress) throws(KernelError) -> ClosedRange<UInt64>? {
    let resource = try image.object("resource", at: address)
    let start = try resource.unsigned("start")
    let end = try resource.unsigned("end")
    return end > start ? start...end : nil
  }

  /// Since Linux commit ab475510e042 ("kdump: implement reserve_crashkernel_cma") (in v6.17):
  /// an array of `struct range` with inclusive ends.
  private func cmaRanges() throws(KernelError) -> [ClosedRange<UInt64>] {
    guard let base = image.symbol("crashk_cma_ranges"),
      let count: UInt32 = try image.variable("crashk_cma_cnt")
    else { return [] }
    var ranges: [ClosedRange<UInt64>] = []
    // CRASHKERNEL_CMA_RANGES_MAX is 4.
    for index in 0..<UInt64(min(count, 64)) {
      guard let place = base.advanced(by: index * 16), let next = place.advanced(by: 8) else {
        break
      }
      let start: UInt64 = try image.reader.littleEndian(at: place)
      let end: UInt64 = try image.reader.littleEndian(at: next)
      if start < end { ranges.append(start...end) }
    }
    return ranges
  }
}
