// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Files
import Foundation
import Inputs
import MemoryFixtures
import Testing

/// Kernels in the forms in which distributions keep them.
struct KernelFileTests {
  /// Some ELF file that is large enough to take more than one step.
  static let kernel: [UInt8] =
    [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }

  /// A bootable image around a payload.
  static func image(
    _ payload: [UInt8], sectors: UInt8 = 3, version: UInt16 = 0x20f, offset: UInt32 = 700,
    length: UInt32? = nil
  ) -> [UInt8] {
    let start = (sectors == 0 ? 5 : Int(sectors) + 1) * 512 + Int(offset)
    var file = ByteWriter()
    file.append([UInt8](repeating: 0xcc, count: start))
    file.store(sectors, at: 0x1f1)
    for (index, byte) in "HdrS".utf8.enumerated() { file.store(byte, at: 0x202 + index) }
    file.store(version, at: 0x206)
    file.store(offset, at: 0x248)
    // The size of what comes out stands behind the payload and counts for it.
    file.store(length ?? UInt32(payload.count + 4), at: 0x24c)
    file.append(payload)
    file.append([0x12, 0x34, 0x56, 0])
    return file.bytes
  }

  private func opened(_ bytes: [UInt8], limit: Int = 1 << 24) throws -> [UInt8] {
    let folder = try TestFolder()
    let file = try KernelFile.open(
      folder.write(bytes, to: "vmlinux"), InputSource.Policy(limit: limit))
    return try file.read(0..<file.byteCount)
  }

  private func problem(_ bytes: [UInt8], limit: Int = 1 << 24) throws -> InputError.Cause? {
    do {
      _ = try opened(bytes, limit: limit)
      return nil
    } catch let error as InputError {
      return error.cause
    }
  }

  @Test func `a plain file is read where it is, whatever it is`() throws {
    #expect(try opened(Self.kernel) == Self.kernel)
    #expect(try opened(Array("text".utf8)) == Array("text".utf8))
  }

  @Test(arguments: Wrapper.allCases)
  func `a packed kernel is unpacked`(_ wrapper: Wrapper) throws {
    guard let packed = try wrapper.packed(Self.kernel) else { return }
    #expect(try opened(packed) == Self.kernel)
    switch try problem(Array(packed.dropLast(packed.count / 2))) {
    case .damagedKernel, .damaged: break
    case let other: Issue.record("half a kernel is of no use: \(String(describing: other))")
    }
    #expect(try problem(packed, limit: 4096) == .unpacksTooFar(limit: 4096))
  }

  @Test(arguments: [Wrapper.gzip, .bzip2, .xz, .zstd], [3, 0] as [UInt8])
  func `a bootable image is opened as the kernel in it`(
    _ wrapper: Wrapper, _ sectors: UInt8
  ) throws {
    guard let packed = try wrapper.packed(Self.kernel) else { return }
    #expect(try opened(Self.image(packed, sectors: sectors)) == Self.kernel)
  }

  @Test func `an image without such a payload is refused, or is no image`() throws {
    let packed = try #require(try Wrapper.gzip.packed(Self.kernel))
    let text = try #require(try Wrapper.gzip.packed(Array("no kernel".utf8)))
    let cases: [([UInt8], InputError.Cause)] = [
      (
        Self.image(packed, length: .max),
        .damagedKernel("its packed kernel ends at 4294970043, the file at \(2752 + packed.count)")
      ),
      (Self.image(text), .damagedKernel("what is packed in it is no ELF file")),
      (
        Self.image([0x02, 0x21, 0x4c, 0x18] + packed),
        .otherPacker("lz4's older frames", command: "extract-vmlinux")
      ),
      (
        Self.image([0x5d, 0, 0, 0x80] + packed),
        .otherPacker("lzma", command: "extract-vmlinux")
      ),
    ]
    for (bytes, cause) in cases { #expect(try problem(bytes) == cause) }
    // Older protocols do not tell where the payload is.
    let old = Self.image(packed, version: 0x207)
    #expect(try opened(old) == old)
  }
}
