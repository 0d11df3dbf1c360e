// SPDX-License-Identifier: Apache-2.0

public import Memory

extension KernelImage {
  /// The numbers of the CPUs that the kernel thought possible, ascending.
  ///
  /// The mask is an object of that type today; up to Linux v4.4 it was a static array of words, to
  /// which the constant pointer `cpu_possible_mask` leads.
  ///
  /// Source: kernel/cpu.c, `__cpu_possible_mask`; `cpu_possible_bits` and `cpu_possible_mask` of
  /// Linux v3.10.
  public func possibleCPUs() throws(KernelError) -> [Int] {
    let place: KernelAddress
    if let object = symbol("__cpu_possible_mask") ?? symbol("cpu_possible_bits") {
      place = object
    } else if let pointer = symbol("cpu_possible_mask") {
      place = KernelAddress(try reader.littleEndian(at: pointer))
    } else {
      throw KernelError(.noSymbol("__cpu_possible_mask"))
    }
    let mask = try object("cpumask", at: place)
    let words = try mask.arrayCount("bits")
    var cpus: [Int] = []
    // NR_CPUS is at most 8192 on x86.
    for word in 0..<min(words, 128) {
      let bits = try mask.element("bits", word)
      for bit in 0..<64 where bits[bit: bit] { cpus.append(word * 64 + bit) }
    }
    return cpus
  }

  /// The address of one CPU's copy of a per-CPU object.
  ///
  /// - Parameter pointer: the per-CPU pointer as the kernel stores it.
  ///
  /// Source: include/linux/percpu-defs.h, `per_cpu_ptr`; arch/x86/kernel/setup_percpu.c.
  public func perCPU(
    _ pointer: KernelAddress, cpu: Int
  ) throws(KernelError) -> KernelAddress {
    let table = try requiredSymbol("__per_cpu_offset")
    guard (0..<8192).contains(cpu), let place = table.advanced(by: UInt64(cpu) * 8) else {
      throw KernelError(at: table, .malformed("no per-CPU offset for CPU \(cpu)"))
    }
    let offset: UInt64 = try reader.littleEndian(at: place)
    return KernelAddress(pointer.rawValue &+ offset)
  }
}
