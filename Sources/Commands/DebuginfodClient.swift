// SPDX-License-Identifier: Apache-2.0

internal import CDebuginfod
internal import Files
internal import Session

/// Debuginfod servers, asked by a process of its own: this one gives up the network before it reads a
/// dump, and the other one never learns more of a dump than its kernel's build id.
struct DebuginfodClient: DebugFileServer {
  private let socket: Int32

  /// Milliseconds between two looks at whether a signal came.
  private static let patience: Int32 = 100

  /// Makes the other process, before other threads exist.
  ///
  /// - Parameter urls: of `DEBUGINFOD_URLS`, which libdebuginfod reads itself.
  /// - Returns: `nil` where no server is named: nobody is asked then.
  static func begin(urls: String?) -> DebuginfodClient? {
    guard let urls, urls.contains(where: { $0 != " " }) else { return nil }
    let socket = debuginfod_begin()
    return socket >= 0 ? DebuginfodClient(socket: socket) : nil
  }

  func file(
    buildID: String, progress: (_ done: Int, _ whole: Int?) -> Void
  ) throws(DebugFileFailure) -> InputFile {
    // A terminated string for the length of the call.
    guard unsafe debuginfod_ask(socket, buildID) == 0 else {
      debuginfod_finish()
      throw DebugFileFailure("servers cannot be asked for build id \(buildID)")
    }
    defer { debuginfod_finish() }
    while true {
      let message = debuginfod_next(socket, Self.patience)
      switch message.kind {
      case DEBUGINFOD_PROGRESS:
        progress(Int(message.done), message.whole > 0 ? Int(message.whole) : nil)
      case DEBUGINFOD_FOUND:
        do {
          return try InputFile(taking: message.descriptor, path: Self.text(message))
        } catch {
          throw DebugFileFailure(error.description)
        }
      case DEBUGINFOD_FAILED: throw DebugFileFailure(Self.text(message))
      case DEBUGINFOD_SIGNAL: throw DebugFileFailure("interrupted")
      default: continue
      }
    }
  }

  private static func text(_ message: debuginfod_message) -> String {
    // The characters end with a zero inside their array.
    unsafe withUnsafeBytes(of: message.text) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
