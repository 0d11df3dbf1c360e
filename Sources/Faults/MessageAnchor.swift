// SPDX-License-Identifier: Apache-2.0

/// Words by which a message is known, and what to read behind them.
struct MessageAnchor: Sendable {
  typealias Reader = @Sendable (inout LogScanner, LogText, Range<Int>) -> UnitMessage?

  enum Form: Sendable {
    /// A refused request; the kind that the words tell.
    case request(FaultLine.Kind)
    case reason
    case xenReason
    case suppressed
    case hang
    case waiting
    case foreign(UnitMessage.ForeignSource)
    case unit(Reader)
  }

  var words: String
  var form: Form

  init(_ words: String, _ form: Form) {
    self.words = words
    self.form = form
  }

  static let byFirstByte: [UInt8: [MessageAnchor]] = Dictionary(grouping: all) {
    LogScanner.lower($0.words.utf8.first ?? 0)
  }

  /// Of those that begin alike, the longer words come first.
  private static let all: [MessageAnchor] =
    faults + invalidations + pageRequests + firmware + boundRegions + takeovers + tables + others
    + failures

  private static let faults: [MessageAnchor] = [
    .init("DMA Read", .request(.read)),
    .init("DMA Write", .request(.write)),
    .init("INTR-REMAP", .request(.interrupt)),
    .init("UNKNOWN: Request device", .foreign(.xen)),
    .init("[fault reason", .reason),
    .init("reason", .xenReason),
    .init("dmar_fault:", .suppressed),
    .init(
      "handling fault status reg",
      .unit { scanner, _, _ in
        scanner.hexadecimal().flatMap { UInt32(exactly: $0) }.map { .status($0) }
      }),
  ]

  private static let invalidations: [MessageAnchor] = [
    error("Invalidation Queue Error", .queue),
    error("Invalidation Completion Error", .completion),
    error("Invalidation Time-out Error", .timeOut),
    cleared("Invalidation Queue Error (IQE) cleared", .queue),
    cleared("Invalidation Completion Error (ICE) cleared", .completion),
    cleared("Invalidation Time-out Error (ITE) cleared", .timeOut),
    .init("QI HEAD:", .unit { scanner, _, _ in descriptor(.head, &scanner) }),
    .init("QI PRIOR:", .unit { scanner, _, _ in descriptor(.prior, &scanner) }),
    .init("QI TAIL:", .unit { scanner, _, _ in descriptor(.tail, &scanner) }),
    .init(
      "VT-d detected invalid descriptor:",
      .unit { scanner, _, _ in descriptor(.named, &scanner) }),
  ]

  private static func error(
    _ words: String, _ kind: UnitMessage.InvalidationError
  ) -> MessageAnchor {
    .init(
      "VT-d detected " + words,
      .unit { scanner, _, _ in
        var detail: UInt64?
        if scanner.mark(":"), scanner.words("Reason") || scanner.words("SID") {
          detail = scanner.hexadecimal()
        }
        return .invalidationError(kind, detail: detail)
      })
  }

  private static func cleared(
    _ words: String, _ kind: UnitMessage.InvalidationError
  ) -> MessageAnchor {
    .init(words, .unit { _, _, _ in .cleared(kind) })
  }

  /// The type's name, then two words.
  private static func descriptor(
    _ place: UnitMessage.DescriptorPlace, _ scanner: inout LogScanner
  ) -> UnitMessage? {
    for (first, second) in [("qw0", "qw1"), ("low", "high")] {
      var attempt = scanner
      // The type's name has no digits, so the words are found by their labels.
      while attempt.next != nil {
        var here = attempt
        if here.words(first), here.mark("="), let low = here.hexadecimal(), here.mark(","),
          here.words(second), here.mark("="), let high = here.hexadecimal()
        {
          scanner = here
          return .descriptor(place, [low, high])
        }
        attempt.advance()
      }
    }
    return nil
  }

  private static let pageRequests: [MessageAnchor] = [
    request("Page request without PASID", .withoutPASID),
    request("Page request for invalid PASID", .unknownPASID),
    request("Page request in Privilege Mode", .privileged),
    request("Execution request not supported", .execute),
    request("Address is not canonical", .notCanonical),
    request("Invalid page request", .invalid),
    request("PRQ overflow detected", .overflow),
    request("PRQ overflow cleared", .overflowCleared),
  ]

  private static func request(
    _ words: String, _ problem: UnitMessage.PageRequestProblem
  ) -> MessageAnchor {
    .init(
      words,
      .unit { scanner, text, head in
        // `Address is not canonical` is said elsewhere too.
        guard isTagged(text, head) else { return nil }
        if problem == .unknownPASID { _ = scanner.number() }
        var words: [UInt64] = []
        if scanner.mark(":"), let first = scanner.hexadecimal(),
          let second = scanner.hexadecimal()
        {
          words = [first, second]
        }
        return .pageRequest(problem, words: words)
      })
  }

  private static let firmware: [MessageAnchor] = [
    .init(
      "No firmware reserved region can cover this RMRR",
      .unit { scanner, _, _ in region(.regionNotReserved, &scanner) }),
    .init(
      "Your BIOS is broken; bad RMRR",
      .unit { scanner, _, _ in region(.badRegion, &scanner) }),
    .init(
      "Your BIOS is broken; DMAR reported at address",
      .unit { scanner, _, _ in
        guard let base = scanner.hexadecimal(), scanner.words("returns all ones") else {
          return nil
        }
        return .firmware(.allOnes, base: base, end: nil)
      }),
    .init(
      "Your BIOS is broken",
      .unit { scanner, text, head in
        guard isTagged(text, head) else { return nil }
        scanner.skipLine()
        return .firmware(.other, base: nil, end: nil)
      }),
    .init(
      "[Firmware Bug]:",
      .unit { scanner, text, head in
        // The more telling words behind it are messages of their own.
        var rest = scanner
        guard isTagged(text, head), !rest.words("No firmware reserved"),
          !rest.words("Your BIOS is broken")
        else { return nil }
        scanner.skipLine()
        return .firmware(.other, base: nil, end: nil)
      }),
  ]

  private static func region(
    _ complaint: UnitMessage.FirmwareComplaint, _ scanner: inout LogScanner
  ) -> UnitMessage? {
    guard scanner.mark("["), let base = scanner.hexadecimal(), scanner.mark("-"),
      let end = scanner.hexadecimal(), scanner.mark("]")
    else { return nil }
    return .firmware(complaint, base: base, end: end)
  }

  private static let tables: [MessageAnchor] = [
    .init(
      "table entries for IOVA",
      .unit { scanner, _, _ in scanner.hexadecimal().map { .tables(.start(iova: $0)) } }),
    .init(
      "scalable mode root entry: hi",
      .unit { scanner, _, _ in
        pair(&scanner).map { .tables(.root(low: $0.low, high: $0.high)) }
      }),
    .init(
      "root entry:",
      .unit { scanner, _, _ in scanner.hexadecimal().map { .tables(.root(low: $0, high: nil)) } }
    ),
    .init(
      "context entry: hi",
      .unit { scanner, _, _ in
        pair(&scanner).map { .tables(.context(low: $0.low, high: $0.high)) }
      }),
    .init(
      "pasid dir entry:",
      .unit { scanner, _, _ in scanner.hexadecimal().map { .tables(.pasidDirectory($0)) } }),
    .init(
      "pasid table entry[",
      .unit { scanner, _, _ in
        guard let index = scanner.number(), scanner.mark("]"), scanner.mark(":"),
          let word = scanner.hexadecimal()
        else { return nil }
        return .tables(.pasidTable(index: index.value, word))
      }),
    .init(
      "pte level:",
      .unit { scanner, _, _ in
        guard let level = scanner.number(), scanner.mark(","), scanner.words("pte value:"),
          let word = scanner.hexadecimal()
        else { return nil }
        return .tables(.paging(level: level.value, word))
      }),
    .init("page table not present at level", missing),
    .init("PTE not present at level", missing),
    .init("root table is not present", missing),
    .init("root table entry is not present", missing),
    .init("context table is not present", missing),
    .init("context table entry is not present", missing),
    .init("legacy mode page table is not present", missing),
    .init("scalable mode page table is not present", missing),
    .init("pasid directory table is not present", missing),
    .init("pasid directory entry is not present", missing),
    .init("pasid table is not present", missing),
    .init("pasid table entry is not present", missing),
  ]

  private static let missing = Form.unit { scanner, text, head in
    guard isTagged(text, head) else { return nil }
    scanner.skipLine()
    return .tables(.missing)
  }

  private static func pair(_ scanner: inout LogScanner) -> (low: UInt64, high: UInt64)? {
    guard let high = scanner.hexadecimal(), scanner.mark(","), scanner.words("low"),
      let low = scanner.hexadecimal()
    else { return nil }
    return (low, high)
  }

  private static let others: [MessageAnchor] = [
    .init(
      "DMA PTE for vPFN",
      .unit { scanner, _, _ in
        guard let page = scanner.hexadecimal(), scanner.words("already set"), scanner.mark("("),
          scanner.words("to"), let old = scanner.hexadecimal(), scanner.words("not"),
          let new = scanner.hexadecimal()
        else { return nil }
        return .alreadySet(page: page, old: old, new: new)
      }),
    .init("DMAR hardware is malfunctioning", .unit { _, _, _ in .malfunction }),
    .init("soft lockup - CPU", .hang),
    .init("hard LOCKUP on cpu", .hang),
    .init("self-detected stall on CPU", .hang),
    .init("detected stalls on CPUs", .hang),
    .init("qi_submit_sync", .waiting),
    .init("AMD-Vi: Event logged", .foreign(.amd)),
    .init("AMD-Vi: Completion-Wait", .foreign(.amd)),
    .init(
      "arm-smmu",
      .unit { scanner, text, head in
        guard contains("event", text, scanner.position..<scanner.end) else { return nil }
        scanner.skipLine()
        return .foreign(.smmu)
      }),
    .init("[VT-D]", xen),
  ]

  /// Messages of Xen that are no fault; its faults are read behind the same mark.
  private static let xen = Form.unit { scanner, text, head in
    let rest = scanner.position..<scanner.end
    for words in ["Request device", "fault reason", "reason"] where contains(words, text, rest) {
      return nil
    }
    scanner.skipLine()
    return .foreign(.xen)
  }

  /// Whether the driver's name stands in front of a message.
  static func isTagged(_ text: LogText, _ head: Range<Int>) -> Bool {
    ["DMAR:", "dmar:", "DMAR-IR:", "INTR-REMAP:", "IOMMU:"].contains { contains($0, text, head) }
  }

  /// Whether words stand in a stretch of a text.
  static func contains(_ words: String, _ text: LogText, _ range: Range<Int>) -> Bool {
    let wanted = Array(words.utf8)
    guard let first = wanted.first else { return true }
    let bytes = text.bytes[range.clamped(to: 0..<text.bytes.count)]
    var start = bytes.startIndex
    while let candidate = bytes[start...].firstIndex(of: first) {
      if bytes[candidate...].starts(with: wanted) { return true }
      start = candidate + 1
    }
    return false
  }

  static func isLetter(_ byte: UInt8) -> Bool {
    (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
      || (0x30...0x39).contains(byte)
  }

  /// Whether a line without timestamp begins a message all the same.
  static func begins(_ line: ArraySlice<UInt8>) -> Bool {
    let line = line.prefix(24).map(LogScanner.lower)
    return starts.contains { line.starts(with: $0) }
  }

  private static let starts: [[UInt8]] = [
    "dmar", "intr-remap:", "[dma ", "[intr-remap]", "drhd", "iommu:", "vt-d", "qi ", "pte level",
    "root entry", "scalable mode root", "context entry", "pasid dir", "pasid table", "dump dmar",
    "(xen)", "amd-vi", "invalidation ", "watchdog:", "rip:", "call trace", "-----",
  ].map { Array($0.utf8) }
}
