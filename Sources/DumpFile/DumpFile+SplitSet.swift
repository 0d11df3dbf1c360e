// SPDX-License-Identifier: Apache-2.0

internal import Files

extension DumpFile {
  /// What all parts of a split kdump-compressed dump have in common and other dumps do not share;
  /// `nil` for files that are no such part.
  public static func splitSet(of path: String) -> String? {
    guard let mapping = try? FileMapping(path), let bytes = try? DumpBytes(mapping),
      let header = try? KdumpHeader(bytes), header.splitFrames != nil
    else { return nil }
    return "\(header.identity)"
  }
}
