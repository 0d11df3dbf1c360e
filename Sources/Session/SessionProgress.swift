// SPDX-License-Identifier: Apache-2.0

/// Whom a session tells how it gets on.
public protocol SessionProgress {
  /// What is being done right now; each message replaces the one before.
  func progress(_ message: String)

  /// Something that the reader of the result should know.
  func warning(_ message: String)

  /// Something for those who want to know how it was done.
  func detail(_ message: String)
}
