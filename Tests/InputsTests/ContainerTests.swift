// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Files
import Foundation
import Memory
import MemoryFixtures
import Testing

@testable import Inputs

/// Folders and archives with dumps in them.
struct ContainerTests {
  private let folder: TestFolder
  private let dump = ELFDumpBuilder(MemoryImage.random(seed: 8)).build()
  private let kernel: [UInt8] = {
    var builder = ELFDumpBuilder(MemoryImage.random(seed: 8))
    builder.type = 2
    return builder.build()
  }()

  init() throws { folder = try TestFolder() }

  private func cause<R>(_ body: () throws -> R) -> InputError.Cause? {
    do {
      _ = try body()
      return nil
    } catch {
      return (error as? InputError)?.cause
    }
  }

  // MARK: Folders

  @Test(arguments: [
    "202601011200/dump.202601011200", "127.0.0.1-2026-01-01-12:00:00/vmcore", "vmcore.flat",
    "2026-01-01/vmcore-incomplete", "dump-incomplete", "a/b/c/host.vmcore", "x.kdump",
    "no name that says anything",
  ])
  func `the dump of a folder`(_ name: String) throws {
    try folder.write(dump, to: name)
    try folder.write(Array("[    0.0] Linux".utf8), to: "a/vmcore-dmesg.txt")
    try folder.write(Array("[    0.0] Linux".utf8), to: "202601011200/dmesg.202601011200")
    try folder.write(kernel, to: "vmlinux-6.1")
    #expect(try InputPaths([folder.path]).dumps == [folder[name]])
    #expect((InputPaths.obstacle(of: name) != nil) == name.contains("incomplete"))
  }

  @Test func `a packed dump of a folder`() throws {
    let packed = try #require(try Wrapper.gzip.packed(dump))
    try folder.write(packed, to: "dump.1.gz")
    try folder.write(packed, to: "dmesg.1.gz")
    #expect(try InputPaths([folder.path]).dumps == [folder["dump.1.gz"]])
  }

  @Test func `several dumps are listed, none is none`() throws {
    #expect(cause { try InputPaths([folder.path]) } == .noDump(.folder))
    try folder.write(dump, to: "1/vmcore")
    try folder.write(dump, to: "2/vmcore")
    // A process's core is none of them.
    try folder.write(dump, to: "core.4711")
    #expect(
      cause { try InputPaths([folder.path]) }
        == .severalDumps(.folder, [folder["1/vmcore"], folder["2/vmcore"]]))
    // A link leads to what is there already.
    try FileManager.default.removeItem(atPath: folder["2"])
    try FileManager.default.createSymbolicLink(
      atPath: folder["vmcore"], withDestinationPath: folder["1/vmcore"])
    #expect(try InputPaths([folder.path]).dumps == [folder["1/vmcore"]])
  }

  // MARK: Kernels

  @Test func `a kernel beside a dump, in either order, packed or not`() throws {
    let vmcore = try folder.write(dump, to: "vmcore")
    let vmlinux = try folder.write(kernel, to: "vmlinux")
    let packed = try folder.write(try #require(try Wrapper.gzip.packed(kernel)), to: "vmlinux.gz")
    var boot = [UInt8](repeating: 0, count: 4096)
    boot.replaceSubrange(0x1fe..<0x206, with: [0x55, 0xaa, 0xeb, 0x66] + Array("HdrS".utf8))
    let image = try folder.write(boot, to: "vmlinuz")
    for (first, second, kernel) in [
      (image, vmcore, image), (vmcore, image, image),
      (vmcore, vmlinux, vmlinux), (vmlinux, vmcore, vmlinux), (packed, vmcore, packed),
    ] {
      let paths = try InputPaths([first, second])
      #expect(paths.dumps == [vmcore])
      #expect(paths.kernel == kernel)
    }
    #expect(
      cause { try InputPaths([vmlinux, vmcore, packed]) } == .severalKernels(vmlinux, packed))
    // Alone it is what was asked for, and whoever opens it says what is wrong.
    #expect(try InputPaths([vmlinux]).dumps == [vmlinux])
    #expect(cause { try InputPaths(["-", "-"]) } == .standardInputTwice)
  }

  // MARK: Archives

  private func source(_ archive: [UInt8]) throws -> InputSource {
    try InputSource(folder.write(archive, to: "archive"), .init())
  }

  private func bytes(_ source: InputSource) throws -> [UInt8] {
    let mapping = try source.mapping()
    return mapping.withBytes(at: 0, length: mapping.byteCount) {
      (try? $0.copy(at: 0, count: mapping.byteCount)) ?? []
    }
  }

  @Test func `the dump of an archive`() throws {
    let log = tarMember("sos/var/crash/1/vmcore-dmesg.txt", Array("[ 0.0] Linux".utf8))
    let plain = tar(log, tarMember("sos/core.1", dump), tarMember("sos/var/crash/1/vmcore", dump))
    #expect(try bytes(source(plain)) == dump)
    let packed = try #require(try Wrapper.xz.packed(plain))
    #expect(try bytes(source(packed)) == dump)
    let inner = try #require(try Wrapper.gzip.packed(dump))
    let incomplete = try source(tar(tarMember("dump-incomplete.gz", inner), log))
    #expect(try bytes(incomplete) == dump)
    #expect(incomplete.obstacles.count == 1)
  }

  @Test func `long names in the forms of GNU and POSIX`() throws {
    let name = String(repeating: "long/", count: 60) + "vmcore"
    let gnu = tar(
      tarMember("././@LongLink", Array(name.utf8) + [0], type: UInt8(ascii: "L")),
      tarMember("long", dump), tarMember("core.2", dump))
    #expect(try bytes(source(gnu)) == dump)
    let record = "path=\(name)\n"
    let pax = tar(
      tarMember("pax", Array("\(record.utf8.count + 4) \(record)".utf8), type: UInt8(ascii: "x")),
      tarMember("long", dump), tarMember("core.2", dump))
    #expect(try bytes(source(pax)) == dump)
  }

  @Test func `several dumps of an archive are listed, none is none`() throws {
    #expect(
      cause { try source(tar(tarMember("a/vmcore", dump), tarMember("b/vmcore", dump))) }
        == .severalDumps(.archive, ["a/vmcore", "b/vmcore"]))
    #expect(
      cause { try source(tar(tarMember("a/vmcore", Array("text".utf8)))) } == .noDump(.archive))
    guard
      case .sparseMember("vmcore") = cause({
        try source(tar(tarMember("vmcore", dump, type: UInt8(ascii: "S"))))
      })
    else {
      Issue.record("no error")
      return
    }
  }

  @Test func `an archive that ends inside its dump is read as far as it goes`() throws {
    let archive = tarMember("vmcore", dump)
    let cut = try source(Array(archive[..<(archive.count / 2)]))
    #expect(dump.starts(with: try bytes(cut)))
    #expect(cut.obstacles.count == 1)
    // Cut inside a member before the dump.
    let other = tarMember("text", [UInt8](repeating: 0x20, count: 4096)) + archive
    guard case .damagedArchive = cause({ try source(Array(other[..<2048])) }) else {
      Issue.record("no error")
      return
    }
  }
}
