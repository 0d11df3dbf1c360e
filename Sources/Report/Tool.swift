// SPDX-License-Identifier: Apache-2.0

/// Which program wrote a document.
public struct Tool: Hashable, Sendable {
  public var name: String
  public var version: String

  public init(name: String, version: String) {
    self.name = name
    self.version = version
  }

  /// This program.
  public static let current = Tool(name: "iommuscope", version: "0.1.0")
}
