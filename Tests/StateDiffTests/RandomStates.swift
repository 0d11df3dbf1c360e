// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState
import StateDiff
import StateFixtures

/// Pairs of states as a machine's dumps may differ: from one state, changed a little on each side.
struct RandomStates {
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func pair() -> (StateDiff.Side, StateDiff.Side) {
    var base = RemappingState.sample
    for index in base.domains.indices where base.domains[index].mapping != nil {
      base.domains[index].mapping = mapping()
    }
    return (side(base), side(base))
  }

  private mutating func side(_ base: RemappingState) -> StateDiff.Side {
    var state = base
    for _ in 0..<Int.random(in: 0...10, using: &random) { mutate(&state) }
    let rules = ["a.one", "a.two", "b.three"]
    let findings = (0..<Int.random(in: 0...4, using: &random)).map { number in
      Finding(
        rule: rules.randomElement(using: &random) ?? "", severity: .warning,
        unit: Bool.random(using: &random) ? "dmar0" : nil, message: "message \(number)")
    }
    return StateDiff.Side(state, findings: findings)
  }

  private mutating func mapping() -> Mapping {
    var runs: [Run] = []
    var iova: UInt64 = 0
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      iova += UInt64.random(in: 0...3, using: &random) * 0x1000
      let length = UInt64.random(in: 1...4, using: &random) * 0x1000
      runs.append(
        Run(
          iova: IOVirtualAddress(iova), length: HexWord(length),
          physical: PhysicalAddress(UInt64.random(in: 0...5, using: &random) * 0x1000),
          access: [.read, .write, .readWrite].randomElement(using: &random) ?? .read))
      iova += length
    }
    return Mapping(leaves: runs.count, bytes: UInt64(runs.count), runs: runs)
  }

  private mutating func mutate(_ state: inout RemappingState) {
    switch Int.random(in: 0...11, using: &random) {
    case 0:
      if let index = state.domains.indices.randomElement(using: &random) {
        state.domains[index].mapping = mapping()
      }
    case 1:
      // Ids are handed out anew.
      let shift = UInt32.random(in: 0...3, using: &random)
      for index in state.contexts.indices { state.contexts[index].domainID? += shift }
      for index in state.domains.indices { state.domains[index].domainID? += shift }
    case 2:
      if let index = state.contexts.indices.randomElement(using: &random) {
        state.contexts.remove(at: index)
      }
    case 3:
      if let index = state.contexts.indices.randomElement(using: &random) {
        state.contexts.append(state.contexts[index])
      }
    case 4:
      if let index = state.domains.indices.randomElement(using: &random) {
        state.domains.remove(at: index)
      }
    case 5: state.devices.shuffle(using: &random)
    case 6:
      if let index = state.devices.indices.randomElement(using: &random) {
        state.devices[index].driver = ["e1000e", "nvme", nil].randomElement(using: &random) ?? nil
        state.devices[index].reservedRegions.removeAll()
      }
    case 7:
      // The kernel finds the units in another order.
      for index in state.units.indices { state.units[index].name = "dmar\(index + 1)" }
      for index in state.contexts.indices {
        state.contexts[index].unit = state.contexts[index].unit == "dmar0" ? "dmar1" : "dmar2"
      }
    case 8:
      if let index = state.units.indices.randomElement(using: &random) {
        state.units[index].translationEnabled?.toggle()
        state.units[index].domainIDs.used?.append(77)
      }
    case 9: state.units.removeLast()
    case 10:
      if let index = state.reservedRegions.indices.randomElement(using: &random) {
        state.reservedRegions[index].mapped = .partial
      }
    default:
      if let index = state.domains.indices.randomElement(using: &random) {
        state.domains[index].iova?.allocated.append(
          IOVARange(start: 0x1000, end: 0x2fff, state: .live))
        state.domains[index].devices.removeAll()
      }
    }
    if state.units.isEmpty { state.units = RemappingState.sample.units }
  }
}
