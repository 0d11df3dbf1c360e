// SPDX-License-Identifier: Apache-2.0

internal import Assembly
internal import Carving
internal import DumpFile
public import Investigation
internal import KernelImage
internal import LinuxIOMMU
internal import Memory
public import RemappingState
internal import VTd

/// Opens a dump for questions that need its memory as well as its state.
public protocol EvidenceSource: Sendable {
  /// The dump's state and its memory.
  ///
  /// - Parameter roots: root tables to start from; the kernel's structures are not looked at then,
  ///   and neither symbols nor types are needed.
  func evidence(
    of request: DumpRequest, roots: [RootTable], console: Console
  ) throws(CommandFailure) -> DumpEvidence
}

/// The real source of evidence.
public struct Investigator: EvidenceSource {
  public init() {}

  public func evidence(
    of request: DumpRequest, roots: [RootTable], console: Console
  ) throws(CommandFailure) -> DumpEvidence {
    console.progress("opening \(request.name)")
    guard roots.isEmpty else { return try evidence(of: request, below: roots, console) }
    let reason: CommandFailure
    do throws(CommandFailure) {
      let session = try Session(request)
      for remark in session.remarks { console.warning(remark) }
      let (kernel, state) = try session.kernelAndState(console)
      return DumpEvidence(
        state: state, memory: session.memory, kernel: KernelEvidence(session.image, kernel))
    } catch {
      // Whoever names symbols or types wants to know that they do not fit.
      guard request.vmlinux == nil, request.symbols == nil else { throw error }
      reason = error
    }
    guard let dump = try? DumpFile.open(request.files) else { throw reason }
    let carved = dump.carvedRoots(console)
    guard !carved.isEmpty else { throw reason }
    var evidence = evidence(
      of: dump, name: request.name,
      below: carved.map {
        RootTable(
          address: $0.address, mode: $0.mode == .legacy ? .legacy : .scalable, origin: .carved)
      }, console)
    console.warning(
      "the kernel's structures cannot be read (\(reason)); "
        + "root tables were found by their shape instead")
    evidence.state.observations.insert(
      Observation(
        .unreadable, subject: "kernel structures",
        detail: "\(reason); root tables were found by their shape instead"), at: 0)
    return evidence
  }

  private func evidence(
    of request: DumpRequest, below roots: [RootTable], _ console: Console
  ) throws(CommandFailure) -> DumpEvidence {
    do {
      return evidence(
        of: try DumpFile.open(request.files), name: request.name, below: roots, console)
    } catch {
      throw CommandFailure("\(error)")
    }
  }

  private func evidence(
    of dump: DumpFile, name: String, below roots: [RootTable], _ console: Console
  ) -> DumpEvidence {
    console.progress("walking the tables")
    var state = RemappingState(
      DumpSummary(symbolless: dump, name: name), memory: dump.memory, roots: roots)
    state.observations =
      dump.obstacles.map { Observation(.unreadable, subject: "dump", detail: $0) }
      + state.observations
    return DumpEvidence(state: state, memory: dump.memory)
  }
}

extension DumpSummary {
  /// What a dump's file tells where nothing is known of its kernel.
  init(symbolless dump: DumpFile, name: String) {
    let info = VMCoreInfo(dump.vmcoreinfo ?? [])
    self.init(
      file: name, format: dump.format.rawValue, release: info.release ?? dump.release,
      buildID: info.buildID, typesFrom: nil,
      kaslrOffset: info.kernelOffset.map { HexWord($0) }, crashTime: info.crashTime)
  }
}
