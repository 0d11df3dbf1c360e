// SPDX-License-Identifier: Apache-2.0

public import RemappingState
public import Translation

/// The document of `translate`.
public struct TranslateDocument: Encodable, Hashable, Sendable {
  public private(set) var schema = "iommuscope-translate/1"
  public var tool: Tool
  public var dump: DumpSummary
  /// In the order in which the addresses were given.
  public var translations: [AddressTranslation]

  public init(
    dump: DumpSummary, translations: [AddressTranslation], tool: Tool = .current
  ) {
    self.tool = tool
    self.dump = dump
    self.translations = translations
  }
}
