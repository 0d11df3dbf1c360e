// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import Inheritance
internal import Investigation
internal import KernelImage
internal import LinuxIOMMU
internal import Memory
internal import RemappingState

/// The real writer of extracts: runs the analyses on a recording memory and stores what they read.
struct ExtractEngine: DumpExtractor {
  func extract(
    _ request: DumpRequest, to path: String, console: Console
  ) throws(CommandFailure) {
    let session = try Session(request, recording: true)
    let (kernel, state) = try session.kernelAndState(console)
    session.readForOtherVerbs(kernel, state)
    guard let recorder = session.memory as? RecordingMemory else { return }
    console.progress("writing \(path)")
    do {
      try ExtractWriter(
        session.dump, frames: recorder.record.lazy.map(\.frame),
        symbols: session.image.symbols.addresses
      ).write(to: path)
    } catch {
      throw CommandFailure("\(error)")
    }
  }
}

extension Session {
  /// Reads what a report does not need but a reader of the extract may: the kernel's own BTF where
  /// the types came from elsewhere, the whole kernel log, what a forecast of the crash kernel asks,
  /// and the history of events and invalidations.
  ///
  /// What cannot be read is missing from the original too.
  fileprivate func readForOtherVerbs(_ kernel: LinuxIOMMU, _ state: RemappingState) {
    _ = try? image.reader.btf(image.symbols)
    try? image.newestMessages { _ in true }
    _ = machineFacts(kernel)
    _ = TraceRing(reading: image)
    _ = InvalidationHistory.descriptors(
      DumpEvidence(state: state, memory: memory, kernel: KernelEvidence(image, kernel)))
  }
}
