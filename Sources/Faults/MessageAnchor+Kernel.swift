// SPDX-License-Identifier: Apache-2.0

internal import Memory

extension MessageAnchor {
  /// What a kernel says of units that were on when it started.
  ///
  /// Source: drivers/iommu/intel/iommu.c, init_dmars; irq_remapping.c, intel_setup_irq_remapping.
  static let takeovers: [MessageAnchor] = [
    takeover("Translation already enabled - trying to copy", .copying),
    takeover("Copied translation tables from previous kernel", .copied),
    takeover("Failed to copy translation tables from previous kernel", .copyFailed),
    takeover("Translation was enabled for", .notCrashKernel),
    takeover("Copied IR table for", .interruptsCopied),
    takeover("Failed to copy IR table for", .interruptsCopyFailed),
    takeover("IRQ remapping was enabled on", .interruptsNotCrashKernel),
  ]

  private static func takeover(_ words: String, _ kind: UnitMessage.Takeover) -> MessageAnchor {
    .init(
      words,
      .unit { scanner, text, head in
        // The subsystem's tag keeps prose out.
        guard isTagged(text, head) || contains("DMAR", text, head) else { return nil }
        scanner.skipLine()
        return .takeover(kind)
      })
  }

  /// A driver was told that a device may not have the domain it was to get.
  ///
  /// Source: drivers/iommu/intel/iommu.c, intel_iommu_attach_device (up to 6.5); drivers/iommu/iommu.c,
  /// __iommu_group_set_domain_internal (since 6.6).
  static let boundRegions: [MessageAnchor] = [
    .init("Device is ineligible for IOMMU domain attach due to platform RMRR", boundRegion),
    .init("Firmware has requested this device have a 1:1 IOMMU mapping", boundRegion),
  ]

  private static let boundRegion = Form.unit { scanner, text, head in
    scanner.skipLine()
    // `vfio-pci 0000:03:00.0: ` stands in front of it.
    let words = String(decoding: text.bytes[head], as: UTF8.self).split(separator: " ")
    let device = words.last.flatMap { PCIFunction(String($0.last == ":" ? $0.dropLast() : $0)) }
    return .regionBinds(device)
  }
}
