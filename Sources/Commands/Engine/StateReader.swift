// SPDX-License-Identifier: Apache-2.0

internal import Assembly
internal import DumpFile
internal import Investigation
internal import KernelImage
internal import KernelTypes
internal import LinuxIOMMU
internal import Memory
internal import RemappingState

/// The real source of states: opens the dump, asks both witnesses and assembles.
struct StateReader: StateSource {
  func state(of request: DumpRequest, console: Console) throws(CommandFailure) -> RemappingState {
    console.progress("opening \(request.name)")
    return try Investigator().evidence(of: request, roots: [], console: console).state
  }
}

extension Session {
  /// Reads the kernel's structures and the hardware's tables.
  func state(_ console: Console) throws(CommandFailure) -> RemappingState {
    try kernelAndState(console).state
  }

  /// What the kernel believed, and the state that follows from both witnesses.
  func kernelAndState(
    _ console: Console
  ) throws(CommandFailure) -> (kernel: LinuxIOMMU, state: RemappingState) {
    console.progress("reading the kernel's structures")
    let kernel: LinuxIOMMU
    do {
      kernel = try LinuxIOMMU(reading: image)
    } catch {
      throw CommandFailure(
        "\(name): the list of remapping units cannot be read: \(error)\(missing)")
    }
    console.progress("walking the tables")
    var state = RemappingState(
      summary, memory: memory, kernel: kernel, pages: LinuxPages(image))
    state.observations =
      dump.obstacles.map { Observation(.unreadable, subject: "dump", detail: $0) }
      + state.observations
    return (kernel, state)
  }

  /// What the file itself lacks, for an error that may follow from it.
  private var missing: String {
    dump.obstacles.isEmpty ? "" : "; " + dump.obstacles.joined(separator: "; ")
  }

  private var summary: DumpSummary {
    DumpSummary(
      file: name, format: dump.format.rawValue, release: image.info.release ?? dump.release,
      buildID: image.info.buildID, typesFrom: image.types.origin.rawValue,
      kaslrOffset: image.info.kernelOffset.map { HexWord($0) }, panic: image.panicMessage(),
      crashTime: image.info.crashTime)
  }
}
