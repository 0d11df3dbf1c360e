// SPDX-License-Identifier: Apache-2.0

internal import Files

/// What stands behind the dump on a command line: another file of it, or its kernel, or a value.
enum Operand<Value: Sendable>: Sendable {
  case file(String)
  case value(Value)

  /// - Parameter parse: throws for what is no value; a file of that name is one then.
  init(_ text: String, _ parse: (String) throws -> Value) throws {
    do {
      self = .value(try parse(text))
    } catch {
      guard FileKind.of(text) != nil else { throw error }
      self = .file(text)
    }
  }
}

extension Operand: Equatable where Value: Equatable {}

extension Sequence {
  func files<Value>() -> [String] where Element == Operand<Value> {
    compactMap { if case .file(let path) = $0 { path } else { nil } }
  }

  func values<Value>() -> [Value] where Element == Operand<Value> {
    compactMap { if case .value(let value) = $0 { value } else { nil } }
  }
}
