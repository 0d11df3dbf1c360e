// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import MemoryFixtures
import Testing

struct RedBlackTreeTests {
  private let kernel = SyntheticKernel(cpuCount: 0)
  private let root: KernelAddress

  init() {
    root = kernel.allocate(8)
  }

  private func walk(limit: Int = 1 << 24) -> LinkWalk<KernelAddress> {
    kernel.image().redBlackTree(at: root, limit: limit)
  }

  private func nodes(_ count: Int) -> [FixtureObject] {
    let nodes = (0..<count).map { _ in kernel.make("rb_node") }
    kernel.fillTree(at: root, nodes.map(\.address))
    return nodes
  }

  @Test(arguments: [0, 1, 2, 3, 100, 1000])
  func balancedTreeInOrder(_ count: Int) {
    let nodes = nodes(count)
    #expect(walk().elements == nodes.map(\.address))
    #expect(walk().problem == nil)
  }

  /// Unbalanced insertion gives every shape of tree.
  @Test func randomInsertionsKeepTheOrder() {
    var random = SeededGenerator(seed: .random(in: .min ... .max))
    for _ in 0..<20 {
      var keys: [KernelAddress: UInt64] = [:]
      kernel.write(0 as UInt64, at: root)
      for _ in 0..<random.index(below: 200) {
        let node = kernel.make("rb_node")
        keys[node.address] = random.next()
        var place = root
        var parent: UInt64 = 0
        while case let next = kernel.word(at: place), next != 0 {
          parent = next
          let path =
            keys[node.address, default: 0] < keys[KernelAddress(next), default: 0]
            ? "rb_left" : "rb_right"
          place = kernel.object("rb_node", at: KernelAddress(next)).address(of: path)
        }
        // The root is black.
        node["__rb_parent_color"] = parent == 0 ? 1 : parent | random.next() & 1
        kernel.write(node.address.rawValue, at: place)
      }
      let walk = walk()
      let sorted = keys.sorted { $0.value < $1.value }.map(\.key)
      #expect(walk.elements == sorted, "seed \(random.seed)")
      #expect(walk.problem == nil, "seed \(random.seed)")
    }
  }

  @Test func wrongParentIsAProblemButTheWalkGoesOn() {
    let nodes = nodes(7)
    nodes[1]["__rb_parent_color"] = nodes[6].address.rawValue | 1
    #expect(walk().elements == nodes.map(\.address))
    #expect(walk().problem?.address == nodes[1].address)
  }

  @Test(arguments: ["rb_left", "rb_right"])
  func nodeThatLeadsBackUp(_ side: String) {
    let nodes = nodes(7)
    nodes[0][side] = nodes[3].address.rawValue
    // What hangs elsewhere is still there.
    #expect(walk().elements == nodes.map(\.address))
    #expect(walk().problem?.description.contains("twice") == true)
  }

  @Test(arguments: ["rb_left", "rb_right"])
  func treeDeeperThanABalancedOne(_ side: String) {
    let nodes = (0..<300).map { _ in kernel.make("rb_node") }
    var parent: UInt64 = 0
    for (node, next) in zip(nodes, nodes.dropFirst()) {
      node.set(["__rb_parent_color": parent | 1, side: next.address.rawValue])
      parent = node.address.rawValue
    }
    kernel.write(nodes[0].address.rawValue, at: root)
    #expect(walk().elements.count == 128)
    #expect(walk().problem?.description.contains("deep") == true)
  }

  @Test func absentNodeLeavesTheRest() {
    let nodes = nodes(15)
    let missing = kernel.allocatePage()
    nodes[11]["rb_left"] = missing.rawValue
    kernel.setAbsence(.excluded, at: missing)
    #expect(walk().elements == (nodes[..<8] + nodes[11...]).map(\.address))
    #expect(walk().problem?.absence == .excluded)
  }

  /// A file system that lost a block gives zeros: no node, whatever holds it.
  @Test func aNodeOfZerosIsNone() {
    let nodes = nodes(7)
    nodes[2].set(["__rb_parent_color": 0, "rb_left": 0, "rb_right": 0])
    #expect(walk().elements == nodes.map(\.address).filter { $0 != nodes[2].address })
    #expect(walk().problem?.address == nodes[2].address)
  }

  @Test func absentRoot() {
    kernel.setAbsence(.excluded, at: root)
    #expect(walk().elements.isEmpty)
    #expect(walk().problem?.absence == .excluded)
  }

  @Test func limit() {
    _ = nodes(100)
    #expect(walk(limit: 100).problem == nil)
    #expect(walk(limit: 10).elements.count <= 10)
    #expect(walk(limit: 10).problem != nil)
  }
}
