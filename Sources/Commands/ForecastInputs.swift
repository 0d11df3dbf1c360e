// SPDX-License-Identifier: Apache-2.0

import Inheritance
import Memory
import RemappingState
import Session

extension MachineFacts {
  /// Takes the command line that kexec left beside the crash kernel's image, where the dump still holds
  /// the reservation, or the one that a crash kernel which runs there has.
  mutating func takeCommandLine(
    from session: Session, running second: @autoclosure () -> CrashKernel?
  ) {
    let text = session.crashCommandLine(in: crashKernelMemory) ?? second()?.commandLine
    commandLine = text.map { CrashCommandLine($0) }
  }
}
