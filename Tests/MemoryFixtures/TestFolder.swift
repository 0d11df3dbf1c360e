// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A folder of its own that goes away with the test: keep it where the test ends no earlier, as a
/// property of the suite or with `TestFolder.with`.
public final class TestFolder {
  /// Of the folder; absolute, without a slash at its end.
  public let path: String

  /// - Throws: what Foundation says where no folder can be made.
  public init() throws {
    path = FileManager.default.temporaryDirectory.path + "/iommuscope-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file or folder in it, whether it exists or not.
  public subscript(name: String) -> String { path + "/" + name }

  /// Writes a file, with the folders that it is in.
  ///
  /// - Returns: its path.
  @discardableResult
  public func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    let url = URL(fileURLWithPath: self[name])
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return self[name]
  }

  /// A folder that lasts as long as `body` runs.
  public static func with<Result>(_ body: (TestFolder) throws -> Result) throws -> Result {
    let folder = try TestFolder()
    return try withExtendedLifetime(folder) { try body(folder) }
  }
}

/// A file that lasts as long as `body` runs, alone in its folder.
public func withTestFile<Result>(
  _ bytes: some Sequence<UInt8>, named name: String = "vmcore", _ body: (String) throws -> Result
) throws -> Result {
  try TestFolder.with { try body($0.write(bytes, to: name)) }
}
