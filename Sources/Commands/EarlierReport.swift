// SPDX-License-Identifier: Apache-2.0

import Files
import Memory
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

  /// - Parameter work: what a report grants, which is as long as what it tells.
  static func read(
    _ path: String, granting work: WorkBudget? = nil
  ) throws(CommandFailure) -> ReportDocument {
    let bytes = try CommandFiles.bytes(path, limit: limit)
    work?.grant(pages: bytes.count >> 12)
    do {
      return try ReportReader.document(bytes)
    } catch {
      throw CommandFailure("\(path): \(error)")
    }
  }
}
