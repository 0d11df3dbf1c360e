// SPDX-License-Identifier: Apache-2.0

public import Files

/// Somebody who has debug information of kernels and gives it out by their build id.
public protocol DebugFileServer: Sendable {
  /// The ELF file with debug information.
  ///
  /// - Parameters:
  ///   - buildID: lower-case hexadecimal.
  ///   - progress: is told how many bytes have come, and of how many where that is known.
  /// - Throws: why there is none.
  func file(
    buildID: String, progress: (_ done: Int, _ whole: Int?) -> Void
  ) throws(DebugFileFailure) -> InputFile
}

/// Why a server gives no file.
public struct DebugFileFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}
