// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The kernel's map of physical memory: its own image, what firmware and the crash kernel keep.
struct MemoryText {
  private let regions: [MemoryRegion]

  init(_ state: RemappingState) { regions = state.memoryMap }

  func write(to page: TextPage) throws(OutputError) {
    guard !regions.isEmpty else {
      try page.paragraph("not known: the kernel's map of memory could not be read", indent: 2)
      return
    }
    try page.table(
      [.left("what"), .right("first"), .right("last"), .right("bytes"), .right("size")],
      count: regions.count, what: "regions"
    ) { index in
      let region = regions[index]
      let distance =
        region.end.rawValue >= region.start.rawValue
        ? region.end.rawValue - region.start.rawValue : 0
      let bytes = distance == .max ? distance : distance + 1
      return [
        Self.name(region.kind), region.start.description, region.end.description, "\(bytes)",
        Quantity.iec(bytes) ?? "",
      ]
    }
  }

  private static func name(_ kind: MemoryRegion.Kind) -> String {
    switch kind {
    case .memory: "memory"
    case .firmware: "firmware's own"
    case .acpi: "ACPI tables"
    case .kernelText: "kernel code"
    case .kernelData: "kernel data"
    case .crashKernel: "crash reservation"
    }
  }
}
