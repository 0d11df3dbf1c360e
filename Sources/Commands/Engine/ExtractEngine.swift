// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import KernelImage
internal import Memory

/// The real writer of extracts: runs the analyses on a recording memory and stores what they read.
struct ExtractEngine: DumpExtractor {
  func extract(
    _ request: DumpRequest, to path: String, console: Console
  ) throws(CommandFailure) {
    let session = try Session(request, recording: true)
    _ = try session.state(console)
    session.readForOtherVerbs()
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
  /// the types came from elsewhere, the whole kernel log, and what the machine's memory was for.
  ///
  /// What cannot be read is missing from the original too.
  fileprivate func readForOtherVerbs() {
    _ = try? image.reader.btf(image.symbols)
    try? image.newestMessages { _ in true }
    for name in ["crashk_res", "crashk_low_res", "iomem_resource"] {
      if let address = image.symbol(name) { _ = image.resources(below: address) }
    }
  }
}
