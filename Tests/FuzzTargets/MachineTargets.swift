// SPDX-License-Identifier: Apache-2.0

import Assembly
import Audit
import Commands
import DumpFixtures
import Evidence
import Inheritance
import KernelFixtures
import KernelImage
import LinuxIOMMU
import MachineFixtures
public import Memory
import MemoryFixtures
import RemappingState
import Report
import Session
import StateDiff
import TableCopy

extension FuzzTarget {
  /// Whole verbs over a machine whose kernel and tables lie.
  static let machines: [FuzzTarget] = [
    machine(
      "report",
      [
        ["report", "machine"], ["report", "machine", "--format", "json"],
        ["report", "machine", "--format", "sarif"], ["report", "machine", "--format", "ndjson"],
        ["report", "machine"], ["report", "machine", "--format", "json"],
        // A page takes as long as all of these.
        ["report", "machine", "--format", "html"],
      ]),
    machine(
      "faults",
      [
        ["faults", "machine"], ["faults", "machine", "--format", "json"],
        [
          "faults", "machine", "--line",
          "DMAR: [DMA Write] Request device [17:00.0] PASID 1 fault addr 7f0000000000 [fault reason 05]",
        ],
      ]),
    machine("history", [["history", "machine"], ["history", "machine", "--format", "json"]]),
    machine(
      "listings",
      [
        ["tables", "machine", "--interrupts"], ["tables", "machine", "--format", "debugfs"],
        ["tables", "machine", "--device", "0000:17:00.0", "--pasid", "2", "--format", "json"],
      ]),
    machine(
      "addresses",
      [
        ["owners", "machine", "0x4000000-0x6ffffff"],
        ["translate", "machine", "--device", "0000:17:00.0", "--pasid", "1", "0x7f0000000000"],
        ["translate", "machine", "--device", "0000:00:02.0", "0xffe00000", "0xfee00000"],
        ["report", "machine", "--device", "0001:03:00.0", "--format", "json"],
      ]),
    machine("inherit") { evidence, choice in
      guard let kernel = evidence.kernel else { return }
      let facts = MachineFacts(reading: kernel, of: evidence)
      let forecast = Forecaster(
        evidence.state, memory: evidence.memory, facts: facts, budget: .init(evidence.work)
      ).forecast()
      let document = InheritDocument(
        dump: evidence.state.dump, forecast: forecast, cuts: evidence.work.cuts)
      switch choice % 3 {
      case 0: _ = json(document)
      case 1: try? InheritText().write(document, to: NowhereSink())
      default: try? InheritPage().write(document, to: NowhereSink())
      }
    },
    machine("diff") { evidence, choice in
      let sound = Machines.shared[0].value.sound
      let old = StateDiff.Side(sound.state, findings: Audit.findings(of: sound.state))
      let new = StateDiff.Side(evidence.state, findings: Audit.findings(of: evidence.state))
      let diff = StateDiff(
        from: choice & 1 == 0 ? old : new, to: choice & 1 == 0 ? new : old,
        options: DiffOptions(addresses: true))
      let document = DiffDocument(old: sound.state.dump, new: evidence.state.dump, diff: diff)
      switch (choice >> 1) % 3 {
      case 0: _ = json(document)
      case 1: try? DiffText().write(document, to: NowhereSink())
      default: try? DiffPage().write(document, to: NowhereSink())
      }
    },
    FuzzTarget(
      "dump", seeds: { MemoryEdits.seeds.map { [0, 0] + $0 } },
      run: { bytes in
        var input = FuzzBytes(bytes)
        let verb = verbs[input.index(below: verbs.count)]
        let file = Machines.files[input.index(below: Machines.files.count)].value
        let lies = FileLies(file, &input).bytes
        withFile(lies) { path in
          _ = Iommuscope.run(verb.map { $0 == "DUMP" ? path : $0 }, in: environment(DumpReader()))
        }
      }),
  ]

  /// Where a machine without lies is cut by the budget that a fuzzer's run has; nowhere, or lies would never
  /// be read to their end.
  public static var cutsOfSoundMachine: [Cut] { Machines.shared[0].value.sound.work.cuts }

  private static let verbs: [[String]] = [
    ["report", "DUMP"], ["inherit", "DUMP"], ["faults", "DUMP"], ["history", "DUMP"],
    ["tables", "DUMP"], ["carve", "DUMP"], ["diff", "DUMP", "DUMP"],
    ["report", "DUMP", "--format", "json"],
  ]

  /// Lies about a machine, read by `use`, whose second argument is any byte.
  private static func machine(
    _ name: String, choices: Int = 6, _ use: @escaping @Sendable (DumpEvidence, UInt8) -> Void
  ) -> FuzzTarget {
    FuzzTarget(
      name,
      seeds: {
        Machines.shared.indices.flatMap { number in
          (0..<choices).map { choice in
            [UInt8(number), UInt8(choice)] + MemoryEdits.seeds[choice % MemoryEdits.seeds.count]
          }
        }
      },
      run: { bytes in
        var input = FuzzBytes(bytes)
        let machine = Machines.shared[input.index(below: Machines.shared.count)].value
        let choice = input.byte()
        let memory = machine.edits.applied(&input)
        guard let evidence = machine.evidence(memory) else { return }
        use(evidence, choice)
      })
  }

  /// Lies about a machine, before one of some command lines.
  private static func machine(_ name: String, _ lines: [[String]]) -> FuzzTarget {
    machine(name, choices: lines.count) { evidence, choice in
      _ = Iommuscope.run(
        lines[Int(choice) % lines.count], in: environment(Prepared(evidence: evidence)))
    }
  }

  private static func environment(_ source: any EvidenceSource) -> Environment {
    Environment(standardOutput: NowhereSink(), standardError: NowhereSink(), evidence: source)
  }
}

/// Evidence that is there already.
private struct Prepared: EvidenceSource, @unchecked Sendable {
  /// Used by the thread that made it.
  var evidence: DumpEvidence

  func evidence(
    of request: DumpRequest, below roots: [RootTable], progress: any SessionProgress
  ) throws(SessionError) -> DumpEvidence { evidence }
}

/// Sound machines of several generations of kernels.
private enum Machines {
  static let shared: [Once<SoundMachine>] =
    [Once { SoundMachine(.sample) }]
    + KernelVariant.all.enumerated().map { number, variant in
      Once {
        var random = SeededGenerator(seed: UInt64(7 + number))
        return SoundMachine(.random(variant, &random))
      }
    }

  /// Whole dumps of them.
  static let files: [Once<[UInt8]>] = [
    Once { BuiltMachine(.sample).kdump() },
    Once { BuiltMachine(.sample).elf() },
    Once {
      var random = SeededGenerator(seed: 11)
      return BuiltMachine(.random(.g5c, &random)).elf()
    },
  ]
}

/// A machine that has not been touched.
private struct SoundMachine: @unchecked Sendable {
  /// Never written to after it was made.
  let machine: BuiltMachine
  let edits: MemoryEdits
  let sound: DumpEvidence

  init(_ plan: MachinePlan) {
    let machine = BuiltMachine(plan)
    let kernel = machine.kernel.kernel
    self.machine = machine
    // Types and symbols lie behind everything else, but for per-CPU data; others fuzz them.
    let types = kernel.symbols["__start_BTF"].map { kernel.physical($0[0]).rawValue } ?? .max
    edits = MemoryEdits(
      kernel.memory, pointer: { kernel.virtual(PhysicalAddress($0)).rawValue },
      isMeant: { $0 < types || $0 >= 0x200_0000 })
    sound =
      Self.evidence(kernel, kernel.memory)
      ?? DumpEvidence(
        state: RemappingState(dump: DumpSummary(file: "machine", format: "elf")),
        memory: kernel.memory)
  }

  func evidence(_ memory: SyntheticMemory) -> DumpEvidence? {
    Self.evidence(machine.kernel.kernel, memory)
  }

  /// What a session makes of it, without a file in between.
  private static func evidence(
    _ kernel: SyntheticKernel, _ memory: SyntheticMemory
  ) -> DumpEvidence? {
    let work = WorkBudget.ofMachine
    let image = kernel.image(memory: memory, work: work)
    guard let structures = try? LinuxIOMMU(reading: image) else { return nil }
    let state = RemappingState(
      DumpSummary(file: "machine", format: "elf", release: "7.3.4-machine", typesFrom: "btf"),
      memory: memory, kernel: structures, pages: LinuxPages(image), work: work)
    return DumpEvidence(
      state: state, memory: memory, kernel: KernelEvidence(image, structures), work: work)
  }
}

/// A file of which words lie, wherever they stand.
private struct FileLies {
  private(set) var bytes: [UInt8]

  init(_ file: [UInt8], _ input: inout FuzzBytes) {
    bytes = file
    for _ in 0..<32 where !input.isEmpty {
      let kind = input.byte()
      let place = input.index(below: bytes.count / 8) * 8
      switch kind & 3 {
      case 0: store(input.word(), at: place)
      case 1: store(UInt64.extremes[input.index(below: UInt64.extremes.count)], at: place)
      case 2: bytes[place + Int(kind >> 5)] ^= input.byte()
      default:
        let other = input.index(below: bytes.count / 8) * 8
        for index in 0..<8 { bytes[place + index] = bytes[other + index] }
      }
    }
    if input.byte() & 1 == 1 { bytes.removeLast(min(bytes.count, Int(input.word(3)))) }
  }

  private mutating func store(_ value: UInt64, at place: Int) {
    for index in 0..<8 {
      bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }
}
