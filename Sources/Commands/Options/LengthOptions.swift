// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// How long the lists of a text are: `--limit`, alike for every verb.
struct LengthOptions<Lists: ListLength>: ParsableArguments {
  @Option(help: ArgumentHelp("\(Lists.what); 0 for all.", valueName: "rows"))
  var limit: Int = Lists.usual

  /// Rows per list; `nil` for all.
  var rows: Int? { limit == 0 ? nil : limit }

  func validate() throws {
    if limit < 0 {
      throw ValidationError("'--limit' is a number of rows, 0 or more; have \(limit).")
    }
  }
}

/// What the lists of one verb hold.
protocol ListLength {
  /// For the help.
  static var what: String { get }
  /// Rows where nobody says how many.
  static var usual: Int { get }
}

/// Lists whose first rows are shown.
enum Rows: ListLength {
  static let what: String = "Rows of each list in the text"
  static let usual = 20
}

/// Lists whose last rows are shown.
enum NewestRows: ListLength {
  static let what: String = "Rows of each list in the text, the newest"
  static let usual = 60
}

/// Faults that are alike are one row.
enum FaultKinds: ListLength {
  static let what: String = "Kinds of faults in the text"
  static let usual = 20
}

/// Lists that are shown whole.
enum AllRows: ListLength {
  static let what: String = "Rows of each list in the text"
  static let usual = 0
}
