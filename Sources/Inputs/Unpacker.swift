// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import Files

/// Unpacks one file into a temporary one.
struct Unpacker {
  /// Unpacked bytes from which on it is told how many there are, and where.
  private static let large = 1 << 30
  private static let progressStep = 1 << 25
  private static let sample = 1 << 16

  /// For messages.
  let name: String
  let policy: InputSource.Policy
  /// Where the packed bytes come from, and how many there are; `nil` for a pipe.
  let input: ByteInput
  let size: Int?
  /// Whether the bytes are plain memory, which looks like nothing.
  let takesAnything: Bool
  /// What is missing because a wrapper was cut or damaged, in sentences.
  private(set) var obstacles: [String] = []

  init(name: String, policy: InputSource.Policy, input: ByteInput, size: Int?, takesAnything: Bool)
  {
    self.name = name
    self.policy = policy
    self.input = input
    self.size = size
    self.takesAnything = takesAnything
  }

  /// - Parameter stream: the packed bytes, of which none has been taken.
  mutating func unpack(_ stream: PeekedStream) throws(InputError) -> InputFile {
    let stream = try unwrapped(stream)
    if TarMembers.isStart(try stream.peek(TarMembers.blockSize)) {
      return try search(TarMembers(stream))
    }
    // What is no dump is unpacked just far enough to say what it is.
    let signature = DumpSignature(try stream.peek(DumpSignature.byteCount))
    let isDump = takesAnything || signature != nil
    return try spool(stream, isDump ? .max : Self.sample)
  }

  /// - Parameter stream: a packed kernel, of which no byte has been taken.
  /// - Throws: also where it is cut off, because half a kernel is of no use.
  func unpackKernel(_ stream: PeekedStream) throws(InputError) -> InputFile {
    let stream = try unwrapped(stream)
    guard try stream.peek(4) == [0x7f, 0x45, 0x4c, 0x46] else {
      throw InputError(name, .damagedKernel("what is packed in it is no ELF file"))
    }
    var unpacker = self
    let file = try unpacker.spool(stream)
    guard unpacker.obstacles.isEmpty else {
      throw InputError(
        name,
        .damagedKernel("the kernel in it is cut or damaged, \(file.byteCount) bytes come out of it")
      )
    }
    return file
  }

  /// The stream without its wrappers.
  private func unwrapped(_ stream: PeekedStream) throws(InputError) -> PeekedStream {
    var stream = stream
    for _ in 0..<InputSource.wrapperLimit {
      guard let wrapper = Wrapper(try stream.peek(TarMembers.blockSize)) else { return stream }
      policy.detail("\(name): unpacking \(wrapper.rawValue)")
      stream = PeekedStream(
        try UnwrappedStream(stream, wrapper, name: name, limit: policy.limit))
    }
    guard Wrapper(try stream.peek(TarMembers.blockSize)) == nil else {
      throw InputError(name, .tooManyWrappers)
    }
    return stream
  }

  /// Writes a stream into a temporary file.
  ///
  /// - Parameter count: bytes, about, after which nobody wants to know more.
  private mutating func spool(
    _ stream: PeekedStream, _ count: Int = .max
  ) throws(InputError) -> InputFile {
    var told = 0
    let file = try Self.inFile { () throws(FileError) in try TemporaryFile(for: name) }
    while file.byteCount < count, case let bytes = try stream.next(), !bytes.isEmpty {
      try Self.inFile { () throws(FileError) in try file.append(bytes) }
      guard file.byteCount <= policy.limit else {
        throw InputError(name, .unpacksTooFar(limit: policy.limit))
      }
      guard file.byteCount - told >= Self.progressStep else { continue }
      told = file.byteCount
      let share = size.map { ", \(min(99, 100 * input.position / max(1, $0))) %" } ?? ""
      policy.progress("unpacking \(name): \(told >> 20) MiB\(share)")
    }
    if let damage = stream.damage { obstacles.append(damage) }
    let words =
      "\(name): unpacked \(file.byteCount) bytes into \(file.folder), "
      + "where they take \(file.storedByteCount) until this program ends"
    if file.storedByteCount >= Self.large { policy.warning(words) } else { policy.detail(words) }
    return try Self.inFile { () throws(FileError) in try file.finish() }
  }

  private static func inFile<Result>(
    _ body: () throws(FileError) -> Result
  ) throws(InputError) -> Result {
    do { return try body() } catch { throw InputError(error) }
  }

  // MARK: Archives

  /// Unpacks the dump of an archive, which must have one.
  ///
  /// A name that dumps have goes before first bytes alone: processes leave ELF cores too.
  private mutating func search(
    _ members: TarMembers
  ) throws(InputError) -> InputFile {
    var found: (file: InputFile, isNamed: Bool, obstacles: [String])?
    var names: [String] = []
    while let member = try members.next() {
      let content = members.stream()
      let head = try content.peek(TarMembers.blockSize)
      let isNamed = DumpNames.isDump(member.name)
      let isPacked = Wrapper(head) != nil
      guard DumpSignature(head) == .dump || isNamed && isPacked else { continue }
      if let found, found.isNamed, !isNamed { continue }
      if let found, !found.isNamed, isNamed { names = [] }
      names.append(member.name)
      guard names.count == 1 else { continue }
      guard !member.isSparse else { throw InputError(name, .sparseMember(member.name)) }
      policy.detail("\(name): reading the member \(member.name)")
      obstacles = []
      if DumpNames.isIncomplete(member.name) {
        obstacles.append(InputPaths.incomplete(member.name))
      }
      let file = try spool(try unwrapped(content))
      found = (file, isNamed, obstacles)
    }
    guard let found else {
      if let damage = members.damage { throw InputError(name, .damagedArchive(damage)) }
      throw InputError(name, .noDump(.archive))
    }
    guard names.count == 1 else { throw InputError(name, .severalDumps(.archive, names)) }
    obstacles = found.obstacles
    return found.file
  }
}
