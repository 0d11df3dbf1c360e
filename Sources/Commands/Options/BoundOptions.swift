// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Memory

/// How much work a run may do; by default what follows from the size of the dump.
struct BoundOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Look at this many table entries at most; 0 for no limit. The default, like those below, is far "
        + "more than an undamaged dump needs.", valueName: "n"))
  var maxEntries: Int?

  @Option(
    help: ArgumentHelp(
      "Keep this many rows (runs, contexts, events) in memory at most; 0 for no limit.",
      valueName: "n"))
  var maxRuns: Int?

  @Option(
    help: ArgumentHelp(
      "Read this many kernel objects at most; 0 for no limit.", valueName: "n"))
  var maxObjects: Int?

  @Option(
    help: ArgumentHelp("Decompress this many pages at most; 0 for no limit.", valueName: "n"))
  var maxPages: Int?

  @Option(
    help: ArgumentHelp(
      "Write this many bytes of the result at most; 0 for no limit.", valueName: "bytes"))
  var maxOutput: Int?

  func validate() throws {
    try Self.check(maxEntries, "entries")
    try Self.check(maxRuns, "runs")
    try Self.check(maxObjects, "objects")
    try Self.check(maxPages, "pages")
    try Self.check(maxOutput, "output")
  }

  private static func check(_ value: Int?, _ name: String) throws {
    guard let value, value < 0 else { return }
    throw ValidationError("'--max-\(name)' is a number, 0 or more; have \(value).")
  }

  /// A fresh budget for one run.
  var work: WorkBudget {
    func limit(_ value: Int?) -> Int? { value == 0 ? .max : value }
    return WorkBudget(
      WorkLimits(
        entries: limit(maxEntries), runs: limit(maxRuns), objects: limit(maxObjects),
        pages: limit(maxPages), output: limit(maxOutput)))
  }
}
