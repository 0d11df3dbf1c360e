// SPDX-License-Identifier: Apache-2.0

internal import Memory

extension VMCoreInfo {
  /// Characters of a line that a sentence quotes.
  private static let quoteLimit = 60
  /// Lines that are told one by one.
  private static let differenceLimit = 4

  /// A line as a sentence quotes it.
  static func quote(_ line: String) -> String {
    line.count > quoteLimit ? line.prefix(quoteLimit) + "…" : line
  }

  /// Whether a kernel writes such a line: printable ASCII, with a value of the key's kind.
  ///
  /// Source: include/linux/vmcore_info.h, the macros `VMCOREINFO_…`.
  static func isSound(_ line: ArraySlice<UInt8>) -> Bool {
    guard line.allSatisfy({ (0x20...0x7e).contains($0) }),
      let equals = line.firstIndex(of: UInt8(ascii: "=")), equals > line.startIndex
    else { return false }
    let key = String(decoding: line[..<equals], as: UTF8.self)
    let value = String(decoding: line[line.index(after: equals)...], as: UTF8.self)
    switch key {
    case Key.crashTime, Key.pageSize: return UInt64(value) != nil
    case Key.kernelOffset: return UInt64(value, radix: 16) != nil
    default: break
    }
    if key.hasPrefix("SYMBOL(") { return UInt64(value, radix: 16) != nil }
    if ["NUMBER(", "OFFSET(", "SIZE(", "LENGTH("].contains(where: key.hasPrefix) {
      return number(in: value) != nil
    }
    return !value.isEmpty
  }

  /// The same beside the kernel's own copy of the text.
  ///
  /// Lines that the dump's text lacks are taken from the copy; where both have a line and they differ,
  /// the dump's stands. `obstacles` has a sentence for each difference.
  ///
  /// - Parameters:
  ///   - own: what the kernel's memory holds.
  ///   - place: where it lies.
  func checked(against own: VMCoreInfo, at place: KernelAddress) -> VMCoreInfo {
    var info = self
    var sentences: [String] = []
    for key in Set(values.keys).union(own.values.keys).sorted() {
      switch (values[key], own.values[key]) {
      case (let mine?, let theirs?) where mine != theirs:
        sentences.append("it has \(Self.quote("\(key)=\(mine)")), the copy \(Self.quote(theirs))")
      case (nil, let theirs?):
        info.values[key] = theirs
        sentences.append(
          "it lacks \(Self.quote(key)), which is taken from the copy: \(Self.quote(theirs))")
      case (let mine?, nil):
        sentences.append("it has \(Self.quote("\(key)=\(mine)")), which the copy lacks")
      default: break
      }
    }
    guard !sentences.isEmpty else { return info }
    let more = sentences.count - Self.differenceLimit
    info.obstacles.append(
      "VMCOREINFO is not what the kernel's own copy at \(place) says: "
        + sentences.prefix(Self.differenceLimit).joined(separator: "; ")
        + (more > 0 ? "; and \(more) more" : ""))
    return info
  }
}

extension KernelReader {
  /// The text that the dump brought, held against the kernel's own copy of it.
  ///
  /// The copy is the note from which the dump's was made: `vmcoreinfo_note` is a pointer to pages since
  /// Linux v4.13, an array before. Where it cannot be read, nothing is said.
  ///
  /// Source: kernel/vmcore_info.c, `update_vmcoreinfo_note` (kernel/crash_core.c, kernel/kexec.c before).
  public func checked(_ info: VMCoreInfo, _ symbols: SymbolTable) -> VMCoreInfo {
    guard !info.isFound, let symbol = symbols["vmcoreinfo_note"] else { return info }
    let pointer: UInt64? = try? littleEndian(at: symbol)
    for place in [symbol, pointer.map { KernelAddress($0) }].compactMap(\.self) {
      if let own = note(at: place) { return info.checked(against: own, at: place) }
    }
    return info
  }

  /// The text of the note at an address.
  private func note(at place: KernelAddress) -> VMCoreInfo? {
    guard let header = try? bytes(at: place, count: VMCoreInfoNote.headerSize),
      let size = VMCoreInfoNote.textSize(header),
      let text = place.advanced(by: UInt64(VMCoreInfoNote.headerSize)),
      let bytes = try? bytes(at: text, count: size)
    else { return nil }
    return VMCoreInfo(bytes)
  }
}
