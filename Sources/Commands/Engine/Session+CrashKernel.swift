// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import Inheritance
internal import KernelImage
internal import LinuxIOMMU
internal import Memory

extension Session {
  /// The crash kernel that runs in the reservation, in an image of the whole machine's memory; `nil`
  /// where the dump holds none of it, or nothing that can be read.
  ///
  /// Its own VMCOREINFO note tells where it lies. It usually is the same build as the crashed kernel,
  /// whose symbols and types then serve for both.
  func crashKernel(
    in reservations: [MachineFacts.Reservation]
  ) -> (release: String?, units: [CrashUnit])? {
    let frames = reservations.filter { $0.kind != .cma }.flatMap { reservation in
      let range =
        reservation.range.lowerBound >> 12..<(reservation.range.upperBound >> 12) + 1
      return dump.storedFrames.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
    }
    guard !frames.isEmpty, let bytes = VMCoreInfoSearch.find(in: memory, frames: frames) else {
      return nil
    }
    let info = VMCoreInfo(bytes)
    guard let space = KernelAddressSpace(info: info, physicalBase: nil, segments: []) else {
      return nil
    }
    let reader = KernelReader(memory, space)
    let symbols: SymbolTable
    if info.release == image.info.release, info.buildID == image.info.buildID {
      symbols = image.symbols.relocated(
        by: (info.kernelOffset ?? 0) &- (image.info.kernelOffset ?? 0))
    } else {
      // Another build has other types too, which only a dump of its own would bring along.
      return (info.release, [])
    }
    if let expected = info.symbol("_stext"), let found = symbols["_stext"], found != expected {
      return nil
    }
    try? reader.adoptDirectMap(from: symbols)
    let second = KernelImage(info: info, reader: reader, symbols: symbols, types: image.types)
    guard let kernel = try? LinuxIOMMU(reading: second) else { return nil }
    return (
      info.release,
      kernel.units.filter { $0.kernelObject != nil }.map {
        CrashUnit(
          name: $0.name, rootTable: $0.rootTable, tookOver: $0.translationPreEnabled,
          copied: $0.copiedContexts, domainIDs: $0.domainIDs,
          interruptTable: $0.interruptRemapping?.table)
      }
    )
  }
}
