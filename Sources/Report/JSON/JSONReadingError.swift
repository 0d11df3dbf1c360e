// SPDX-License-Identifier: Apache-2.0

/// Why bytes are no document that this program could go on with, and where.
public struct JSONReadingError: Error, Hashable, Sendable {
  public enum Problem: Hashable, Sendable {
    /// The bytes end in the middle.
    case truncated
    /// Not JSON.
    case malformed(expected: String)
    /// JSON, but another kind of value.
    case wrongType(expected: String, found: String)
    /// A value of the right kind that means nothing here.
    case wrongValue(expected: String, found: String)
    case numberTooLarge
    /// A string with bytes that are no UTF-8, a lone surrogate or a bare control character.
    case badText
    case missingKey(String)
    case duplicateKey(String)
    case tooManyKeys(limit: Int)
    case tooDeep(limit: Int)
    /// Bytes after the end of the document.
    case trailingBytes
    /// A document of another form than the one that is read here.
    case otherSchema(expected: String, found: String)
    /// A kind of row that is only ever written.
    case notReadable
  }

  public var problem: Problem
  /// Bytes from the start of the document.
  public var offset: Int
  /// The way from the top of the document, such as `domains[1].mapping.runs[0].iova`.
  public var path: String

  init(_ problem: Problem, at offset: Int, path: String = "") {
    self.problem = problem
    self.offset = offset
    self.path = path
  }

  /// The same inside the member `name`.
  func inside(_ name: StaticString) -> Self {
    var error = self
    error.path = path.isEmpty || path.hasPrefix("[") ? "\(name)\(path)" : "\(name).\(path)"
    return error
  }

  /// The same inside an array's item.
  func inside(item index: Int) -> Self {
    var error = self
    error.path = path.isEmpty || path.hasPrefix("[") ? "[\(index)]\(path)" : "[\(index)].\(path)"
    return error
  }
}

extension JSONReadingError: CustomStringConvertible {
  public var description: String {
    if case .otherSchema(let expected, let found) = problem {
      return
        "expected a document of schema \(expected), have \(found); write it again from its dump"
    }
    return "\(path.isEmpty ? "" : path + " ")at byte \(offset): \(problem)"
  }
}

extension JSONReadingError.Problem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated: "the document ends in the middle"
    case .malformed(let expected): "no JSON: expected \(expected)"
    case .wrongType(let expected, let found): "expected \(expected), have \(found)"
    case .wrongValue(let expected, let found): "expected \(expected), have \(found)"
    case .numberTooLarge: "the number is too large"
    case .badText: "the string holds what is no UTF-8 text"
    case .missingKey(let key): "key `\(key)` is missing"
    case .duplicateKey(let key): "key `\(key)` occurs twice"
    case .tooManyKeys(let limit): "more than \(limit) keys in one object"
    case .tooDeep(let limit): "nested more than \(limit) deep"
    case .trailingBytes: "expected the end of the document"
    case .otherSchema(let expected, let found): "expected schema \(expected), have \(found)"
    case .notReadable: "this document is only written"
    }
  }
}
