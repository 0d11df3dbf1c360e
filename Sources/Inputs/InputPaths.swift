// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import Files

/// What was named on a command line, sorted: folders are replaced by the dump in them, and a kernel
/// beside a dump is told from it, in either order.
public struct InputPaths: Hashable, Sendable {
  /// The dump's files.
  public var dumps: [String]
  /// The vmlinux among them.
  public var kernel: String?

  /// - Throws: `InputError` where a folder has no dump or several, or where standard input or a
  ///   kernel is named twice. Files that do not exist are left for whoever opens them.
  public init(_ paths: [String]) throws(InputError) {
    dumps = []
    for path in paths {
      if path == InputSource.standardInput, dumps.contains(path) {
        throw InputError(path, .standardInputTwice)
      }
      switch FileKind.of(path) {
      case .folder: dumps.append(try Self.dump(in: path))
      // One file is a dump, whatever it is.
      case .regular where paths.count > 1 && Self.signature(of: path) == .kernel:
        if let kernel { throw InputError(path, .severalKernels(kernel, path)) }
        kernel = path
      default: dumps.append(path)
      }
    }
  }

  /// What to say of a dump whose name tells that it is not whole.
  ///
  /// - Returns: `nil` for every other name.
  public static func obstacle(of path: String) -> String? {
    DumpNames.isIncomplete(path) ? incomplete(path) : nil
  }

  static func incomplete(_ path: String) -> String {
    "the name of \(path.split(separator: "/").last ?? "") says that saving the dump did not finish; "
      + "what was saved is read"
  }

  /// The one dump below a folder.
  ///
  /// Names that dumps have go before first bytes alone, which processes' cores share.
  private static func dump(in folder: String) throws(InputError) -> String {
    let files: [String]
    do {
      files = try FolderWalk.files(below: folder)
    } catch {
      throw InputError(error)
    }
    var found = files.filter { path in
      guard DumpNames.isDump(path), let head = head(of: path) else { return false }
      return DumpSignature(head) == .dump || Wrapper(head) != nil
    }
    if found.isEmpty {
      found = files.filter { head(of: $0).flatMap(DumpSignature.init) == .dump }
    }
    guard let first = found.first else { throw InputError(folder, .noDump(.folder)) }
    guard found.count == 1 else { throw InputError(folder, .severalDumps(.folder, found)) }
    return first
  }

  private static func head(of path: String) -> [UInt8]? {
    try? WholeFile.prefix(path, count: DumpSignature.byteCount)
  }

  /// What a file's first bytes show behind its wrappers.
  private static func signature(of path: String) -> DumpSignature? {
    guard let file = try? ByteInput(path) else { return nil }
    var stream = PeekedStream(RawStream(file))
    for _ in 0..<InputSource.wrapperLimit {
      guard let head = try? stream.peek(DumpSignature.byteCount) else { return nil }
      guard let wrapper = Wrapper(head) else { return DumpSignature(head) }
      guard
        let inner = try? UnwrappedStream(
          stream, wrapper, name: path, limit: InputSource.standardLimit)
      else { return nil }
      stream = PeekedStream(inner)
    }
    return nil
  }
}
