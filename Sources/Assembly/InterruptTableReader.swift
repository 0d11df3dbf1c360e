// SPDX-License-Identifier: Apache-2.0

internal import LinuxIOMMU
internal import Memory
internal import RemappingState
internal import VTd

/// Reads interrupt-remapping tables as the hardware would.
struct InterruptTableReader {
  let memory: any PhysicalMemory
  /// Source ids that may raise interrupts of a unit, as each source qualifier compares them; `nil`
  /// where not all of them are known.
  let sources: [Set<UInt16>]?
  let unit: UnitCapabilities
  let name: String
  private(set) var observations: [Observation] = []

  private static let shown = 16
  /// A qualifier leaves function bits out of the comparison: none, bit 2, bits 2:1, all three.
  private static let comparedBits: [UInt16] = [0xffff, 0xfffb, 0xfff9, 0xfff8]

  init(
    _ memory: any PhysicalMemory, sources: Set<UInt16>?, unit: UnitCapabilities, name: String
  ) {
    self.memory = memory
    self.sources = sources.map { sources in
      Self.comparedBits.map { bits in Set(sources.map { $0 & bits }) }
    }
    self.unit = unit
    self.name = name
  }

  /// Counts the entries of a table and notes those that cannot be what the kernel wrote.
  mutating func read(_ table: LinuxInterruptRemapping) -> InterruptRemapping {
    var result = InterruptRemapping(table: table.table, entries: table.count)
    result.allocated = table.bitmap.map { $0.reduce(0) { $0 + $1.nonzeroBitCount } }
    guard let base = table.table else { return result }
    let perPage = Page.size / 16
    for first in stride(from: 0, to: table.count, by: perPage) {
      guard let address = base.advanced(by: UInt64(first) * 16),
        let (page, _) = try? memory.pageOrAssumedZero(address.frame)
      else {
        result.unreadablePages += 1
        continue
      }
      for slot in 0..<perPage where page[word: 2 * slot][bit: 0] {
        let entry = InterruptRemapEntry(words: [page[word: 2 * slot], page[word: 2 * slot + 1]])
        result.present += 1
        if entry.isPosted { result.posted += 1 }
        let index = first + slot
        if let bitmap = table.bitmap, index / 8 < bitmap.count,
          bitmap[index / 8] >> UInt8(index % 8) & 1 == 0, result.presentButFree.count < 64
        {
          result.presentButFree.append(index)
        }
        if let problem = problem(of: entry, x2APIC: table.x2APIC ?? true) {
          note(problem, index, entry, at: address.rawValue &+ UInt64(slot) * 16)
        }
      }
    }
    return result
  }

  private mutating func note(
    _ problem: String, _ index: Int, _ entry: InterruptRemapEntry, at address: UInt64
  ) {
    // A few show what is wrong; the last one's count is that of the rest.
    if observations.count < Self.shown {
      observations.append(
        Observation(
          .interruptEntry, unit: name, structure: .interruptEntry(index: index),
          address: HexWord(address), word: HexWord(entry.words[0]), detail: problem))
    } else {
      observations[Self.shown - 1].count += 1
    }
  }

  /// What is impossible about a present entry; `nil` if nothing is.
  private func problem(of entry: InterruptRemapEntry, x2APIC: Bool) -> String? {
    let reserved = entry.reservedBits(unit, x2APIC: x2APIC)
    if reserved.words.contains(where: { $0 != 0 }) { return "reserved bits \(reserved)" }
    if !entry.isPosted {
      // Fixed and lowest priority; other modes ignore the vector.
      if entry.deliveryMode < 2, entry.vector < 16 {
        return "vector \(entry.vector) is one of the processor's own exceptions"
      }
      if entry.deliveryMode == 3 || entry.deliveryMode == 6 {
        return "delivery mode \(entry.deliveryMode) is reserved"
      }
    }
    switch entry.sourceValidation {
    case 1:
      guard let sources else { return nil }
      let qualifier = Int(entry.sourceQualifier & 3)
      guard !sources[qualifier].contains(entry.sourceID & Self.comparedBits[qualifier]) else {
        return nil
      }
      let bus = UInt8(entry.sourceID >> 8)
      let source = PCIFunction(bus: bus, devfn: UInt8(truncatingIfNeeded: entry.sourceID))
      return "no device, I/O APIC or HPET has its source id \(source.description.dropFirst(5))"
    case 2:
      let (first, last) = (entry.sourceID >> 8, entry.sourceID & 0xff)
      return first > last ? "its range of buses ends before it begins" : nil
    case 3: return "its source validation type is reserved"
    default: return nil
    }
  }
}
