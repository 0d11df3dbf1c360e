// SPDX-License-Identifier: Apache-2.0

public import Files
internal import Memory

/// A kernel's file as distributions keep it, made into the ELF file that is in it.
///
/// A plain file is read where it is. What is packed, and the kernel inside a bootable image, is unpacked
/// into a temporary file without a name, within the policy's bound.
public enum KernelFile {
  /// - Parameters:
  ///   - path: a vmlinux, packed or not, or a vmlinuz (bzImage).
  ///   - policy: how far anything may unpack, and who is told.
  /// - Returns: an ELF file, or, where nothing is around it, whatever the file is.
  /// - Throws: `InputError` where it cannot be read, is damaged, or packed in a way that is not read.
  public static func open(
    _ path: String, _ policy: InputSource.Policy
  ) throws(InputError) -> InputFile {
    let file: InputFile
    let input: ByteInput
    do {
      file = try InputFile(path)
      input = try ByteInput(reading: file)
    } catch {
      throw InputError(error)
    }
    return try open(file, input, policy)
  }

  /// The same of a file that is open.
  public static func open(
    _ file: InputFile, _ policy: InputSource.Policy
  ) throws(InputError) -> InputFile {
    do {
      return try open(file, ByteInput(reading: file), policy)
    } catch let error as InputError {
      throw error
    } catch let error as FileError {
      throw InputError(error)
    } catch {
      return file
    }
  }

  private static func open(
    _ file: InputFile, _ input: ByteInput, _ policy: InputSource.Policy
  ) throws(InputError) -> InputFile {
    let stream = PeekedStream(RawStream(input))
    let unpacker = Unpacker(
      name: file.path, policy: policy, input: input, size: file.byteCount, takesAnything: false)
    let head = try stream.peek(BootImage.headerSize)
    if let payload = try BootImage.payload(head, of: file) {
      policy.detail("\(file.path): unpacking the kernel in it")
      return try unpacker.unpackKernel(payload)
    }
    return Wrapper(head) == nil ? file : try unpacker.unpackKernel(stream)
  }
}

/// The image that boot loaders load: a packed kernel behind code that unpacks it.
enum BootImage {
  /// Bytes that hold all that is needed of the header.
  static let headerSize = 0x250

  /// The packed kernel; `nil` where the bytes are no such image.
  ///
  /// - Parameter head: the file's first bytes, at most `headerSize`.
  /// - Throws: where the image is of a form that is not read, or cut off.
  static func payload(
    _ head: [UInt8], of file: InputFile
  ) throws(InputError) -> PeekedStream? {
    // Source: Documentation/arch/x86/boot.rst: `setup_sects` at 0x1f1 (0 means 4), the magic number at
    // 0x202, the protocol at 0x206; since 2.08 `payload_offset`, from the protected-mode code on, at
    // 0x248 and `payload_length` at 0x24c.
    guard head.count >= headerSize, head[0x202..<0x206].elementsEqual("HdrS".utf8),
      let version: UInt16 = try? head.littleEndian(at: 0x206), version >= 0x208,
      let offset: UInt32 = try? head.littleEndian(at: 0x248),
      let length: UInt32 = try? head.littleEndian(at: 0x24c)
    else { return nil }
    let sectors = head[0x1f1] == 0 ? 4 : Int(head[0x1f1])
    let start = (sectors + 1) * 512 + Int(offset)
    let end = start + Int(length)
    guard length > 0, end <= file.byteCount else {
      throw InputError(
        file.path,
        .damagedKernel("its packed kernel ends at \(end), the file at \(file.byteCount)"))
    }
    let packed = try PeekedStream(FilePart(file, start..<end)).peek(16)
    let others = Wrapper.others.map { ($0.signature, $0.name) } + [([0x5d, 0, 0], "lzma")]
    if let (_, name) = others.first(where: { packed.starts(with: $0.0) }) {
      throw InputError(file.path, .otherPacker(name, command: "extract-vmlinux"))
    }
    // gzip ends with the size of what comes out; behind the others the kernel's build appends it
    // (scripts/Makefile.lib, `size_append`), and it is no part of the packed bytes.
    let trailer = Wrapper(packed) == .gzip ? 0 : 4
    return PeekedStream(FilePart(file, start..<max(start, end - trailer)))
  }
}

/// A part of a file, in order.
final class FilePart: ByteStream {
  private let file: InputFile
  private var rest: Range<Int>

  /// - Parameter range: inside the file.
  init(_ file: InputFile, _ range: Range<Int>) {
    self.file = file
    rest = range
  }

  var damage: String? { nil }

  func next() throws(InputError) -> [UInt8] {
    let end = min(rest.upperBound, rest.lowerBound + ByteInput.chunk)
    guard end > rest.lowerBound else { return [] }
    do {
      let bytes = try file.read(rest.lowerBound..<end)
      rest = end..<rest.upperBound
      return bytes
    } catch {
      throw InputError(error)
    }
  }
}
