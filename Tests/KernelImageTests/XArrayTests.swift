// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import KernelTypes
import Memory
import MemoryFixtures
import Testing

struct XArrayTests {
  private let kernel = SyntheticKernel(cpuCount: 0)
  private let array: FixtureObject

  init() {
    array = kernel.make("xarray")
  }

  private func walk(limit: Int = 1 << 20) -> LinkWalk<XArrayEntry> {
    kernel.image().xarray(at: array.address, limit: limit)
  }

  private func entries(_ words: [UInt64: UInt64]) -> [XArrayEntry] {
    words.sorted { $0.key < $1.key }.map { XArrayEntry(index: $0.key, word: $0.value) }
  }

  @Test func empty() {
    #expect(walk().elements.isEmpty && walk().problem == nil)
  }

  @Test(
    arguments: [
      [0: 0xffff_8880_0010_0000],
      // A value entry in the head.
      [0: 0x2003],
      [0: 0x1000, 63: 0x2000], [5: 0x1000, 64: 0x2001], [1 << 20: 0x7000, 3: 0x8000],
      [UInt64.max: 0x1000, 0: 0x2000, 1 << 40: 0x3000],
    ] as [[UInt64: UInt64]])
  func entriesOfSeveralLevels(_ words: [UInt64: UInt64]) {
    kernel.fillXArray(at: array.address, words)
    #expect(walk().elements == entries(words))
    #expect(walk().problem == nil)
  }

  @Test func everyArrayIsReadBack() {
    var random = SeededGenerator(seed: .random(in: .min ... .max))
    for _ in 0..<50 {
      var words: [UInt64: UInt64] = [:]
      for _ in 0..<random.index(below: 40) {
        // Indices of every magnitude; words with the tags 0, 1 and 3.
        let index = random.next() >> (random.next() & 63)
        let tag: UInt64 = [0, 1, 3][random.index(below: 3)]
        words[index] = random.next() << 2 | tag | 0x10000
      }
      kernel.fillXArray(at: array.address, words)
      #expect(walk().elements == entries(words), "seed \(random.seed)")
    }
  }

  @Test func reservedEntriesAreLeftOut() {
    let nodes = kernel.fillXArray(at: array.address, [0: 0x1000, 70: 0x2000])
    let top = kernel.object("xa_node", at: nodes[0])
    let leaf = kernel.object("xa_node", at: nodes[1])
    // Sibling of slot 0, retry and zero entries: include/linux/xarray.h, xa_mk_internal.
    for (slot, word) in [(2, 0x2), (3, 256 << 2 | 2), (4, 257 << 2 | 2)] as [(Int, UInt64)] {
      top.setElement("slots", slot, word)
      leaf.setElement("slots", slot, word)
    }
    #expect(walk().elements == entries([0: 0x1000, 70: 0x2000]))
    #expect(walk().problem == nil)
  }

  @Test func entryOfManyIndicesStandsInAnUpperNode() {
    let nodes = kernel.fillXArray(at: array.address, [0: 0x1000, 70: 0x2000])
    kernel.object("xa_node", at: nodes[0]).setElement("slots", 5, 0x9000)
    #expect(walk().elements == entries([0: 0x1000, 70: 0x2000, 320: 0x9000]))
  }

  @Test func nodeWhoseSlotsLeadBackToItself() {
    let nodes = kernel.fillXArray(at: array.address, [0: 0x1000, UInt64.max: 0x2000])
    let top = kernel.object("xa_node", at: nodes[0])
    for slot in 0..<64 { top.setElement("slots", slot, nodes[0].rawValue | 2) }
    #expect(walk().elements.isEmpty)
    #expect(walk().problem != nil)
  }

  @Test func nodesThatAllLeadToTheSameNodes() {
    // Eleven levels of one node each, every slot to the next: 64^11 paths.
    let nodes = kernel.fillXArray(at: array.address, [UInt64.max: 0x2000])
    for (node, next) in zip(nodes, nodes.dropFirst()) {
      let node = kernel.object("xa_node", at: node)
      for slot in 0..<64 { node.setElement("slots", slot, next.rawValue | 2) }
    }
    #expect(walk().elements.count <= 64)
    #expect(walk().problem != nil)
  }

  @Test(arguments: [6, 7, 60, 64, 255])
  func hostileShift(_ shift: UInt64) {
    let nodes = kernel.fillXArray(at: array.address, [0: 0x1000, 70: 0x2000])
    kernel.object("xa_node", at: nodes[1])["shift"] = shift
    #expect(walk().elements.map(\.word) == [0x2000])
    #expect(walk().problem != nil)
  }

  @Test func absentNodeLeavesTheOthers() {
    let nodes = kernel.fillXArray(at: array.address, [0: 0x1000, 70: 0x2000, 130: 0x3000])
    let apart = kernel.allocatePage()
    kernel.object("xa_node", at: nodes[0]).setElement("slots", 1, apart.rawValue | 2)
    kernel.setAbsence(.excluded, at: apart)
    #expect(walk().elements == entries([0: 0x1000, 130: 0x3000]))
    #expect(walk().problem?.absence == .excluded)
  }

  @Test func limit() {
    kernel.fillXArray(
      at: array.address,
      Dictionary(uniqueKeysWithValues: (0..<200).map { (UInt64($0), 0x1000) }))
    #expect(walk(limit: 200).problem == nil)
    #expect(walk(limit: 100).elements.count <= 100)
    #expect(walk(limit: 100).problem != nil)
  }

  @Test func radixTree() {
    let types = kernel.types
    types.remove("xarray")
    types.define("radix_tree_root", "u32 gfp_mask", "void *rnode")
    types.define("radix_tree_node", "u8 shift", "u8 offset", "void *parent", "void *slots[64]")
    let root = kernel.make("radix_tree_root")
    let node = kernel.make("radix_tree_node")
    // An ordinary pointer, an exceptional entry and an internal (retry) entry.
    node.setElement("slots", 3, 0x1000)
    node.setElement("slots", 4, 0x2002)
    node.setElement("slots", 5, 1)
    root["rnode"] = node.address.rawValue | 1
    #expect(
      kernel.image().xarray(at: root.address).elements == entries([3: 0x1000, 4: 0x2002]))
  }

  @Test func typesWithoutLengthAreAnError() {
    kernel.fillXArray(at: array.address, [0: 0x1000, 70: 0x2000])
    kernel.types.define("xa_node", "u8 shift", "void *slots[]")
    #expect(walk().problem != nil)
    kernel.types.add(
      StructLayout(
        name: "xa_node", byteCount: 16,
        members: [
          "shift": Member(offset: 0, shape: .integer(byteCount: 1, isSigned: false)),
          "slots": Member(offset: 8, shape: .array(of: .pointer(to: nil), count: -1)),
        ]))
    #expect(walk().problem != nil)
  }
}

struct IDATests {
  private let kernel = SyntheticKernel(cpuCount: 0)

  private func ids(_ ids: [UInt32]) -> LinkWalk<UInt32> {
    let ida = kernel.make("ida")
    kernel.fillIDA(at: ida.address, ids)
    return kernel.image().ida(at: ida.address)
  }

  @Test(
    arguments: [
      [], [0], [2, 3, 62], [63], [2, 1023], [2, 1024, 65535], [1024, 1086], [0, 1 << 20],
    ] as [[UInt32]])
  func givenIDs(_ list: [UInt32]) {
    let walk = ids(list)
    #expect(walk.elements == list)
    #expect(walk.problem == nil)
  }

  @Test func absentBitmapLeavesTheOthers() {
    let ida = kernel.make("ida")
    let missing = kernel.allocatePage()
    kernel.setAbsence(.excluded, at: missing)
    kernel.fillXArray(
      at: ida.object("xa").address, [0: missing.rawValue, 1: 1 << 3 | 1])
    let walk = kernel.image().ida(at: ida.address)
    #expect(walk.elements == [1026])
    #expect(walk.problem?.absence == .excluded)
  }

  @Test func moreIDsThanTheLimit() {
    let ida = kernel.make("ida")
    let full = kernel.bitmap(Array(0..<1024), count: 1024)
    kernel.fillXArray(
      at: ida.object("xa").address,
      Dictionary(uniqueKeysWithValues: (0..<2000).map { (UInt64($0), full.rawValue) }))
    let walk = kernel.image().ida(at: ida.address, limit: 65536)
    #expect(walk.elements.count == 65536)
    #expect(walk.problem != nil)
  }
}
