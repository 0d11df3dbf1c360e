// SPDX-License-Identifier: Apache-2.0

public import Memory
public import Owners
public import RemappingState

/// The document of `owners`.
public struct OwnersDocument: Encodable, Hashable, Sendable {
  public private(set) var schema = "iommuscope-owners/1"
  public var tool: Tool
  public var dump: DumpSummary
  /// In the order in which the ranges were given.
  public var ranges: [Answer]

  /// What is known of one range.
  public struct Answer: Encodable, Hashable, Sendable {
    public var start: PhysicalAddress
    /// Inclusive.
    public var end: PhysicalAddress
    /// What the pages are, neighbours that are alike joined.
    public var pages: [Pages]
    public var reaches: [Reach]

    public init(
      start: PhysicalAddress, end: PhysicalAddress, pages: [Pages], reaches: [Reach]
    ) {
      self.start = start
      self.end = end
      self.pages = pages
      self.reaches = reaches
    }
  }

  /// Pages of one kind.
  public struct Pages: Encodable, Hashable, Sendable {
    public var start: PhysicalAddress
    /// Inclusive.
    public var end: PhysicalAddress
    public var kind: PageState.Kind
    public var detail: String?

    public init(
      start: PhysicalAddress, end: PhysicalAddress, kind: PageState.Kind, detail: String?
    ) {
      self.start = start
      self.end = end
      self.kind = kind
      self.detail = detail
    }
  }

  public init(dump: DumpSummary, ranges: [Answer], tool: Tool = .current) {
    self.tool = tool
    self.dump = dump
    self.ranges = ranges
  }
}
