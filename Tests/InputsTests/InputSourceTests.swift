// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Files
import Foundation
import Memory
import MemoryFixtures
import Testing

@testable import Inputs

/// What is packed comes out as it was, or the reason is told.
struct InputSourceTests {
  private let folder: TestFolder
  private let dump = ELFDumpBuilder(MemoryImage.random(seed: 7, frames: 96)).build()

  init() throws { folder = try TestFolder() }

  private func bytes(_ source: InputSource) throws -> [UInt8] {
    let mapping = try source.mapping()
    return mapping.withBytes(at: 0, length: mapping.byteCount) {
      (try? $0.copy(at: 0, count: mapping.byteCount)) ?? []
    }
  }

  private func failure(
    _ path: String, _ policy: InputSource.Policy = .init()
  ) -> InputError.Cause? {
    do {
      _ = try InputSource(path, policy)
      return nil
    } catch {
      return error.cause
    }
  }

  @Test func `a plain file is read where it is`() throws {
    let source = try InputSource(folder.write(dump, to: "vmcore"), .init())
    #expect(try bytes(source) == dump)
    #expect(source.obstacles.isEmpty)
  }

  @Test(arguments: Wrapper.allCases)
  func `every wrapper`(_ wrapper: Wrapper) throws {
    guard let packed = try wrapper.packed(dump) else { return }
    let once = try InputSource(folder.write(packed, to: "once"), .init())
    #expect(try bytes(once) == dump)
    #expect(once.obstacles.isEmpty)
    // Parallel packers write one stream behind the other.
    let half = dump.count / 2
    let first = try #require(try wrapper.packed(Array(dump[..<half])))
    let second = try #require(try wrapper.packed(Array(dump[half...])))
    let twice = try InputSource(folder.write(first + second, to: "twice"), .init())
    #expect(try bytes(twice) == dump)
    let around = try #require(try Wrapper.gzip.packed(packed))
    #expect(try bytes(InputSource(folder.write(around, to: "around"), .init())) == dump)
  }

  @Test(arguments: Wrapper.allCases)
  func `a cut wrapper is read as far as it goes`(_ wrapper: Wrapper) throws {
    // Enough for several blocks of every packer, and nothing that packs well.
    var large = dump
    var state: UInt64 = 1
    while large.count < 5 << 20 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      large.append(UInt8(state >> 56))
    }
    guard let packed = try wrapper.packed(large) else { return }
    let cut = try InputSource(
      folder.write(Array(packed[..<(packed.count * 4 / 5)]), to: "cut"), .init())
    let read = try bytes(cut)
    #expect(read.count > large.count / 4 && read.count < large.count)
    #expect(large.starts(with: read))
    #expect(cut.obstacles.count == 1)
    #expect(cut.obstacles.first?.contains(wrapper.rawValue) == true, "\(cut.obstacles)")
    var damaged = packed
    for index in packed.count / 2..<packed.count / 2 + 64 { damaged[index] ^= 0xa5 }
    // Damage is found by the packer's own checks: in the data, or in the sum at the end.
    let source = try InputSource(folder.write(damaged, to: "damaged"), .init())
    #expect(source.obstacles.count == 1)
    #expect(large.starts(with: try bytes(source).prefix(large.count / 4)))
  }

  @Test(arguments: Wrapper.allCases)
  func `a wrapper with nothing in it is an error`(_ wrapper: Wrapper) throws {
    guard let packed = try wrapper.packed(dump) else { return }
    let path = try folder.write(Array(packed.prefix(14)), to: "stump")
    guard case .damaged(wrapper, _) = failure(path) else {
      Issue.record("\(String(describing: failure(path)))")
      return
    }
  }

  @Test func `padding behind a stream is no damage`() throws {
    let packed = try #require(try Wrapper.gzip.packed(dump))
    let source = try InputSource(
      folder.write(packed + [UInt8](repeating: 0, count: 512), to: "padded"), .init())
    #expect(try bytes(source) == dump)
    #expect(source.obstacles.isEmpty)
  }

  @Test func `a bomb ends at the limit`() throws {
    let packed = try #require(
      try Wrapper.gzip.packed(dump + [UInt8](repeating: 0, count: 8 << 20)))
    let path = try folder.write(packed, to: "bomb")
    let zeros = try #require(try Wrapper.gzip.packed([UInt8](repeating: 0, count: 8 << 20)))
    // What is no dump is not unpacked at all.
    let none = try InputSource(folder.write(zeros, to: "none"), .init(limit: 1 << 20))
    #expect(try bytes(none).count < 1 << 20)
    #expect(failure(path, .init(limit: 1 << 20)) == .unpacksTooFar(limit: 1 << 20))
    var layers = dump
    for _ in 0...InputSource.wrapperLimit {
      layers = try #require(try Wrapper.gzip.packed(layers))
    }
    #expect(failure(try folder.write(layers, to: "onion")) == .tooManyWrappers)
  }

  @Test func `packers that are not read are named`() throws {
    let path = try folder.write([0x89, 0x4c, 0x5a, 0x4f] + dump, to: "vmcore.lzo")
    #expect(failure(path) == .otherPacker("lzop", command: "lzop -d"))
  }

  @Test func `zeros become holes`() throws {
    let zeros = [UInt8](repeating: 0, count: 4 << 20)
    let file = try TemporaryFile(for: "test")
    try file.append(Array(dump[..<5000]))
    try file.append(zeros)
    try file.append([1])
    try file.append(zeros)
    #expect(file.byteCount == 5001 + 2 * zeros.count)
    #expect(file.storedByteCount < 5000 + 3 * 4096)
    let input = try file.finish()
    #expect(try input.read(0..<5000) == Array(dump[..<5000]))
    #expect(try input.read(5000 + zeros.count - 1..<5002 + zeros.count) == [0, 1, 0])
    #expect(input.byteCount == file.byteCount)
  }

  @Test func `a pipe is read to its end, and one that nobody writes to is none`() throws {
    let path = folder["pipe"]
    #expect(unsafe mkfifo(path, 0o600) == 0)
    #expect(failure(path) == .file(FileError(path, .nobodyWrites)))
    let (bytes, place) = (dump, path)
    let writer = Thread {
      try? FileHandle(forWritingTo: URL(fileURLWithPath: place)).write(contentsOf: Data(bytes))
    }
    writer.start()
    #expect(try self.bytes(InputSource(path, .init())) == dump)
  }

  @Test func `devices and missing files are named`() throws {
    #expect(failure("/dev/zero") == .file(FileError("/dev/zero", .isNotRegular)))
    guard case .file(let error) = failure(folder["none"]) else {
      Issue.record("no error")
      return
    }
    #expect(error.description.contains("No such file"))
  }
}
