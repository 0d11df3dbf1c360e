// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials

/// Reads a report that was written earlier, so that it can stand in for its dump.
public enum ReportReader {
  /// - Throws: for anything but a report of the schema that this program writes; nesting, numbers
  ///   and names are bounded, whoever wrote the bytes.
  public static func document(_ bytes: [UInt8]) throws(ReportReadingError) -> ReportDocument {
    let decoder = JSONDecoder()
    do {
      let head = try decoder.decode(Head.self, from: Data(bytes))
      guard head.schema == ReportDocument.schema else {
        throw ReportReadingError.otherSchema(head.schema)
      }
      return try decoder.decode(ReportDocument.self, from: Data(bytes))
    } catch let error as ReportReadingError {
      throw error
    } catch let error as DecodingError {
      throw .malformed(reason(error))
    } catch {
      throw .malformed("\(error)")
    }
  }

  private struct Head: Decodable {
    var schema: String
  }

  /// Where in the document, and what is wrong there.
  private static func reason(_ error: DecodingError) -> String {
    let context: DecodingError.Context
    let what: String
    switch error {
    case .keyNotFound(let key, let found):
      (context, what) = (found, "key `\(key.stringValue)` is missing")
    case .valueNotFound(_, let found): (context, what) = (found, "null where a value belongs")
    case .typeMismatch(_, let found), .dataCorrupted(let found):
      (context, what) = (found, found.debugDescription)
    @unknown default: return "\(error)"
    }
    guard !context.codingPath.isEmpty else { return what }
    let path = context.codingPath.prefix(16).map { key in
      key.intValue.map { "[\($0)]" } ?? "." + key.stringValue
    }
    return "\(path.joined().drop { $0 == "." }): \(what)"
  }
}

/// Why bytes are no report.
public enum ReportReadingError: Error, Hashable, Sendable {
  /// A JSON document with another schema than this program's reports.
  case otherSchema(String)
  /// No JSON, or not what the schema says.
  case malformed(String)
}

extension ReportReadingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .otherSchema(let found):
      "expected a report of schema \(ReportDocument.schema), have \(found); write it again from its dump"
    case .malformed(let reason): "not a report: \(reason)"
    }
  }
}
