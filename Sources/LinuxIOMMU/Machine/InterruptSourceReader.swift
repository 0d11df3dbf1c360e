// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import KernelTypes
internal import Memory

/// Reads who may raise remapped interrupts besides PCI functions: I/O APICs and HPETs.
///
/// Source: drivers/iommu/intel/irq_remapping.c, `ir_ioapic` and `ir_hpet`.
///
/// Nothing but the judgement of interrupt entries rests on this, so what cannot be read is no problem
/// to be told.
struct InterruptSourceReader {
  let image: KernelImage

  /// Source ids by the unit that they belong to (`struct intel_iommu`); `nil` where not all of them
  /// can be had.
  func sources() -> [KernelAddress: Set<UInt16>]? {
    var sources: [KernelAddress: Set<UInt16>] = [:]
    // MAX_IO_APICS, MAX_HPET_TBS
    for (symbol, structure, count) in [
      ("ir_ioapic", "ioapic_scope", 128), ("ir_hpet", "hpet_scope", 8),
    ] {
      guard let base = image.symbol(symbol) else { return nil }
      do {
        guard let layout = try image.structure(structure), layout.byteCount > 0 else { return nil }
        for index in 0..<count {
          guard let place = base.advanced(by: UInt64(index * layout.byteCount)) else { return nil }
          let scope = KernelObject(image, layout, at: place)
          let unit = try scope.pointer("iommu")
          guard unit.rawValue != 0 else { continue }
          let bus = UInt16(truncatingIfNeeded: try scope.unsigned("bus") & 0xff)
          let devfn = UInt16(truncatingIfNeeded: try scope.unsigned("devfn") & 0xff)
          sources[unit, default: []].insert(bus << 8 | devfn)
        }
      } catch {
        return nil
      }
    }
    return sources
  }
}
