// SPDX-License-Identifier: Apache-2.0

internal import KernelImage
internal import Memory
internal import RemappingState

/// How wide host physical addresses are.
struct HostAddressWidth {
  let image: KernelImage
  let log: ProblemLog
  /// What is told before anything is read.
  var known: Int?

  /// The width that a unit holds pointers against, in bits; `nil` if nothing tells.
  ///
  /// The DMAR table's, which the kernel prints while it boots, else the processor's. The table itself
  /// is mapped for the time of booting only. Where a part of the log that may hold the line cannot be read,
  /// that is a problem, because the processor's may be another one.
  ///
  /// Source: drivers/iommu/intel/dmar.c, `parse_dmar_table`; arch/x86/kernel/cpu/common.c,
  /// `get_cpu_address_sizes`.
  func bits() -> Int? {
    (known ?? logged() ?? processor()).flatMap { Self.isPlausible($0) ? $0 : nil }
  }

  /// x86 has had 36 bits since the first of its units, and page tables hold 52.
  private static func isPlausible(_ bits: Int) -> Bool { (32...64).contains(bits) }

  /// `DMAR: Host address width 39`.
  private func logged() -> Int? {
    var found: Int?
    do throws(KernelError) {
      try image.newestMessages { message in
        // The number ends the message; most others do not even end with a digit.
        let text = message.text.utf8
        guard text.count < 64, let last = text.last, (0x30...0x39).contains(last),
          message.text.hasBytes(of: "Host address width ")
        else { return true }
        let digits = text.reversed().prefix { (0x30...0x39).contains($0) }.reversed()
        found = Int(String(decoding: digits, as: UTF8.self))
        return false
      }
    } catch {
      // A log that is not there at all is told elsewhere.
      if error.absence != nil { log.note(error, .hostAddressWidth) }
    }
    return found
  }

  private func processor() -> Int? {
    guard let address = image.symbol("boot_cpu_data"),
      let data = try? image.object("cpuinfo_x86", at: address),
      let bits = try? data.unsigned("x86_phys_bits")
    else { return nil }
    return Int(exactly: bits)
  }
}
