// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState

extension MemoryRegion {
  /// The regions that matter to DMA, by address; those of one kind never touch each other.
  static func regions(_ resources: [LinuxMemoryRegion]) -> [MemoryRegion] {
    var ranges: [Kind: [ClosedRange<UInt64>]] = [:]
    for resource in resources {
      guard let kind = Kind(resource: resource.name) else { continue }
      ranges[kind, default: []].append(resource.range)
    }
    return ranges.flatMap { kind, ranges in
      AddressRanges(ranges).ranges.map {
        MemoryRegion(
          kind: kind, start: PhysicalAddress($0.lowerBound), end: PhysicalAddress($0.upperBound))
      }
    }.sorted {
      ($0.start, $0.end, $0.kind.rawValue) < ($1.start, $1.end, $1.kind.rawValue)
    }
  }
}

extension MemoryRegion.Kind {
  /// Source: arch/x86/kernel/e820.c, `e820_type_to_string`; arch/x86/kernel/setup.c. Some
  /// older kernels begin `reserved` with a small letter.
  fileprivate init?(resource name: String) {
    switch name.lowercased() {
    case "system ram": self = .memory
    case "reserved", "acpi non-volatile storage": self = .firmware
    case "acpi tables": self = .acpi
    case "kernel code": self = .kernelText
    case "kernel data", "kernel rodata", "kernel bss": self = .kernelData
    case "crash kernel": self = .crashKernel
    default: return nil
    }
  }
}
