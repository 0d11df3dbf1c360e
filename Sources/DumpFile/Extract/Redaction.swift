// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// What an extract leaves out on request: bytes that belong to people, not to remapping.
public struct Redaction: Hashable, Sendable {
  /// A stretch of physical memory.
  public struct Place: Hashable, Sendable {
    public var kind: Kind
    /// Physical addresses, half-open.
    public var range: Range<UInt64>

    public init(kind: Kind, range: Range<UInt64>) {
      self.kind = kind
      self.range = range
    }
  }

  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// The text of the kernel's log.
    case log
    case commandLine = "command-line"
    /// The node's and the domain's name.
    case hostName = "host-name"

    public var meaning: String {
      switch self {
      case .log: "text of the kernel log"
      case .commandLine: "command lines"
      case .hostName: "names of the host and its domain"
      }
    }
  }

  public var places: [Place]
  /// Texts that are left out wherever they stand, such as the host's name; none is shorter than
  /// `shortestText`.
  public var texts: [Kind: [[UInt8]]]

  /// What stands in place of a text, as far as there is room.
  public static let mark = "[redacted]"
  /// A text of a dump; `nil` where an extract left it out.
  public static func kept(_ text: String) -> String? { text.hasPrefix(mark) ? nil : text }

  static let shortestText = 4
  static let absence = Absence.unsupported("left out by extract --redact")
  static let key = "redacted."

  /// The sentence that goes with every such extract.
  static let obstacle =
    "it was redacted: text of the log, command lines and host names are left out"

  public init(places: [Place], texts: [Kind: [[UInt8]]]) {
    self.places = places.filter { !$0.range.isEmpty }.sorted {
      $0.range.lowerBound < $1.range.lowerBound
    }
    // The longest first: others are parts of them.
    self.texts = texts.mapValues { list in
      Set(list.filter { $0.count >= Self.shortestText })
        .sorted { ($1.count, $0.description) < ($0.count, $1.description) }
    }
  }

  /// Whether nothing of a page is to stay.
  func coversPage(_ frame: UInt64) -> Bool {
    places.contains { $0.kind == .log && $0.range.contains(page: frame) }
  }

  /// The bytes of a page without what is left out.
  ///
  /// - Parameter isText: whether texts are looked for, which may be part of a table of names.
  /// - Returns: also how many bytes of each kind were left out.
  func apply(
    _ bytes: [UInt8], frame: UInt64, looksForTexts: Bool
  ) -> (bytes: [UInt8], counts: [Kind: Int]) {
    var bytes = bytes
    var counts: [Kind: Int] = [:]
    let page = frame << 12..<(frame + 1) << 12
    for place in places {
      let range = place.range.clamped(to: page)
      guard !range.isEmpty else { continue }
      let marked = place.kind == .log ? [] : Array(Self.mark.utf8)
      for address in range {
        // The mark stands at the start of the place, which may be on the page before.
        let offset = Int(address - place.range.lowerBound)
        bytes[Int(address & 0xfff)] = offset < marked.count ? marked[offset] : 0
      }
      counts[place.kind, default: 0] += range.count
    }
    guard looksForTexts else { return (bytes, counts) }
    for (kind, list) in texts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      for text in list {
        var start = 0
        while let found = bytes[start...].firstIndex(of: text[0]), found + text.count <= bytes.count
        {
          start = found + 1
          guard bytes[found..<found + text.count].elementsEqual(text) else { continue }
          let marked = Array(Self.mark.utf8)
          for index in text.indices {
            bytes[found + index] = index < marked.count ? marked[index] : 0x78
          }
          counts[kind, default: 0] += text.count
          start = found + text.count
        }
      }
    }
    return (bytes, counts)
  }
}

extension Range<UInt64> {
  fileprivate func contains(page frame: UInt64) -> Bool {
    lowerBound <= frame << 12 && (frame + 1) << 12 <= upperBound
  }
}
