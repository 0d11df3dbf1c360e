// SPDX-License-Identifier: Apache-2.0

import Commands
import Glibc

@main
enum Main {
  static func main() {
    exit(Iommuscope.runProcess())
  }
}
