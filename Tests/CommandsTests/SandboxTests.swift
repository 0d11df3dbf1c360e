// SPDX-License-Identifier: Apache-2.0

import CSandbox
import Foundation
import Testing

@testable import Commands

/// What a confined process can still do, and which files its command line leaves it.
struct SandboxTests {
  @Test func `a confined process reads, writes and loads what it must, and nothing else`() throws {
    let readable = try ScratchDirectory()
    let writable = try ScratchDirectory()
    let forbidden = try ScratchDirectory()
    readable.write("dump", to: "vmcore")
    forbidden.write("secret", to: "key")
    // The number names the attempt in probe.c.
    // All strings live until the call returns.
    let failed = unsafe sandbox_probe(
      readable.path, readable.file("vmcore"), writable.path, forbidden.file("key"), "libz.so.1")
    #expect(failed == 0)
  }

  @Test func `files that the command line names may be read, whatever option they follow`() throws {
    let scratch = try ScratchDirectory()
    for name in ["vmcore", "vmlinux", "map", "lines", "raw"] { scratch.write("x", to: name) }
    let paths = SandboxPaths([
      "report", scratch.file("vmcore"), "--vmlinux", scratch.file("vmlinux"),
      "--symbols=\(scratch.file("map"))", "--lines", scratch.file("lines"),
      "\(scratch.file("raw"))@0x100000", "--limit", "5", scratch.file("missing"),
    ])
    for name in ["vmcore", "vmlinux", "map", "lines", "raw"] {
      #expect(paths.readable.contains(scratch.file(name)), "\(name)")
    }
    #expect(!paths.readable.contains(scratch.file("missing")))
    #expect(paths.writable == ["/var/tmp", "/tmp"])
  }

  @Test(
    arguments: [
      ("m.vmss", "m.vmem"), ("m.vmsn", "m.vmem"), ("m.vmem", "m.vmss"), ("m.vmem", "m.vmsn"),
    ])
  func `the other half of a VMware machine may be read`(_ named: String, _ other: String) throws {
    let scratch = try ScratchDirectory()
    for name in [named, other, "m.vmdk"] { scratch.write("x", to: name) }
    let readable = SandboxPaths(["report", scratch.file(named)]).readable
    #expect(readable.contains(scratch.file(other)))
    #expect(!readable.contains(scratch.file("m.vmdk")))
  }

  @Test(
    arguments: [
      (["capture", "/proc/vmcore", "--registers", "--output-directory", "/tmp"], true),
      (["capture", "/proc/vmcore", "--output-directory", "/tmp"], false),
      (["report", "vmcore", "--registers", "/tmp/registers.json"], false),
    ])
  func `registers are read by a capture that was asked to alone`(
    _ arguments: [String], _ isAllowed: Bool
  ) {
    #expect(SandboxPaths(arguments).readable.contains("/dev/mem") == isAllowed)
  }

  @Test(
    arguments: [
      (["--output", "DIR/r.json"], ["DIR"]), (["-o", "DIR/r.json"], ["DIR"]),
      (["--output=DIR/r.json"], ["DIR"]), (["-oDIR/r.json"], ["DIR"]), (["-o", "r.json"], ["."]),
      (["--image", "/i.elf"], ["/"]), (["--output-directory", "DIR/a/b/"], ["DIR"]),
      (["--output-directory=DIR/a"], ["DIR"]), (["--output-directory", "no/such/folder"], ["."]),
      (["--output", "DIR/a/r.json"], ["DIR/a"]), (["--image=DIR/a/i.elf"], ["DIR/a"]),
      (["--output", "DIR/a=b/r.json"], ["DIR/a=b"]),
    ] as [([String], [String])])
  func `results may be written where the command line says`(
    _ arguments: [String], _ folders: [String]
  ) throws {
    let scratch = try ScratchDirectory()
    func real(_ text: String) -> String { text.replacing("DIR", with: scratch.path) }
    let paths = SandboxPaths(arguments.map(real), temporary: "/var/tmp")
    #expect(paths.writable == ["/var/tmp"] + folders.map(real))
  }

  @Test func `a link's target may be replaced, and a folder filled`() throws {
    let scratch = try ScratchDirectory()
    let target = try ScratchDirectory()
    target.write("old", to: "r.json")
    try FileManager.default.createSymbolicLink(
      atPath: scratch.file("link.json"), withDestinationPath: target.file("r.json"))
    let link = SandboxPaths(["--output", scratch.file("link.json")])
    #expect(link.writable.contains(scratch.path) && link.writable.contains(target.path))
    let folder = SandboxPaths(["capture", "--output-directory", target.path])
    #expect(folder.writable.contains(target.path))
  }
}
