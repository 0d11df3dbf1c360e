// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Memory
internal import RemappingState

/// Messages that tell how a kernel came to terms with what it found.
extension UnitExplainer {
  /// Source: drivers/iommu/intel/iommu.c, init_dmars and copy_translation_tables; irq_remapping.c.
  func explain(_ takeover: UnitMessage.Takeover, _ result: inout UnitExplanation) {
    result.kind = .takeover
    result.next = "iommuscope inherit tells what a crash kernel takes over from this dump"
    switch takeover {
    case .copying:
      result.meaning =
        "the unit translated when this kernel started: a crash kernel speaks here, and sets out to "
        + "copy the tables of the kernel before it"
    case .copied:
      result.meaning =
        "a crash kernel took the tables over: devices go on by the old page tables until their "
        + "drivers attach them anew"
    case .copyFailed:
      result.severity = .error
      result.meaning =
        "a crash kernel could not take the tables over and begins with an empty root: every request "
        + "is refused until the device's driver attaches it"
    case .notCrashKernel:
      result.meaning =
        "the unit translated when this kernel started, which is no crash kernel: firmware or a kexec "
        + "left it on. The kernel switched it off and began anew"
      result.next = nil
    case .interruptsCopied:
      result.meaning =
        "a crash kernel took the interrupt remapping table over: interrupts of the old kernel still "
        + "find their entries"
    case .interruptsCopyFailed:
      result.severity = .error
      result.meaning =
        "a crash kernel could not take the interrupt remapping table over: interrupts that were set "
        + "up before are refused"
    case .interruptsNotCrashKernel:
      result.meaning =
        "the unit remapped interrupts when this kernel started, which is no crash kernel: firmware or "
        + "a kexec left it on. The kernel switched it off and began anew"
      result.next = nil
    }
  }

  func explainBoundRegion(_ device: PCIFunction?, _ result: inout UnitExplanation) {
    result.kind = .firmware
    result.severity = .warning
    result.device = device
    result.meaning =
      "firmware keeps a region mapped for the device (RMRR), so the kernel refuses it a domain of its "
      + "own: the device cannot be given to a virtual machine"
    guard let device else { return }
    let regions = evidence.state.reservedRegions.filter {
      $0.kind == .rmrr && $0.devices.contains(.pci(device))
    }
    for region in regions.prefix(4) {
      result.evidence.append(
        "in the dump: \(region.kind.rawValue) \(region.base) to \(region.end), mapped "
          + (region.mapped?.rawValue ?? "unknown"))
    }
    if regions.isEmpty { result.evidence.append("the dump has no such region for the device") }
  }
}
