// SPDX-License-Identifier: Apache-2.0

/// Which packed files of a folder are worth unpacking to look for a dump.
public enum PackedDump {
  /// Whether a file is packed in a form that can be read, and has the name of a dump.
  ///
  /// - Parameter head: the file's first bytes.
  public static func isLikely(_ path: String, head: [UInt8]) -> Bool {
    Wrapper(head) != nil && DumpNames.isDump(path)
  }
}
