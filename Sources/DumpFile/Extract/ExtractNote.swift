// SPDX-License-Identifier: Apache-2.0

internal import ELF
public import Memory

/// What an extract remembers of the dump it was made from: a note named `IOMMUSCOPE`.
///
/// An extract is an ELF core with the pages that an analysis read. Its `PT_LOAD` segments hold the
/// pages; this note holds the rest of what the analysis saw, so that it sees the same again. The
/// note's type is the version of its text, 1. The text is UTF-8, one statement on each line; in a
/// TEXT, which reaches to the end of the line, `\n`, `\r` and `\\` stand for a line feed, a carriage
/// return and a backslash. Frames and addresses are hexadecimal with `0x`, other numbers decimal,
/// and ranges of frames are half-open.
///
///     extract 1                            always the first line
///     memory START END                     frames that the dump describes as memory
///     zero START END                       pages of zeros, which are not stored
///     present START END                    pages that the dump has, whose bytes were not read
///     absent START END OFFSET REASON       pages that it has not; OFFSET is the place in the page
///                                          of the first byte that could not be read
///     unreadable START END OFFSET REASON   the same, found out by reading the page only
///     virtual VIRTUAL PHYSICAL COUNT       a virtual segment, bytes
///     physical-base ADDRESS
///     dump-level NUMBER
///     timestamp NUMBER                     seconds since 1970
///     release TEXT
///     obstacle TEXT
///     symbol ADDRESS TEXT                  a symbol that the analysis used; names may repeat
///     fact KEY TEXT                        anything else, KEY without spaces
///
/// REASON is `excluded`, `zero-or-excluded`, `not-in-dump`, `truncated OFFSET`, `corrupt OFFSET
/// TEXT`, `unsupported TEXT` or `system NUMBER`, after the cases of `Absence`.
public struct ExtractNote: Hashable, Sendable {
  /// The owner's name of the note.
  public static let name = "IOMMUSCOPE"
  /// The version of the text, which is the note's type.
  public static let version: UInt32 = 1

  /// Frames with one reason why they cannot be read.
  public struct AbsentRun: Hashable, Sendable {
    public var frames: Range<UInt64>
    /// Place in each page of the first byte that could not be read, 0…4095.
    public var pageOffset: Int
    public var absence: Absence
    /// Whether asking without reading finds the reason too.
    public var isKnownUnread: Bool
  }

  /// Frames that the dump describes as memory; ascending and disjoint, as are the next two.
  public var memoryFrames: [Range<UInt64>] = []
  /// Pages of zeros that are not stored.
  public var zeroFrames: [Range<UInt64>] = []
  /// Pages that the dump has and whose bytes the extract has not.
  public var presentFrames: [Range<UInt64>] = []
  /// Pages that cannot be read; ascending and disjoint by frames.
  public var absences: [AbsentRun] = []
  public var virtualSegments: [VirtualSegment] = []
  public var physicalBase: UInt64?
  public var dumpLevel: Int?
  public var timestamp: Int?
  public var release: String?
  public var obstacles: [String] = []
  /// The symbols that the analysis used, by name; static ones of one name may stand at several
  /// addresses.
  public var symbols: [String: [KernelAddress]] = [:]
  /// Whatever else the writer wants to keep; keys without spaces.
  public var facts: [String: String] = [:]

  private static let hostAddressWidth = "host-address-width"

  /// What the log tells that every walk needs, for an extract without the log's text.
  public static func facts(hostAddressWidth bits: Int?) -> [String: String] {
    bits.map { [hostAddressWidth: String($0)] } ?? [:]
  }

  /// Bits of host physical addresses, where the writer kept them.
  public var hostAddressWidth: Int? { facts[Self.hostAddressWidth].flatMap { Int($0) } }

  init() {}

  /// The note's text; equal notes give equal bytes.
  var encoded: [UInt8] {
    var text = "extract \(Self.version)\n"
    func line(_ parts: String...) {
      text += parts.joined(separator: " ")
      text += "\n"
    }
    func hexadecimal(_ range: Range<UInt64>) -> String {
      "\(range.lowerBound.hexadecimal) \(range.upperBound.hexadecimal)"
    }
    for range in memoryFrames { line("memory", hexadecimal(range)) }
    for range in zeroFrames { line("zero", hexadecimal(range)) }
    for range in presentFrames { line("present", hexadecimal(range)) }
    for run in absences {
      line(
        run.isKnownUnread ? "absent" : "unreadable", hexadecimal(run.frames),
        UInt64(run.pageOffset).hexadecimal, run.absence.encoded)
    }
    for segment in virtualSegments {
      line(
        "virtual", segment.virtual.description, segment.physical.description,
        segment.byteCount.hexadecimal)
    }
    if let physicalBase { line("physical-base", physicalBase.hexadecimal) }
    if let dumpLevel { line("dump-level", String(dumpLevel)) }
    if let timestamp { line("timestamp", String(timestamp)) }
    if let release { line("release", release.escaped) }
    for obstacle in obstacles { line("obstacle", obstacle.escaped) }
    for (name, addresses) in symbols.sorted(by: { $0.key < $1.key }) {
      for address in addresses { line("symbol", address.description, name.escaped) }
    }
    for (key, value) in facts.sorted(by: { $0.key < $1.key }) {
      line("fact", key.escaped.replacing(" ", with: "_"), value.escaped)
    }
    return Array(text.utf8)
  }

  /// Reads a note's text; `path` names the file in errors.
  init(_ note: ELFNote, path: String) throws(DumpError) {
    guard note.type == Self.version else {
      throw DumpError(
        path, .unsupported,
        "expected an extract of version \(Self.version), found version \(note.type); "
          + "it was written by a newer iommuscope, use that one")
    }
    // Lines are split as bytes: as characters, a line feed could hide in a carriage return.
    let lines = note.bytes.split(separator: 0x0a)
    for (index, line) in (lines.isEmpty ? [[]] : lines).enumerated() {
      var fields = Fields(line)
      guard index == 0 ? fields.isHeading : read(&fields) else {
        throw DumpError(
          path, .corrupt,
          "expected a statement in line \(index + 1) of the extract's note, found "
            + "\"\(String(decoding: line.prefix(60), as: UTF8.self).sanitized)\"; "
            + "make the extract again")
      }
    }
    guard memoryFrames.isAscending, zeroFrames.isAscending, presentFrames.isAscending,
      absences.map(\.frames).isAscending
    else {
      throw DumpError(
        path, .corrupt, "expected ascending ranges in the extract's note; make the extract again")
    }
  }

  /// Takes in one line; statements that are not known are an error, because the version is.
  private mutating func read(_ fields: inout Fields) -> Bool {
    switch fields.word() {
    case "memory": Self.append(fields.range(), to: &memoryFrames)
    case "zero": Self.append(fields.range(), to: &zeroFrames)
    case "present": Self.append(fields.range(), to: &presentFrames)
    case "absent": readAbsence(&fields, isKnownUnread: true)
    case "unreadable": readAbsence(&fields, isKnownUnread: false)
    case "virtual":
      if let virtual = fields.hexadecimal(), let physical = fields.hexadecimal(),
        let count = fields.hexadecimal()
      {
        Self.append(
          VirtualSegment(
            virtual: KernelAddress(virtual), physical: PhysicalAddress(physical), byteCount: count),
          to: &virtualSegments)
      } else {
        false
      }
    case "physical-base": Self.set(&physicalBase, fields.hexadecimal())
    case "dump-level": Self.set(&dumpLevel, fields.decimal())
    case "timestamp": Self.set(&timestamp, fields.decimal())
    case "release": Self.set(&release, fields.text())
    case "obstacle": Self.append(fields.text(), to: &obstacles)
    case "symbol":
      if let address = fields.hexadecimal(), let name = fields.text() {
        Self.append(KernelAddress(address), to: &symbols[name, default: []])
      } else {
        false
      }
    case "fact":
      if let key = fields.word(), let value = fields.text() {
        facts.updateValue(value, forKey: key) == nil
      } else {
        false
      }
    default: false
    }
  }

  private mutating func readAbsence(_ fields: inout Fields, isKnownUnread: Bool) -> Bool {
    guard let frames = fields.range(), let offset = fields.hexadecimal(), offset < 4096,
      let absence = Absence(&fields)
    else { return false }
    absences.append(
      AbsentRun(
        frames: frames, pageOffset: Int(offset), absence: absence, isKnownUnread: isKnownUnread))
    return true
  }

  private static func append<T>(_ value: T?, to list: inout [T]) -> Bool {
    guard let value else { return false }
    list.append(value)
    return true
  }

  private static func set<T>(_ place: inout T?, _ value: T?) -> Bool {
    guard let value, place == nil else { return false }
    place = value
    return true
  }
}

/// The fields of one line, taken from the left.
///
/// A line is bytes, because a space and a combining mark behind it would be one character.
private struct Fields {
  let line: ArraySlice<UInt8>
  private var rest: ArraySlice<UInt8>

  init(_ line: ArraySlice<UInt8>) {
    self.line = line
    rest = line
  }

  /// Whether the line is the first one.
  var isHeading: Bool { line.elementsEqual("extract \(ExtractNote.version)".utf8) }

  /// The bytes up to the next space, which is skipped.
  private mutating func field() -> ArraySlice<UInt8>? {
    guard !rest.isEmpty else { return nil }
    let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
    defer { rest = rest[min(end + 1, rest.endIndex)...] }
    return rest[..<end]
  }

  mutating func word() -> String? { field().map { String(decoding: $0, as: UTF8.self) } }

  mutating func hexadecimal() -> UInt64? {
    guard let digits = field(), (3...18).contains(digits.count),
      digits.starts(with: [UInt8(ascii: "0"), UInt8(ascii: "x")])
    else { return nil }
    var value: UInt64 = 0
    for digit in digits.dropFirst(2) {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit & 0xf)
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit & 0xf + 9)
      default: return nil
      }
    }
    return value
  }

  mutating func decimal() -> Int? { word().flatMap { Int($0) } }

  /// A range of frames of physical memory, not empty.
  mutating func range() -> Range<UInt64>? {
    guard let start = hexadecimal(), let end = hexadecimal(), start < end, end <= 1 << 52 else {
      return nil
    }
    return start..<end
  }

  /// The rest of the line without its escapes.
  mutating func text() -> String? {
    var result: [UInt8] = []
    var isEscaped = false
    for byte in rest {
      if isEscaped {
        switch byte {
        case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
        case UInt8(ascii: "r"): result.append(UInt8(ascii: "\r"))
        case UInt8(ascii: "\\"): result.append(byte)
        default: return nil
        }
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else {
        result.append(byte)
      }
    }
    rest = []
    return isEscaped ? nil : String(decoding: result, as: UTF8.self)
  }
}

extension String {
  /// The text with line feeds, carriage returns and backslashes escaped.
  fileprivate var escaped: String {
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      switch scalar {
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}

extension [Range<UInt64>] {
  /// Whether each range starts at or behind the end of the one before.
  fileprivate var isAscending: Bool {
    zip(self, dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
  }
}

extension Absence {
  /// The reason as an extract's note has it.
  fileprivate var encoded: String {
    switch self {
    case .excluded: "excluded"
    case .zeroOrExcluded: "zero-or-excluded"
    case .notInDump: "not-in-dump"
    case .truncated(let offset): "truncated \(offset.hexadecimal)"
    case .corrupt(let offset, let what): "corrupt \(offset.hexadecimal) \(what.escaped)"
    case .unsupported(let what): "unsupported \(what.escaped)"
    case .budget: "budget"
    case .system(let errno): "system \(errno)"
    }
  }

  fileprivate init?(_ fields: inout Fields) {
    switch fields.word() {
    case "excluded": self = .excluded
    case "zero-or-excluded": self = .zeroOrExcluded
    case "not-in-dump": self = .notInDump
    case "budget": self = .budget
    case "truncated":
      guard let offset = fields.hexadecimal() else { return nil }
      self = .truncated(fileOffset: offset)
    case "corrupt":
      guard let offset = fields.hexadecimal(), let what = fields.text() else { return nil }
      self = .corrupt(fileOffset: offset, what)
    case "unsupported":
      guard let what = fields.text() else { return nil }
      self = .unsupported(what)
    case "system":
      guard let code = fields.decimal(), let errno = Int32(exactly: code) else { return nil }
      self = .system(errno: errno)
    default: return nil
    }
  }
}
