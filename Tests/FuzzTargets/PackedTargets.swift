// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Files
import Glibc
import Inputs
import KernelTypes

extension FuzzTarget {
  /// What dumps are packed in: gzip, bzip2, xz, zstd, lz4 and tar, one around another.
  static let packed: [FuzzTarget] = [
    FuzzTarget(
      "packed",
      seeds: {
        ["sample.gz", "sample.bz2", "sample.xz", "sample.zst", "sample.lz4", "sample.tar"]
          .compactMap { try? WholeFile.read("\(seedFolder)/packed/\($0)") }
      },
      run: { bytes in
        withFile(bytes) { path in
          let policy = InputSource.Policy(limit: 1 << 20)
          guard let source = try? InputSource(path, policy) else { return }
          _ = try? source.mapping()
        }
      })
  ]

  /// Seeds that no builder makes; beside the corpus.
  static var seedFolder: String {
    var parts = #filePath.split(separator: "/")
    parts.removeLast(2)
    return "/" + parts.joined(separator: "/") + "/FuzzTests/Seeds"
  }

  /// Bytes as a file that exists while `body` runs; in memory where the machine has such a place.
  static func withFile(_ bytes: [UInt8], _ body: (String) -> Void) {
    let folder = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    let path = "\(folder)/iommuscope-fuzz-\(getpid())"
    let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { return }
    defer {
      close(descriptor)
      unsafe unlink(path)
    }
    var done = 0
    while done < bytes.count {
      // The rest of the array, which lives through the call.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
      }
      guard count > 0 else { return }
      done += count
    }
    body(path)
  }
}
