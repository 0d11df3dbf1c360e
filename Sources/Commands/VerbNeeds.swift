// SPDX-License-Identifier: Apache-2.0

internal import Evidence
internal import Faults
internal import History
internal import Inheritance
internal import KernelImage
internal import LinuxIOMMU
internal import Memory
internal import Owners
internal import Session
internal import TableCopy

/// What the verbs together ask of a kernel: what is looked for when a dump is opened, and what an
/// extract must hold so that they give the same answers on it.
enum VerbNeeds {
  /// Every symbol that a reader behind some verb looks for.
  static let symbols: Set<String> = [
    KernelImage.symbols, LinuxIOMMU.symbols, MachineFacts.symbols, PageClassifier.symbols,
    TraceRing.symbols, FaultLog.symbols,
  ].reduce(into: []) { $0.formUnion($1) }

  /// Reads what a report does not need but a reader of an extract may: the kernel's own BTF where
  /// the types came from elsewhere, the whole kernel log, what a forecast of the crash kernel asks,
  /// and the history of events and invalidations.
  ///
  /// What cannot be read is missing from the original too.
  static func read(_ evidence: DumpEvidence, _ kernel: KernelEvidence, in session: Session) {
    session.begin(.types)
    _ = try? kernel.image.reader.btf(kernel.image.symbols)
    session.begin(.log)
    try? kernel.image.newestMessages { _ in true }
    _ = KernelAccount.commandLine(kernel.image, [])
    session.begin(.crashKernel)
    let facts = MachineFacts(reading: kernel, of: evidence)
    _ = session.crashCommandLine(in: facts.crashKernelMemory)
    readTakeover(evidence, kernel, facts, in: session)
    session.begin(.history)
    _ = TraceRing(reading: kernel.image)
    _ = InvalidationHistory.descriptors(evidence)
  }

  /// Reads what a crash kernel that runs in the reservation did, as an image of the whole machine has it.
  private static func readTakeover(
    _ evidence: DumpEvidence, _ kernel: KernelEvidence, _ facts: MachineFacts, in session: Session
  ) {
    guard let second = session.crashKernel(beside: kernel, in: facts.crashKernelMemory) else {
      return
    }
    _ = Forecaster(
      evidence.state, memory: session.memory, facts: facts,
      options: ForecastOptions(policies: [.linux]), budget: CopyBudget(session.work)
    ).forecast(
      beside: CrashTakeover(release: second.release, structures: second.kernel?.structures)
    ) { _ in }
  }
}
