// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import Memory
import MemoryFixtures
import RemappingState

/// Writes tables of the hardware into a synthetic kernel's memory, word by word as the VT-d
/// specification has them; it knows nothing of the code that reads them.
struct TableWriter {
  let kernel: SyntheticKernel

  func page() -> UInt64 { kernel.physical(kernel.allocatePage()).rawValue }

  subscript(address: UInt64) -> UInt64 {
    get { kernel.memory[address] }
    nonmutating set { kernel.memory[address] = newValue }
  }

  // MARK: Page tables

  /// Specification, 9.8 (second stage) and 9.7 (first stage).
  func map(_ mapping: MachinePlan.Mapping, in table: UInt64, levels: Int, stage: Stage) {
    var done: UInt64 = 0
    while done < mapping.bytes {
      var table = table
      let iova = mapping.iova + done
      for level in stride(from: levels, to: mapping.level, by: -1) {
        let entry = table + (iova >> UInt64(3 + 9 * level) & 511) * 8
        if self[entry] & 1 == 0 {
          // Second stage: read and write; first stage: present, writable, user, accessed.
          self[entry] = page() | (stage == .second ? 3 : 0x27)
        }
        table = self[entry] & ~0xfff
      }
      let size: UInt64 = mapping.level > 1 ? 0x80 : 0
      let bits =
        stage == .second ? mapping.rights : 0x25 | mapping.rights & 2 | (mapping.rights & 2) << 5
      self[table + (iova >> UInt64(3 + 9 * mapping.level) & 511) * 8] =
        (mapping.physical + done) | bits | size
      done += mapping.pageSize
    }
  }

  // MARK: Contexts

  /// The context table of a bus, or of half of it; made where there is none.
  private func contextTable(_ root: UInt64, _ function: PCIFunction, hasHalves: Bool) -> UInt64 {
    let half: UInt64 = hasHalves && function.devfn >= 0x80 ? 8 : 0
    let entry = root + UInt64(function.bus) * 16 + half
    if self[entry] & 1 == 0 { self[entry] = page() | 1 }
    return self[entry] & ~0xfff
  }

  /// Specification, 9.3: present, translation type in bits 3:2, table; address width and domain-id above.
  func legacyContext(
    _ root: UInt64, _ function: PCIFunction, table: UInt64?, levels: Int, domainID: UInt32
  ) -> [UInt64] {
    let words = [
      table.map { $0 | 1 } ?? 1 | 2 << 2, UInt64(levels - 2) | UInt64(domainID) << 8,
    ]
    let place =
      contextTable(root, function, hasHalves: false) + UInt64(function.devfn) * 16
    for (index, word) in words.enumerated() { self[place + UInt64(index) * 8] = word }
    return words
  }

  /// Specification, 9.4: a PASID directory of 128 entries, whether requests with PASID (PASIDE) and page
  /// requests (PRE) are let through; requests without PASID are looked up under PASID 0.
  func scalableContext(
    _ root: UInt64, _ function: PCIFunction, hasPASIDs: Bool, pageRequests: Bool
  ) -> (directory: UInt64, words: [UInt64]) {
    let directory = page()
    let words = [
      directory | 1 | (hasPASIDs ? 1 << 3 : 0) | (pageRequests ? 1 << 4 : 0), 0, 0, 0,
    ]
    let place =
      contextTable(root, function, hasHalves: true) + UInt64(function.devfn & 0x7f) * 32
    for (index, word) in words.enumerated() { self[place + UInt64(index) * 8] = word }
    return (directory, words)
  }

  /// What a PASID leads to.
  struct Target {
    /// 1 first stage, 2 second stage, 3 nested, 4 pass-through.
    var type: UInt64
    var domainID: UInt32
    var first: (table: UInt64, levels: Int)?
    var second: (table: UInt64, levels: Int)?
  }

  /// Specification, 9.5 and 9.6.
  func pasidEntry(_ directory: UInt64, _ pasid: UInt32, _ target: Target) {
    let slot = directory + UInt64(pasid >> 6) * 8
    if self[slot] & 1 == 0 { self[slot] = page() | 1 }
    let entry = self[slot] & ~0xfff + UInt64(pasid & 63) * 64
    self[entry] =
      1 | UInt64((target.second?.levels ?? 4) - 2) << 2 | target.type << 6
      | (target.second?.table ?? 0)
    self[entry + 8] = UInt64(target.domainID)
    if let first = target.first {
      // Bits 3:2 of the third word: levels of the first stage, 0 for 4 and 1 for 5.
      self[entry + 16] = first.table | UInt64(first.levels - 4) << 2
    }
  }
}
