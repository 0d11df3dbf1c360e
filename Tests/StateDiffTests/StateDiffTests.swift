// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState
import StateFixtures
import Testing

@testable import StateDiff

/// One change to the sample, and every difference it must give, in order.
struct Step: Sendable, CustomTestStringConvertible {
  var name: String
  var expected: [String]
  var options: DiffOptions
  var change: @Sendable (inout RemappingState) -> Void

  init(
    _ name: String, _ expected: [String], options: DiffOptions = DiffOptions(),
    _ change: @escaping @Sendable (inout RemappingState) -> Void
  ) {
    self.name = name
    self.expected = expected
    self.options = options
    self.change = change
  }

  var testDescription: String { name }
}

struct StateDiffTests {
  static let steps: [Step] = [
    Step("nothing", []) { _ in },
    Step("another file, kernel and address of every object", []) {
      $0.dump.file = "other"
      $0.dump.release = "7.3"
      func moved(_ object: KernelAddress?) -> KernelAddress? {
        object.map { KernelAddress($0.rawValue &+ 0x40) }
      }
      for index in $0.domains.indices {
        $0.domains[index].kernelObject = moved($0.domains[index].kernelObject)
      }
      for index in $0.devices.indices {
        $0.devices[index].kernelObject = moved($0.devices[index].kernelObject)
        $0.devices[index].domain = moved($0.devices[index].domain)
      }
    },
    Step(
      "an altered domain-id, which leaves the kernel's domain behind",
      [
        "dmar0 0000:00:02.0: domainID 5 -> 77", "+ -", "dmar0 0000:00:02.0: domainID 5 -> 77",
      ]
    ) {
      $0.contexts[0].domainID = 77
      for index in $0.domains.indices where $0.domains[index].devices == ["0000:00:02.0"] {
        var believed = $0.domains[index]
        believed.devices = []
        believed.inFlight = false
        $0.domains[index].domainID = 77
        $0.domains.append(believed)
      }
    },
    Step("tables elsewhere", []) { $0.moveTables() },
    Step(
      "tables elsewhere, and addresses are asked for",
      [
        "dmar0 0000:00:02.0: table 0x300000 -> 0x900000",
        "dmar0 0000:00:02.0: table 0x300000 -> 0x900000",
      ],
      options: DiffOptions(addresses: true)
    ) { $0.moveTables() },
    Step(
      "domain-ids handed out anew",
      [
        "dmar0 0000:00:02.0: domainID 5 -> 25", "dmar0 0000:00:02.0: domainID 5 -> 25",
        "0000:00:02.0: domainID 5 -> 25",
      ]
    ) {
      $0.contexts[0].domainID = 25
      for index in $0.domains.indices where $0.domains[index].devices == ["0000:00:02.0"] {
        $0.domains[index].domainID = 25
      }
      $0.devices[0].domainID = 25
    },
    Step(
      "a device gone from the hardware and from the kernel",
      ["- 0000:00:03.0", "- 0000:00:03.0", "- 0000:00:03.0"]
    ) {
      $0.contexts.removeAll { $0.device == "0000:00:03.0" }
      $0.domains.removeAll { $0.devices == ["0000:00:03.0"] }
      $0.devices.removeAll { $0.device == "0000:00:03.0" }
    },
    Step("rows in another order", []) {
      $0.contexts.reverse()
      $0.domains.reverse()
      $0.devices.reverse()
      $0.units.reverse()
    },
    Step(
      "units numbered the other way round",
      ["0 0xfed90000: name dmar0 -> dmar1", "0 0xfed91000: name dmar1 -> dmar0"]
    ) { $0.swapUnits() },
    Step("translation off", ["0 0xfed90000: translationEnabled yes -> no"]) {
      $0.units[0].translationEnabled = false
    },
    Step(
      "one page moved",
      ["dmar0 0000:00:02.0: 0xffffb000...0xffffbfff moved 0x123457000 r -> 0x777000 r"]
    ) { $0.movePage() },
    Step("one page moved, and pages do not matter", [], options: DiffOptions(ignorePhysical: true))
    {
      $0.movePage()
    },
    Step(
      "access taken away",
      ["dmar0 0000:00:02.0: 0xffffe000...0xffffefff access 0x123451000 rw -> 0x123451000 r"]
    ) { $0.runs(5) { $0[2].access = .read } },
    Step(
      "access taken away, and pages do not matter",
      ["dmar0 0000:00:02.0: 0xffffe000...0xffffefff access rw -> r"],
      options: DiffOptions(ignorePhysical: true)
    ) { $0.runs(5) { $0[2].access = .read } },
    Step(
      "unmapped at the end", ["dmar0 0000:00:02.0: 0xfffff000...0xffffffff removed 0x8000 w -> -"]
    ) { $0.runs(5) { $0.removeLast() } },
    Step(
      "mapped up to the last byte of 64 bits",
      ["dmar0 0000:00:02.0: 0xfffffffffffff000...0xffffffffffffffff added - -> 0x1000 r"]
    ) {
      $0.runs(5) {
        $0.append(
          Run(
            iova: 0xffff_ffff_ffff_f000, length: 0x1000, physical: 0x1000, access: .read))
      }
    },
    Step(
      "neighbours that go on are one range",
      ["dmar0 0000:00:02.0: 0x1000...0x3fff added - -> 0x5000 rw"]
    ) {
      $0.runs(5) {
        $0.insert(
          contentsOf: [
            Run(iova: 0x1000, length: 0x1000, physical: 0x5000, access: .readWrite),
            Run(iova: 0x2000, length: 0x2000, physical: 0x6000, access: .readWrite),
          ], at: 0)
      }
    },
    Step(
      "a leak",
      ["dmar0 0000:00:02.0: iova.live 3 ranges of 24576 bytes -> 4 ranges of 28672 bytes"]
    ) {
      for index in $0.domains.indices where $0.domains[index].domainID == 5 {
        $0.domains[index].iova?.allocated.append(
          IOVARange(start: 0xfffe_0000, end: 0xfffe_0fff, state: .live))
      }
    },
    Step(
      "legacy to scalable mode: the same requests without PASID",
      ["dmar0 0000:00:02.0: pasid - -> 0"]
    ) { $0.contexts[0].pasid = 0 },
    Step(
      "a region mapped no more",
      ["0 0xbd800000 0xbd801fff rmrr: mapped identity -> absent"]
    ) { $0.reservedRegions[1].mapped = .absent },
  ]

  @Test(arguments: steps) func names(_ step: Step) {
    var state = RemappingState.sample
    step.change(&state)
    let diff = StateDiff(
      from: StateDiff.Side(.sample), to: StateDiff.Side(state), options: step.options)
    #expect(diff.lines == step.expected)
    #expect(diff.isEmpty == step.expected.isEmpty)
  }

  @Test func findingsCompareByRuleAndSubject() {
    let old = [
      Finding(rule: "a.b", severity: .error, unit: "dmar0", message: "one"),
      Finding(rule: "a.b", severity: .error, unit: "dmar1", message: "two"),
      Finding(rule: "c.d", severity: .info, message: "three"),
    ]
    let new = [
      Finding(
        rule: "a.b", severity: .error, unit: "dmar0", message: "one more",
        evidence: [Evidence(what: "anything")]),
      Finding(rule: "c.d", severity: .info, message: "three"),
      Finding(rule: "c.d", severity: .info, message: "three again"),
    ]
    let diff = StateDiff(
      from: StateDiff.Side(.sample, findings: old), to: StateDiff.Side(.sample, findings: new)
    ).findings
    #expect(diff.added == [new[2]])
    #expect(diff.removed == [old[1]])
    #expect(
      diff.changed == [
        .field(
          FieldChange(
            key: RowKey([
              .init("rule", .text("a.b")), .init("unit", .text("dmar0")), .init("device", .null),
            ]), field: "message", old: .text("one"), new: .text("one more")))
      ])
  }

  @Test func aDomainThatLostMostOfItsDevicesIsStillTheSame() {
    var old = RemappingState.sample
    old.domains.removeAll()
    old.contexts.removeAll()
    var new = old
    func add(_ state: inout RemappingState, _ id: UInt32, _ devices: [DeviceName]) {
      for device in devices {
        guard let function = device.function else { continue }
        state.contexts.append(
          Context(
            unit: "dmar0", device: function, pasid: nil, translation: .secondStage, domainID: id,
            levels: 4, table: PhysicalAddress(UInt64(id) << 12), faultProcessingDisabled: false,
            raw: [], entry: 0))
      }
      state.domains.append(
        Domain(
          unit: "dmar0", domainID: id, table: PhysicalAddress(UInt64(id) << 12), devices: devices))
    }
    add(&old, 2, ["0000:00:01.0", "0000:00:02.0", "0000:00:03.0"])
    add(&old, 3, ["0000:00:04.0"])
    add(&new, 7, ["0000:00:01.0"])
    add(&new, 8, ["0000:00:02.0", "0000:00:03.0", "0000:00:04.0"])
    let diff = StateDiff(from: StateDiff.Side(old), to: StateDiff.Side(new)).domains
    #expect(diff.added.map(\.domainID) == [7])
    #expect(diff.removed.map(\.domainID) == [3])
    #expect(Set(diff.changed.map(\.key.description)) == ["dmar0 0000:00:02.0"])
  }
}

extension RemappingState {
  fileprivate mutating func runs(_ domainID: UInt32, _ change: (inout [Run]) -> Void) {
    for index in domains.indices where domains[index].domainID == domainID {
      if var mapping = domains[index].mapping {
        change(&mapping.runs)
        domains[index].mapping = mapping
      }
    }
  }

  fileprivate mutating func movePage() {
    runs(5) {
      $0[1].length = 0x1000
      $0.insert(
        contentsOf: [
          Run(iova: 0xffff_b000, length: 0x1000, physical: 0x77_7000, access: .read),
          Run(iova: 0xffff_c000, length: 0x1000, physical: 0x1_2345_8000, access: .read),
        ], at: 2)
    }
  }

  fileprivate mutating func moveTables() {
    for index in contexts.indices where contexts[index].table == 0x30_0000 {
      contexts[index].table = 0x90_0000
    }
    for index in domains.indices where domains[index].table == 0x30_0000 {
      domains[index].table = 0x90_0000
    }
  }

  fileprivate mutating func swapUnits() {
    func other(_ name: String?) -> String? {
      name == "dmar0" ? "dmar1" : name == "dmar1" ? "dmar0" : name
    }
    for index in units.indices { units[index].name = other(units[index].name) ?? "" }
    for index in contexts.indices { contexts[index].unit = other(contexts[index].unit) ?? "" }
    for index in domains.indices { domains[index].unit = other(domains[index].unit) }
    for index in devices.indices { devices[index].unit = other(devices[index].unit) }
  }
}

extension StateDiff {
  /// Every difference in a line.
  fileprivate var lines: [String] {
    units.lines(\.name) + contexts.lines(\.device.description)
      + domains.lines { $0.devices.first?.description ?? "-" }
      + devices.lines(\.device.description) + reservedRegions.lines(\.base.description)
      + findings.lines(\.rule)
  }
}

extension RowDifference {
  fileprivate func lines(_ name: (Row) -> String) -> [String] {
    removed.map { "- " + name($0) } + added.map { "+ " + name($0) }
      + changed.map { change in
        switch change {
        case .field(let change):
          return "\(change.key): \(change.field) \(change.old) -> \(change.new)"
        case .mapping(let change):
          func text(_ target: MappingChange.Target?) -> String {
            guard let target else { return "-" }
            return (target.physical.map { "\($0) " } ?? "") + target.access.rawValue
          }
          return "\(change.key): \(change.start)...\(change.end) \(change.kind.rawValue) "
            + "\(text(change.old)) -> \(text(change.new))"
        }
      }
  }
}
