// SPDX-License-Identifier: Apache-2.0

public import Memory

/// The text that a kernel leaves in its dump about itself: one `KEY=value` per line.
///
/// Source: kernel/vmcore_info.c (kernel/crash_core.c, kernel/kexec.c before) and
/// arch/x86/kernel/vmcore_info_64.c.
public struct VMCoreInfo: Hashable, Sendable {
  /// Every line by its key, as it stands: `OSRELEASE`, `SYMBOL(_stext)`, `NUMBER(phys_base)`, ….
  /// Of a key that occurs twice the first line counts.
  public var values: [String: String]
  /// Whether there was no such text, and what it would have told of the kernel's place was found in the
  /// kernel's own image.
  public private(set) var isFound = false
  /// What is wrong with the text, in sentences: lines that no kernel writes, and lines that are other
  /// ones in the kernel's own copy.
  public internal(set) var obstacles: [String] = []

  /// Reads the note's bytes; lines that are not `KEY=value` are passed by.
  public init(_ bytes: [UInt8]) {
    values = [:]
    // The note is padded with zero bytes.
    let text = bytes[..<((bytes.lastIndex { $0 != 0 } ?? -1) + 1)]
    var malformed: (first: String, count: Int)?
    for line in text.split(separator: UInt8(ascii: "\n")) {
      if !Self.isSound(line) {
        let first = malformed?.first ?? String(decoding: line, as: UTF8.self)
        malformed = (first, (malformed?.count ?? 0) + 1)
      }
      guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let key = String(decoding: line[..<equals], as: UTF8.self)
      var value = line[line.index(after: equals)...]
      if let end = value.firstIndex(of: 0) { value = value[..<end] }
      if values[key] == nil { values[key] = String(decoding: value, as: UTF8.self) }
    }
    if let malformed {
      let others = malformed.count > 1 ? ", nor are \(malformed.count - 1) more" : ""
      obstacles.append(
        "VMCOREINFO is damaged: \"\(Self.quote(malformed.first))\" is no line that a kernel writes"
          + others)
    }
    if release == nil, !text.isEmpty {
      obstacles.append("VMCOREINFO does not name the kernel's release, as every kernel's does")
    }
  }

  /// `uname -r` of the crashed kernel.
  public var release: String? { values[Key.release].flatMap { $0.isEmpty ? nil : $0 } }

  /// GNU build id in hexadecimal digits; kernels before 5.9 do not write it.
  public var buildID: String? { values["BUILD-ID"] }

  /// Unix seconds of the crash.
  public var crashTime: Int? { values[Key.crashTime].flatMap { Int($0) } }

  /// Bytes by which KASLR moved the kernel's text; addresses of a vmlinux need it added.
  public var kernelOffset: UInt64? {
    values[Key.kernelOffset].flatMap { UInt64($0, radix: 16) }
  }

  public var pageSize: UInt64? { values[Key.pageSize].flatMap { UInt64($0) } }

  /// The run-time address of a symbol, `SYMBOL(name)`.
  public func symbol(_ name: String) -> KernelAddress? {
    values["SYMBOL(\(name))"].flatMap { UInt64($0, radix: 16) }.map { KernelAddress($0) }
  }

  /// A number, `NUMBER(name)`; written as signed decimal, or as hexadecimal with its prefix.
  public func number(_ name: String) -> Int64? {
    values["NUMBER(\(name))"].flatMap(Self.number(in:))
  }

  static func number(in text: String) -> Int64? {
    if let word = UInt64(hexadecimal: text) { return Int64(bitPattern: word) }
    return Int64(text) ?? UInt64(text).map { Int64(bitPattern: $0) }
  }

  /// Whether nothing tells how far KASLR moved the kernel.
  public var isMute: Bool { kernelOffset == nil && symbol("_stext") == nil }

  /// The same with what the kernel's image told of its own place.
  ///
  /// - Parameter symbols: the kernel's, where they lie in memory.
  public func completed(by offset: ImageOffset, _ symbols: SymbolTable) -> VMCoreInfo {
    var info = self
    info.isFound = true
    info.values[Key.kernelOffset] = String(offset.bytes, radix: 16)
    info.values["SYMBOL(_stext)"] = symbols["_stext"].map { String($0.rawValue, radix: 16) }
    if info.release == nil { info.values[Key.release] = offset.release }
    return info
  }

  enum Key {
    static let release = "OSRELEASE"
    static let crashTime = "CRASHTIME"
    static let kernelOffset = "KERNELOFFSET"
    static let pageSize = "PAGESIZE"
  }
}
