// SPDX-License-Identifier: Apache-2.0

public import KernelTypes
internal import Memory

/// A kernel's image as its file lays it out, before it runs: the page numbers are those of offsets from
/// `KernelAddressSpace.imageBase`.
final class KernelFileMemory: PhysicalMemory {
  private let file: VMLinux

  init(_ file: VMLinux) { self.file = file }

  func page(_ frame: UInt64) throws(MemoryError) -> Page {
    let place = PhysicalAddress(frame << 12)
    guard let bytes = try? file.loadedPage(at: KernelAddressSpace.imageBase.rawValue | frame << 12)
    else { throw MemoryError(at: place, .notInDump) }
    return Page(bytes)
  }

  func absence(_ frame: UInt64) -> Absence? {
    memoryFrames.contains { $0.contains(frame) } ? nil : .notInDump
  }

  var memoryFrames: [Range<UInt64>] {
    let base = KernelAddressSpace.imageBase.rawValue
    return file.loadedRanges.compactMap { range in
      guard range.lowerBound >= base else { return nil }
      return (range.lowerBound - base) >> 12..<(range.upperBound - base + 4095) >> 12
    }
  }
}

extension VMLinux {
  /// The symbols that the kernel itself uses, for a file whose own table was stripped.
  ///
  /// - Parameter info: of the dump, with `_stext`, against which every find is checked.
  /// - Returns: addresses as linked; `nil` where the file has no such table.
  public func kallsyms(info: VMCoreInfo, wanted: Set<String>) -> SymbolTable? {
    guard let start = info.symbol("_stext") else { return nil }
    let linked = KernelAddress(start.rawValue &- (info.kernelOffset ?? 0))
    let own = VMCoreInfo(Array("SYMBOL(_stext)=\(String(linked.rawValue, radix: 16))\n".utf8))
    let space = KernelAddressSpace(
      physBase: 0, directMapBase: KernelAddress(0xffff_8880_0000_0000), directMapSize: 0)
    let reader = KernelReader(KernelFileMemory(self), space)
    var table = try? reader.kallsyms(info: own, wanted: wanted)
    table?.origin = .vmlinux
    return table
  }
}
