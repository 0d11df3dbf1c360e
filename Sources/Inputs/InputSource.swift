// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
public import Files

/// What somebody named as a dump, made into a file that can be mapped.
///
/// A plain file is mapped where it is. What is packed, in an archive or comes through a pipe is
/// unpacked as a stream into a temporary file without a name, within a bound.
public struct InputSource {
  /// How far anything may unpack, and who is told how it gets on.
  public struct Policy {
    /// Bytes.
    public var limit: Int
    public var progress: (String) -> Void
    public var detail: (String) -> Void
    public var warning: (String) -> Void

    public init(
      limit: Int = InputSource.standardLimit, progress: @escaping (String) -> Void = { _ in },
      detail: @escaping (String) -> Void = { _ in },
      warning: @escaping (String) -> Void = { _ in }
    ) {
      self.limit = limit
      self.progress = progress
      self.detail = detail
      self.warning = warning
    }
  }

  /// 64 GiB.
  public static let standardLimit = 1 << 36
  /// Layers around one dump; people make two at most.
  static let wrapperLimit = 4

  /// Standard input, as people name it.
  public static let standardInput = "-"

  private var file: InputFile
  /// What is missing because a wrapper was cut or damaged, in sentences.
  public var obstacles: [String]

  /// Where in physical memory the first byte is; `nil` for everything but plain memory.
  public let address: UInt64?

  private let name: String

  /// - Parameter given: a file, a pipe with a name, or `-`; with `@` and an address behind it, plain
  ///   memory from there on.
  /// - Throws: `InputError` where no dump comes out.
  public init(_ given: String, _ policy: Policy) throws(InputError) {
    let path: String
    let plainAddress: UInt64?
    (path, plainAddress) = InputPaths.plain(given)
    address = plainAddress
    name = given
    obstacles = []
    let input: ByteInput
    var plain: InputFile?
    do throws(FileError) {
      if path == Self.standardInput {
        plain = try InputFile.standardInput()
        input =
          try plain.map { plain throws(FileError) in try ByteInput(reading: plain) } ?? .standard
        if plain == nil, input.kind == .device { throw FileError(path, .isNotRegular) }
      } else if FileKind.of(path) == .pipe {
        input = try ByteInput(path)
      } else {
        let file = try InputFile(path)
        // Files of /proc are as long as what comes out of them.
        plain = file.byteCount > 0 ? file : nil
        input = try ByteInput(reading: file)
      }
    } catch {
      if path == Self.standardInput, error.cause == .isNotRegular {
        throw InputError(path, .terminal)
      }
      throw InputError(error)
    }
    let stream = PeekedStream(RawStream(input))
    let isPacked = try Self.isPacked(stream, path)
    if let plain, !isPacked {
      file = plain
      return
    }
    var unpacker = Unpacker(
      name: path, policy: policy, input: input, size: plain?.byteCount,
      takesAnything: plainAddress != nil)
    file = try unpacker.unpack(stream)
    obstacles = unpacker.obstacles
  }

  /// The bytes; what they come from goes with the mapping's last user.
  public func mapping() throws(InputError) -> FileMapping {
    do { return try FileMapping(file, name: name) } catch { throw InputError(error) }
  }

  private static func isPacked(_ stream: PeekedStream, _ name: String) throws(InputError) -> Bool {
    let head = try stream.peek(TarMembers.blockSize)
    if let other = Wrapper.others.first(where: { head.starts(with: $0.signature) }) {
      throw InputError(name, .otherPacker(other.name, command: other.command))
    }
    return Wrapper(head) != nil || TarMembers.isStart(head)
  }
}
