// SPDX-License-Identifier: Apache-2.0

import Audit
import Inheritance
import KernelFixtures
import KernelTypes
import MachineFixtures
import Memory
import MemoryFixtures
import RemappingState
import StateFixtures
import Testing

/// A kernel whose types are not the known ones: members have other names or sizes. What is said of such a dump
/// is right, or missing with a word about it; nothing is wrong in silence.
///
/// `TYPE_CASES` sets the number of random changes and `TYPE_SEED` repeats a run.
struct NewerKernelTests {
  private static func plan(_ variant: KernelVariant) -> MachinePlan {
    var plan = MachinePlan(variant)
    let legacy = plan.addUnit()
    let scalable = plan.addUnit(mode: .scalable, segment: 1, includeAll: true)
    let first = plan.addDomain(.dma, [.init(0xffff_0000, to: 0x400_0000, bytes: 0x4000)])
    let second = plan.addDomain(.unmanaged, [.init(0x10_0000, to: 0x410_0000, bytes: 0x3000)])
    let third = plan.addDomain(.dmaFQ, [.init(0xfffe_0000, to: 0x420_0000, bytes: 0x2000)])
    plan.addDevice("0000:03:00.0", legacy, first, driver: "nvme")
    plan.addDevice("0001:04:00.0", scalable, third, driver: "e1000e", pasids: [9: second])
    plan.regions = [.init(range: 0x2_0000...0x2_1fff, devices: [0])]
    plan.caches = [.init(kind: .satc, segment: 1, required: true, devices: [1])]
    return plan
  }

  /// A member that is not as it was known.
  private struct Change: CustomStringConvertible {
    var structure: String
    var member: String
    var description: String { "\(structure).\(member)" }

    /// Whether a message is about it: it names the structure or the member.
    func isNamed(in message: String) -> Bool {
      let words = message.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
      return words.contains { $0 == structure || $0 == member }
    }
  }

  /// What is wrong without a word about what was changed; empty if nothing is.
  private func silentErrors(_ machine: BuiltMachine, _ changes: [Change] = []) -> [String] {
    let run: MachineRun
    do {
      run = try MachineRun(machine)
    } catch {
      let message = "\(error)"
      return changes.contains { $0.isNamed(in: message) } ? [] : ["no state: \(message)"]
    }
    let state = run.state
    var wrong: [String] = []
    let truth = Set(machine.truth.contexts)
    let rows = Set(
      state.contexts.map {
        MachineTruth.ContextRow(
          unit: $0.unit, device: $0.device, pasid: $0.pasid, translation: $0.translation,
          domainID: $0.domainID ?? .max, levels: $0.levels, table: $0.table)
      })
    if rows != truth { wrong.append("contexts") }
    for (index, device) in machine.plan.devices.enumerated() {
      guard let row = state.devices.first(where: { $0.device == device.name }) else {
        wrong.append("no device \(device.name)")
        continue
      }
      if row.unit != machine.name(ofUnit: device.unit) { wrong.append("unit of \(device.name)") }
      if row.driver != device.driver { wrong.append("driver of \(device.name)") }
      if row.group != Int(device.group) { wrong.append("group of \(device.name)") }
      let domain = device.domain.map { machine.domains[$0].address }
      if row.domain != domain { wrong.append("domain of \(device.name)") }
      let regions = machine.plan.regions.filter { $0.devices.contains(index) }.count
      if row.reservedRegions.filter({ $0.kind == .rmrr }).count != regions {
        wrong.append("regions of \(device.name)")
      }
    }
    for row in machine.truth.domains {
      let found = state.domains.first {
        $0.unit == row.unit && $0.table == row.table && !$0.devices.isEmpty
      }
      if let found, found.type != .unknown {
        let type: DomainType =
          switch row.kind {
          case .dma: .dma
          case .dmaFQ: .dmaFQ
          case .identity: .identity
          case .unmanaged: .unmanaged
          case .nested: .nested
          }
        if found.type != type { wrong.append("type of domain \(row.domainID): \(found.type)") }
      }
    }
    // Those two are words themselves.
    let admissions: Set<String> = ["kernel.malformed", "kernel.unreadable"]
    wrong += Audit.findings(of: state).map(\.rule).filter { !admissions.contains($0) }
    // Only a word about the change excuses what is wrong.
    let words = state.observations.filter { $0.kind == .malformed || $0.kind == .unreadable }
      .map(\.detail)
    let isSaid = changes.contains { change in words.contains { change.isNamed(in: $0) } }
    return isSaid ? [] : wrong.isEmpty ? [] : wrong + words.map { "said: \($0)" }
  }

  /// Members of every structure under a name that nobody knows: every `MEMBER_STRIDE`th, one after
  /// another.
  @Test(arguments: [KernelVariant.g2c, .g5a, .g6])
  func anyMemberMayHaveAnotherName(_ variant: KernelVariant) {
    let plan = Self.plan(variant)
    #expect(silentErrors(BuiltMachine(plan)) == [])
    let types = BuiltMachine(plan).kernel.kernel.types
    let stride = max(1, environmentNumber("MEMBER_STRIDE", default: 5))
    // Not the same members of the three.
    var number = variant.name.utf8.reduce(0) { $0 &+ Int($1) }
    for name in types.names {
      guard let layout = try? types.structure(named: name) else { continue }
      for member in layout.members.keys.sorted() {
        number += 1
        guard number % stride == 0 else { continue }
        let wrong = silentErrors(
          BuiltMachine(plan, publishing: { $0.rename(member, of: name, to: "__new_\(member)") }),
          [Change(structure: name, member: member)])
        #expect(wrong == [], "\(name).\(member) of \(variant)")
      }
    }
  }

  /// Random members are wider, and everything behind them lies elsewhere.
  @Test(arguments: [KernelVariant.g2c, .g5a, .g5d, .g6])
  func membersMayBeWider(_ variant: KernelVariant) {
    let cases = environmentNumber("TYPE_CASES", default: 12)
    let seed = UInt64(environmentNumber("TYPE_SEED", default: 1))
    var random = SeededGenerator(seed: seed)
    print("wider members: \(cases) kernels of \(variant), TYPE_SEED=\(seed)")
    let wider = ["u8 ": "u16 ", "u16 ": "u32 ", "u32 ": "u64 ", "int ": "long "]
    for number in 0..<cases {
      // The same for every build of one case, whatever the order of questions.
      let salt = random.next()
      var changed: [Change] = []
      let machine = BuiltMachine(
        Self.plan(variant),
        altering: { structure, declaration in
          guard !declaration.contains(":"), !declaration.contains("@"), !declaration.contains("*"),
            let (old, new) = wider.first(where: { declaration.hasPrefix($0.key) })
          else { return declaration }
          var hash = SeededGenerator(
            seed: (structure + declaration).utf8.reduce(salt) {
              ($0 ^ UInt64($1)) &* 0x100_0000_01b3
            })
          guard hash.chance(8) else { return declaration }
          let member = declaration.dropFirst(old.count).prefix { $0 != "[" }
          changed.append(Change(structure: structure, member: String(member)))
          return new + declaration.dropFirst(old.count)
        })
      let wrong = silentErrors(machine, changed)
      #expect(wrong == [], "case \(number), TYPE_SEED=\(seed), wider: \(changed)")
    }
  }
}
