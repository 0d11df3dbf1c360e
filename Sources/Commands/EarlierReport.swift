// SPDX-License-Identifier: Apache-2.0

internal import Files
import Report

/// A report that was written earlier as JSON and stands in for its dump.
enum EarlierReport {
  /// Bytes; a report of a million runs has a tenth of it.
  private static let limit = 1 << 30

  /// The report in a file; `nil` for what is no file, or does not begin like JSON.
  static func read(ifThereIsOneIn path: String) throws(CommandFailure) -> ReportDocument? {
    guard (try? FileTree.kind(of: path)) == .file, try CommandFiles.looksLikeJSON(path) else {
      return nil
    }
    return try read(path)
  }

  static func read(_ path: String) throws(CommandFailure) -> ReportDocument {
    let bytes = try CommandFiles.bytes(path, limit: limit)
    do {
      return try ReportReader.document(bytes)
    } catch {
      throw CommandFailure("\(path): \(error)")
    }
  }
}
