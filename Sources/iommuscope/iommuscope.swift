// SPDX-License-Identifier: Apache-2.0

import CStart
import Commands
import Glibc

@main
enum Main {
  static func main() {
    // Each is a terminated string that lives as long as the process.
    let arguments = (1..<max(1, start_argument_count())).compactMap { index in
      unsafe start_argument(index).map { unsafe String(cString: $0) }
    }
    exit(Iommuscope.runProcess(arguments))
  }
}
