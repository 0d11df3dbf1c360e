// SPDX-License-Identifier: Apache-2.0

import Audit
import Evidence
import Foundation
import Inheritance
import KernelImage
import LinuxIOMMU
import MachineFixtures
import Memory
import MemoryFixtures
import RemappingState
import Session

/// Tells nobody anything.
final class SilentProgress: SessionProgress {
  func progress(_ message: String) {}
  func warning(_ message: String) {}
  func detail(_ message: String) {}
}

/// A machine's dump, opened as any dump is: from a file.
struct MachineRun {
  let machine: BuiltMachine
  let evidence: DumpEvidence
  let facts: MachineFacts
  let memory: any PhysicalMemory

  var state: RemappingState { evidence.state }

  /// - Parameter bytes: the dump's, by default an ELF core.
  init(_ machine: BuiltMachine, _ bytes: [UInt8]? = nil, findsSharedPages: Bool = true) throws {
    self.machine = machine
    let session = try withTestFile(bytes ?? machine.elf()) { path in
      var request = DumpRequest(files: [path])
      request.findsSharedPages = findsSharedPages
      return try Session(request, progress: SilentProgress())
    }
    let kernel = try session.kernel(
      asking: LinuxIOMMU.symbols.union(MachineFacts.symbols).union(KernelImage.symbols))
    evidence = session.evidence(from: kernel)
    facts = MachineFacts(reading: kernel, of: evidence)
    memory = session.memory
  }

  func forecaster(_ options: ForecastOptions = ForecastOptions()) -> Forecaster {
    Forecaster(state, memory: memory, facts: facts, options: options)
  }
}
