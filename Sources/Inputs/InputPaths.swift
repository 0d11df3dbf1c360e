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
      case .regular where paths.count == 1 && Self.companion(of: path) != nil:
        dumps += [path, Self.companion(of: path)].compactMap(\.self)
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

  /// The file behind a name, which may have an address at its end.
  public static func file(_ path: String) -> String { plain(path).path }

  /// The name and the address of plain memory that was named as `FILE@ADDRESS`, hexadecimal as crash
  /// takes it; no address for every other name, and where a file has the whole name.
  static func plain(_ path: String) -> (path: String, address: UInt64?) {
    guard FileKind.of(path) == nil, let sign = path.lastIndex(of: "@"), sign > path.startIndex
    else {
      return (path, nil)
    }
    var digits = path[path.index(after: sign)...]
    if digits.lowercased().hasPrefix("0x") { digits = digits.dropFirst(2) }
    guard let address = UInt64(digits, radix: 16), address < 1 << 52 else { return (path, nil) }
    return (String(path[..<sign]), address)
  }

  /// The file that is read with one that is named alone: the memory beside a VMware machine's state, or
  /// the state beside its memory; `nil` where a file needs none or it is not there.
  public static func companion(of path: String) -> String? {
    let endings = [".vmss": [".vmem"], ".vmsn": [".vmem"], ".vmem": [".vmss", ".vmsn"]]
    guard let (own, others) = endings.first(where: { path.lowercased().hasSuffix($0.key) }) else {
      return nil
    }
    return others.map { String(path.dropLast(own.count)) + $0 }.first {
      FileKind.of($0) == .regular
    }
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
