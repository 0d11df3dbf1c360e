// SPDX-License-Identifier: Apache-2.0

internal import Assembly
internal import Carving
internal import DumpFile
public import Evidence
internal import KernelImage
internal import KernelTypes
internal import LinuxIOMMU
internal import Memory
public import RemappingState

extension Session {
  /// The whole line: the state of the dump and the memory behind it.
  ///
  /// Where the kernel's structures cannot be read, and nobody said what to read them with, root
  /// tables are found by their shape; a warning and the state's first observation say so.
  ///
  /// - Parameters:
  ///   - roots: root tables to start from; if there are any, the kernel is not looked at, and neither
  ///     symbols nor types are needed.
  ///   - names: every symbol that will be looked for in the kernel's image.
  public func evidence(
    below roots: [RootTable], asking names: Set<String>
  ) throws(SessionError) -> DumpEvidence {
    guard roots.isEmpty else { return evidence(below: roots) }
    var log: KernelImage?
    do {
      return evidence(from: try kernel(asking: names, log: &log))
    } catch {
      // Whoever names symbols or types wants to know that they do not fit.
      guard request.vmlinux == nil, request.symbols == nil else { throw error }
      if let evidence = evidence(belowRegisters: error, log) { return evidence }
      let carved = carvedRoots()
      guard !carved.isEmpty else { throw error }
      var evidence = evidence(
        below: carved.map {
          RootTable(
            address: $0.address, mode: $0.mode == .legacy ? .legacy : .scalable, origin: .carved)
        }, log)
      progress.warning(
        "the kernel's structures cannot be read (\(error)); "
          + "root tables were found by their shape instead")
      evidence.state.observations.insert(
        Observation(
          .unreadable, structure: .kernel(.everything),
          detail: "\(error); root tables were found by their shape instead"), at: 0)
      return evidence
    }
  }

  /// The state below the root tables that the units' own registers point to; `nil` where nobody gave
  /// registers, or none of them has a root table.
  private func evidence(
    belowRegisters error: SessionError, _ log: KernelImage?
  ) -> DumpEvidence? {
    let roots = request.registers.compactMap(\.givenRoot)
    guard !roots.isEmpty else { return nil }
    var evidence = evidence(below: roots, log)
    let words = "root tables were taken from the registers that were given"
    progress.warning("the kernel's structures cannot be read (\(error)); \(words) instead")
    evidence.state.observations.insert(
      Observation(
        .unreadable, structure: .kernel(.everything), detail: "\(error); \(words) instead"), at: 0)
    return evidence
  }

  /// The state that follows from both witnesses: what the kernel believed, and the tables in memory.
  public func evidence(from kernel: KernelEvidence) -> DumpEvidence {
    begin(.tables)
    progress.progress("walking the tables")
    var state = RemappingState(
      summary(of: kernel.image), memory: memory, kernel: kernel.structures,
      registers: request.registers, pages: LinuxPages(kernel.image),
      findsSharedPages: request.findsSharedPages, work: work)
    if kernel.image.info.isFound {
      state.observations.insert(
        Observation(
          .unreadable, structure: .dump,
          detail:
            "it has no VMCOREINFO; the kernel's own image told where it lies, and nothing tells "
            + "the time of the crash"), at: 0)
    }
    return DumpEvidence(
      state: withObstacles(state, kernel.image.info), memory: memory, kernel: kernel, work: work)
  }

  /// The state that root tables alone tell, and what the kernel's log says of its end.
  private func evidence(below roots: [RootTable], _ log: KernelImage? = nil) -> DumpEvidence {
    progress.progress("walking the tables")
    var summary = symbollessSummary
    summary.panic = log?.panicMessage()
    let state = RemappingState(summary, memory: memory, roots: roots, work: work)
    return DumpEvidence(
      state: withObstacles(state, log?.info ?? filedInfo), memory: memory,
      log: log, work: work)
  }

  /// What the file lacks comes first, then what is wrong with its account of the kernel.
  private func withObstacles(_ state: RemappingState, _ info: VMCoreInfo) -> RemappingState {
    var obstacles = dump.obstacles + info.obstacles
    if let header = dump.release, let note = info.release, header != note {
      obstacles.append("VMCOREINFO names the release \(note), the file's own header \(header)")
    }
    var state = state
    state.observations =
      obstacles.map { Observation(.unreadable, structure: .dump, detail: $0) } + state.observations
    return state
  }

  // MARK: The dump in a few words

  /// What the file's own note says.
  private var filedInfo: VMCoreInfo { VMCoreInfo(dump.vmcoreinfo ?? []) }

  /// What a dump's file tells where nothing is known of its kernel.
  public var symbollessSummary: DumpSummary {
    let info = filedInfo
    return DumpSummary(
      file: request.name, format: dump.format.rawValue, release: info.release ?? dump.release,
      buildID: info.buildID, typesFrom: nil,
      kaslrOffset: info.kernelOffset.map { HexWord($0) }, crashTime: info.crashTime,
      contents: contents, dumpLevel: dump.dumpLevel)
  }

  private func summary(of image: KernelImage) -> DumpSummary {
    DumpSummary(
      file: request.name, format: dump.format.rawValue, release: image.info.release ?? dump.release,
      buildID: image.info.buildID, typesFrom: image.types.origin?.rawValue,
      kaslrOffset: image.info.kernelOffset.map { HexWord($0) }, panic: image.panicMessage(),
      crashTime: image.info.crashTime, contents: contents, dumpLevel: dump.dumpLevel)
  }

  private var contents: DumpSummary.Contents? {
    if dump.extract != nil { return .extract }
    // An ELF dump does not keep what it was filtered with.
    return dump.dumpLevel.map { $0 == 0 ? .all : .filtered }
  }
}
