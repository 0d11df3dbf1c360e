// SPDX-License-Identifier: Apache-2.0

import History
import KernelFixtures
import KernelImage
import Memory
import MemoryFixtures
import StateFixtures
import Synchronization

extension FuzzTarget {
  /// What the kernel keeps in rings, tables, lists and trees.
  static let kernels: [FuzzTarget] = [
    kernel("log-ring", logRing()) { image in readLog(image) },
    kernel("log-buffer", logBuffer()) { image in readLog(image) },
    kernel("trace-ring", traceRing()) { image in
      let ring = TraceRing(reading: image)
      _ = (ring.events.count, ring.coverage)
    },
    kernel("kallsyms", kallsyms(.absolutePerCPU)) { image in readSymbols(image) },
    kernel("kallsyms-hidden", hiddenKallsyms()) { image in readSymbols(image) },
    kernel("containers", containers()) { image in readContainers(image) },
  ]

  /// A sound kernel, of which words lie, and bytes of the fuzzer's in one of its pages.
  struct Scene: @unchecked Sendable {
    /// Read by one thread, and never written to after it was made.
    let kernel: SyntheticKernel
    /// Where the fuzzer's own bytes go, and how many.
    let text: (place: PhysicalAddress, count: Int)?
    let edits: MemoryEdits

    init(_ kernel: SyntheticKernel, text: (KernelAddress, Int)? = nil) {
      self.kernel = kernel
      self.text = text.map { (kernel.physical($0.0), $0.1) }
      edits = MemoryEdits(
        kernel.memory, pointer: { kernel.virtual(PhysicalAddress($0)).rawValue },
        isMeant: { $0 < 0x4000_0000 })
    }
  }

  private static func kernel(
    _ name: String, _ make: @escaping @autoclosure @Sendable () -> Scene,
    _ read: @escaping @Sendable (KernelImage) -> Void
  ) -> FuzzTarget {
    let scene = Once(make)
    return FuzzTarget(
      name,
      seeds: { MemoryEdits.seeds.map { [0] + $0 } + [[8, 1, 2, 3, 4, 5, 6, 7, 8]] },
      run: { bytes in
        let scene = scene.value
        var input = FuzzBytes(bytes)
        // A first byte of bytes to be written as they are, in steps of four.
        let own = input.bytes(4 * Int(input.byte()))
        let memory = scene.edits.applied(&input)
        if let text = scene.text, !own.isEmpty {
          memory.write(Array(own.prefix(text.count)), at: text.place)
        }
        read(scene.kernel.image(memory: memory, work: .ofSmallDump))
      })
  }

  private static let messages = [
    "Linux version 6.1.0", "Command line: intel_iommu=on crashkernel=256M",
    "DMAR: DRHD: handling fault status reg 2",
    "DMAR: [DMA Read NO_PASID] Request device [00:04.0] fault addr 0x12345000 [fault reason 0x06] x",
    "Kernel panic - not syncing: sysrq triggered crash",
  ]

  private static func logRing() -> Scene {
    let kernel = SyntheticKernel(cpuCount: 1)
    let log = kernel.makeLog(messages, countBits: 3, sizeBits: 10)
    return Scene(kernel, text: (log.text, 1024))
  }

  private static func logBuffer() -> Scene {
    let kernel = SyntheticKernel(cpuCount: 1)
    let log = kernel.makeLogBuffer(messages, size: 1024)
    return Scene(kernel, text: (log.buffer, 1024))
  }

  private static func traceRing() -> Scene {
    let kernel = SyntheticKernel(cpuCount: 1)
    let ring = kernel.makeTraceRing(pages: 4, sharing: false)
    return Scene(kernel, text: (ring.data[0].address, 1020))
  }

  private static let symbols: [(name: String, address: KernelAddress)] = [
    ("_stext", KernelAddress(0xffff_ffff_8100_0000)),
    ("dmar_drhd_units", KernelAddress(0xffff_ffff_8100_1000)),
    ("intel_iommu_sm", KernelAddress(0xffff_ffff_8100_2000)),
    ("iommu_device_list", KernelAddress(0xffff_ffff_8100_3000)),
    ("prb", KernelAddress(0xffff_ffff_8100_4000)),
  ]

  private static func kallsyms(_ rule: KallsymsRule) -> Scene {
    let kernel = SyntheticKernel(cpuCount: 0)
    kernel.makeKallsyms(symbols, rule: rule)
    return Scene(kernel)
  }

  private static func hiddenKallsyms() -> Scene {
    let kernel = SyntheticKernel(cpuCount: 0, symbolsLieInImage: true)
    let start = kernel.inImage(kernel.allocate(64, alignment: 4096))
    kernel.note("_stext", start)
    let list =
      [(name: "_stext", address: start)]
      + (0..<300).map {
        (name: "symbol_\($0)", address: KernelAddress(start.rawValue + UInt64($0 * 16)))
      }
    kernel.makeHiddenKallsyms(list, layout: .offsetsBehind)
    return Scene(kernel)
  }

  private static func containers() -> Scene {
    let kernel = SyntheticKernel(cpuCount: 2)
    let head = kernel.allocate(16)
    kernel.link((0..<4).map { _ in kernel.allocate(16) }, at: head)
    kernel.symbols["list"] = [head]
    let array = kernel.make("xarray")
    kernel.fillXArray(at: array.address, [0: 0x1000, 5: 0x2001, 70: 0x3000, 5000: 0x4000])
    kernel.symbols["array"] = [array.address]
    kernel.symbols["tree"] = [tree(kernel)]
    kernel.types.define(
      "resource", "u64 start", "u64 end", "char *name", "resource *sibling", "resource *child")
    let inner = kernel.make("resource", ["start": 0x1000, "end": 0x1fff])
    let sibling = kernel.make("resource", ["start": 0x3000, "end": 0x3fff])
    inner["sibling"] = sibling.address.rawValue
    let root = kernel.make("resource", ["end": .max, "child": inner.address.rawValue])
    kernel.symbols["resources"] = [root.address]
    return Scene(kernel)
  }

  /// A red-black tree of seven nodes.
  private static func tree(_ kernel: SyntheticKernel) -> KernelAddress {
    let nodes = (0..<7).map { _ in kernel.make("rb_node") }
    for index in 0..<3 {
      let node = nodes[index]
      node.set([
        "rb_left": nodes[2 * index + 1].address.rawValue,
        "rb_right": nodes[2 * index + 2].address.rawValue,
      ])
      for child in [2 * index + 1, 2 * index + 2] {
        nodes[child]["__rb_parent_color"] = node.address.rawValue | 1
      }
    }
    let root = kernel.allocate(8)
    kernel.write(nodes[0].address.rawValue, at: root)
    return root
  }

  // MARK: Readers

  private static func readLog(_ image: KernelImage) {
    var count = 0
    try? image.messages { message in count &+= message.text.utf8.count }
    try? image.newestMessages(limit: 4) { _ in true }
    _ = image.panicMessage()
  }

  private static func readSymbols(_ image: KernelImage) {
    _ = try? image.reader.kallsyms(
      info: image.info, wanted: ["_stext", "dmar_drhd_units", "intel_iommu_sm", "symbol_200"])
  }

  private static func readContainers(_ image: KernelImage) {
    if let head = image.symbols["list"] { _ = image.list(at: head) }
    if let array = image.symbols["array"] {
      _ = image.xarray(at: array)
      _ = image.ida(at: array)
    }
    if let tree = image.symbols["tree"] { _ = image.redBlackTree(at: tree) }
    if let root = image.symbols["resources"] { _ = image.resources(below: root) }
    _ = try? image.possibleCPUs()
  }
}

/// A value that is made when it is first asked for.
final class Once<Value: Sendable>: Sendable {
  private let make: @Sendable () -> Value
  private let made = Mutex<Value?>(nil)

  init(_ make: @escaping @Sendable () -> Value) { self.make = make }

  var value: Value {
    made.withLock { made in
      if let made { return made }
      let value = make()
      made = value
      return value
    }
  }
}

extension WorkBudget {
  /// Enough for what an honest kernel of a few pages holds, and little more: what leads round in circles
  /// ends after a millisecond, and the paths on which work is cut are taken often.
  static var ofSmallDump: WorkBudget {
    WorkBudget(
      WorkLimits(
        entries: 1 << 17, runs: 1 << 13, objects: 1 << 14, pages: 1 << 12, output: 1 << 22))
  }

  /// The same for a machine, with its log, types and devices.
  static var ofMachine: WorkBudget {
    WorkBudget(
      WorkLimits(
        entries: 1 << 19, runs: 1 << 15, objects: 1 << 16, pages: 1 << 14, output: 1 << 23))
  }
}
