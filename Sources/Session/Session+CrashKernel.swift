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
  /// What it was started with; `nil` where that cannot be read.
  public var commandLine: String?
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
    let frames = storedFrames(in: reservations)
    guard !frames.isEmpty,
      let bytes = VMCoreInfoSearch.find(
        in: memory, lookingThrough: dump.memory, frames: frames, paidBy: work)
    else {
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
    let second = KernelImage(
      info: info, reader: reader, symbols: symbols, types: image.types,
      work: work)
    guard let structures = try? LinuxIOMMU(reading: second) else { return nil }
    return CrashKernel(
      release: info.release, kernel: KernelEvidence(second, structures),
      commandLine: second.commandLine.flatMap(Redaction.kept))
  }

  /// The command line that kexec put beside the crash kernel's image; `nil` where the dump holds none
  /// of the reservation, as /proc/vmcore never does.
  ///
  /// A boot loader hands a kernel `struct boot_params`, whose setup header begins with the kernel
  /// image's own and leads to the command line.
  ///
  /// Source: Documentation/arch/x86/boot.rst; arch/x86/kernel/kexec-bzimage64.c, `bzImage64_load`.
  ///
  /// - Parameter reservations: physical memory that is the crash kernel's alone, ends inclusive.
  public func crashCommandLine(in reservations: [ClosedRange<UInt64>]) -> String? {
    crashCommandLinePlace(in: reservations).map(\.text).flatMap(Redaction.kept)
  }

  /// The same, as it stands, with its place.
  func crashCommandLinePlace(
    in reservations: [ClosedRange<UInt64>]
  ) -> (text: String, place: PhysicalAddress)? {
    // Pages that are only looked through are not to get into an extract.
    let plain = dump.memory
    var scan = PageScan(work, "the search for the crash kernel's command line")
    return scan.first(in: storedFrames(in: reservations), of: plain) { frame in
      guard let page = try? plain.page(frame) else { return nil }
      // The parameters are at a multiple of 16 bytes, the header's magic is 0x202 bytes behind.
      for offset in stride(from: 2, to: Page.size, by: 16) {
        guard let magic: UInt32 = try? page.littleEndian(at: offset), magic == 0x5372_6448,
          case let place = frame << 12 + UInt64(offset), place >= 0x202,
          let found = commandLine(of: PhysicalAddress(place - 0x202), in: reservations)
        else { continue }
        return found
      }
      return nil
    }
  }

  /// The command line that the parameters at an address lead to, if they are any.
  private func commandLine(
    of parameters: PhysicalAddress, in reservations: [ClosedRange<UInt64>]
  ) -> (text: String, place: PhysicalAddress)? {
    func field<T: FixedWidthInteger & BitwiseCopyable>(_ offset: UInt64) -> T? {
      parameters.advanced(by: offset).flatMap { try? dump.memory.littleEndian(at: $0) }
    }
    guard let flag: UInt16 = field(0x1fe), flag == 0xaa55, let low: UInt32 = field(0x228),
      let high: UInt32 = field(0xc8), let size: UInt32 = field(0x238)
    else { return nil }
    let place = UInt64(high) << 32 | UInt64(low)
    guard place != 0, reservations.contains(where: { $0.contains(place) }) else { return nil }
    var text: [UInt8] = []
    // COMMAND_LINE_SIZE is 2048 on x86.
    while text.count < min(Int(size) + 1, 4096),
      let next = PhysicalAddress(place).advanced(by: UInt64(text.count)),
      let byte: UInt8 = try? dump.memory.littleEndian(at: next), byte != 0
    {
      guard (0x20...0x7e).contains(byte) || byte == 0x0a else { return nil }
      text.append(byte)
    }
    guard !text.isEmpty else { return nil }
    // This copy is what an extract keeps, and the parameters; not what only looked like them.
    _ = try? memory.bytes(at: PhysicalAddress(place), count: text.count + 1)
    _ = try? memory.bytes(at: parameters, count: 0x240)
    return (String(decoding: text, as: UTF8.self), PhysicalAddress(place))
  }

  private func storedFrames(in reservations: [ClosedRange<UInt64>]) -> [Range<UInt64>] {
    reservations.flatMap { reservation in
      let range = reservation.lowerBound >> 12..<(reservation.upperBound >> 12) + 1
      return dump.storedFrames.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
    }
  }
}
