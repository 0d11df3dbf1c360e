// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import LinuxIOMMU
import Memory
import MemoryFixtures
import RemappingState
import Testing

/// A damaged kernel is read or refused; it never traps and never takes for ever.
struct MutationTests {
  private func kernel(_ variant: KernelVariant) -> RemappingKernel {
    let scene = VariantTests.Scene(variant)
    let kernel = scene.kernel
    var allocator = scene.allocator
    if variant.depot != .none {
      let magazine = kernel.makeMagazine([16, 17, 18]).address.rawValue
      allocator.locals[1][0]["loaded"] = magazine
      allocator.caches[1]["depot_size"] = 1
      if variant.depot == .list {
        allocator.caches[1]["depot"] = magazine
      } else {
        allocator.caches[1].setElement("depot", 0, magazine)
      }
    }
    switch variant.queue {
    case .table:
      kernel.addDeferredFlush(unit: 0, [(allocator.nodes[0], scene.domains[0])])
    case .perCPUTable: kernel.addDeferredFlush(cpu: 0, unit: 1, [(20, scene.domains[0])])
    default:
      kernel.makeQueues(&allocator, domain: scene.domains[0], finished: 7)
      kernel.fill(allocator.queues[0], head: 254, [(16, 6), (17, 7), (18, 8)])
    }
    return kernel
  }

  @Test(arguments: KernelVariant.all)
  func flippedBytesAndGarbagePages(_ variant: KernelVariant) {
    var random = SeededGenerator(seed: .random(in: .min ... .max))
    // A trap ends the process, so the seed has to be known before.
    print("\(variant) seed \(random.seed)")
    let kernel = kernel(variant).kernel
    let frames = kernel.memory.frames
    let words = frames.flatMap { frame -> [PhysicalAddress] in
      let bytes = kernel.memory.read(at: PhysicalAddress(frame << 12), count: 4096)
      // Zero words are mostly padding; damage what means something.
      return stride(from: 0, to: 4096, by: 8).compactMap { offset in
        bytes[offset..<offset + 8].contains { $0 != 0 }
          ? PhysicalAddress(frame << 12 + UInt64(offset)) : nil
      }
    }
    let pointers = words.map { kernel.virtual($0).rawValue }
    var readings = 0
    for _ in 0..<300 {
      let memory = SyntheticMemory(copying: kernel.memory)
      switch random.index(below: 8) {
      case 0:
        let page = (0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        memory.write(page, at: PhysicalAddress(frames[random.index(below: frames.count)] << 12))
      case 1:
        memory.setAbsence(
          [.excluded, .zeroOrExcluded][random.index(below: 2)],
          at: PhysicalAddress(frames[random.index(below: frames.count)] << 12))
      case 2, 3, 4:
        // Pointers to other objects make cycles and shared tails.
        for _ in 0...random.index(below: 4) {
          let value = pointers[random.index(below: pointers.count)] &+ random.next() % 3
          write(value, at: words[random.index(below: words.count)], memory)
        }
      default:
        for _ in 0...random.index(below: 8) {
          let place = words[random.index(below: words.count)]
          let byte = PhysicalAddress(place.rawValue + random.next() % 8)
          memory.write([UInt8(truncatingIfNeeded: random.next())], at: byte)
        }
      }
      if (try? LinuxIOMMU(reading: kernel.image(memory: memory))) != nil { readings += 1 }
    }
    #expect(readings > 100, "seed \(random.seed)")
  }

  private func write(_ value: UInt64, at address: PhysicalAddress, _ memory: SyntheticMemory) {
    memory.write(
      (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }, at: address)
  }

  @Test func problemsAreBounded() throws {
    let kernel = RemappingKernel(.g5c)
    let missing = kernel.kernel.allocatePage()
    kernel.kernel.setAbsence(.excluded, at: missing)
    let gone = kernel.kernel.object("device", at: missing)
    for _ in 0..<2 { kernel.addUnit(scope: [FixtureObject?](repeating: gone, count: 4000)) }
    kernel.finish()
    let state = try LinuxIOMMU(reading: kernel.kernel.image())
    #expect(state.problems.count == 4097)
    #expect(state.problems.last?.message.hasPrefix("3904 more") == true)
  }
}
