// SPDX-License-Identifier: Apache-2.0

extension KernelImage {
  /// What the kernel said when it died; `nil` if its log has no such message or cannot be read.
  ///
  /// The text of the last panic message without its fixed beginning. A kernel may start its crash kernel
  /// out of an oops, before it gets to `panic`; then the last oops, said to be one, with the message
  /// that names its cause.
  ///
  /// Source: kernel/panic.c, `panic`; arch/x86/kernel/dumpstack.c, `oops_end` calls `crash_kexec`.
  public func panicMessage() -> String? {
    let prefix = "Kernel panic - not syncing: "
    var panic: String?
    var oops: (line: String, cause: String?, distance: Int)?
    // What was read before an obstacle stands.
    try? newestMessages(limit: 1 << 16) { message in
      for line in message.text.split(separator: "\n").reversed() where panic == nil {
        if line.hasPrefix(prefix) {
          panic = String(line.dropFirst(prefix.count))
        } else if oops == nil {
          if Self.isOops(line) { oops = (Self.trimmed(line), nil, 0) }
        } else if oops?.cause == nil, oops?.distance ?? .max < Self.causeDistance {
          if Self.isCause(line) { oops?.cause = Self.trimmed(line) }
          oops?.distance += 1
        }
      }
      return panic == nil
    }
    if let panic { return panic }
    return oops.map { oops in
      "oops without a panic message: " + (oops.cause.map { "\($0) (\(oops.line))" } ?? oops.line)
    }
  }

  /// Lines between the message of the cause and that of the oops: the page tables' entries.
  private static let causeDistance = 8

  /// `Oops: 0002 [#1] SMP`, `invalid opcode: 0000 [#1]`, …: four digits of an error code and a count.
  ///
  /// Source: arch/x86/kernel/dumpstack.c, `__die` and `__die_header`.
  private static func isOops(_ line: Substring) -> Bool {
    let bytes = Array(line.utf8.prefix(512))
    func isDigit(_ byte: UInt8, hexadecimal: Bool) -> Bool {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): true
      case UInt8(ascii: "a")...UInt8(ascii: "f"): hexadecimal
      default: false
      }
    }
    // What stands before the count's bracket: a colon, a blank, four digits, a blank.
    for bracket in 7..<max(7, bytes.count - 2)
    where bytes[bracket] == UInt8(ascii: "[") && bytes[bracket + 1] == UInt8(ascii: "#") {
      if isDigit(bytes[bracket + 2], hexadecimal: false), bytes[bracket - 1] == UInt8(ascii: " "),
        bytes[bracket - 6] == UInt8(ascii: " "), bytes[bracket - 7] == UInt8(ascii: ":"),
        bytes[(bracket - 5)..<(bracket - 1)].allSatisfy({ isDigit($0, hexadecimal: true) })
      {
        return true
      }
    }
    return false
  }

  /// Source: arch/x86/mm/fault.c, `show_fault_oops`; lib/bug.c, `report_bug`.
  private static func isCause(_ line: Substring) -> Bool {
    line.hasPrefix("BUG: ") || line.hasPrefix("kernel BUG at ")
  }

  private static func trimmed(_ line: Substring) -> String {
    String(line.reversed().drop { $0.isWhitespace }.reversed())
  }
}
