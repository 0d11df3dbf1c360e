// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
public import Evidence
internal import KernelImage
internal import LinuxIOMMU
internal import Memory

/// A crash kernel that runs in its reservation, found in an image of the whole machine's memory.
public struct CrashKernel {
  /// `uname -r`
  public var release: String?
  /// `nil` for another build than the crashed kernel's: it has other types too, which only a dump of
  /// its own would bring along.
  public var kernel: KernelEvidence?
}

extension Session {
  /// The crash kernel in the reservation; `nil` where the dump holds none of it, or nothing that can
  /// be read.
  ///
  /// Its own VMCOREINFO note tells where it lies. It usually is the same build as the crashed kernel,
  /// whose symbols and types then serve for both.
  ///
  /// - Parameters:
  ///   - crashed: the kernel that left the reservation.
  ///   - reservations: physical memory that is the crash kernel's alone, ends inclusive.
  public func crashKernel(
    beside crashed: KernelEvidence, in reservations: [ClosedRange<UInt64>]
  ) -> CrashKernel? {
    let image = crashed.image
    let frames = reservations.flatMap { reservation in
      let range = reservation.lowerBound >> 12..<(reservation.upperBound >> 12) + 1
      return dump.storedFrames.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
    }
    guard !frames.isEmpty, let bytes = VMCoreInfoSearch.find(in: memory, frames: frames) else {
      return nil
    }
    let info = VMCoreInfo(bytes)
    guard let space = KernelAddressSpace(info: info, physicalBase: nil, segments: []) else {
      return nil
    }
    guard info.release == image.info.release, info.buildID == image.info.buildID else {
      return CrashKernel(release: info.release)
    }
    let symbols = image.symbols.relocated(
      by: (info.kernelOffset ?? 0) &- (image.info.kernelOffset ?? 0))
    if let expected = info.symbol("_stext"), let found = symbols["_stext"], found != expected {
      return nil
    }
    let reader = KernelReader(memory, space)
    try? reader.adoptDirectMap(from: symbols)
    let second = KernelImage(info: info, reader: reader, symbols: symbols, types: image.types)
    guard let structures = try? LinuxIOMMU(reading: second) else { return nil }
    return CrashKernel(release: info.release, kernel: KernelEvidence(second, structures))
  }
}
