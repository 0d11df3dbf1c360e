// SPDX-License-Identifier: Apache-2.0

import Foundation
import Inputs
import KernelImage
import Memory
import MemoryFixtures
import Session
import Testing

/// Each sentence names the file, what was expected and found, and what to do.
struct SessionErrorTests {
  @Test(
    arguments: [
      (.pageSize(16384), ["PAGESIZE=16384", "expected 4096"]),
      (.kernelNotLocated, ["no phys_base", "-device vmcoreinfo"]),
      (.noSystemMap, ["expected a System.map", "found none"]),
      (
        .foreignSymbols(
          found: KernelAddress(0xffff_ffff_8200_0000),
          expected: KernelAddress(0xffff_ffff_8100_0000),
          release: "6.1.0-9-amd64"),
        [
          "_stext is 0xffffffff82000000 there and 0xffffffff81000000 in the dump",
          "name the file of 6.1.0-9-amd64",
        ]
      ),
      (
        .foreignSymbols(found: KernelAddress(1), expected: KernelAddress(2), release: nil),
        ["name the file of the crashed kernel"]
      ),
      (
        .symbolsNotPlaced,
        [
          "no VMCOREINFO", "another kernel's file, or the dump lacks these pages",
          "leave the file out",
        ]
      ),
      (
        .foreignVMLinux(found: "aa", expected: "bb", release: nil),
        ["its build id is aa, the crashed kernel's is bb", "name the vmlinux of that kernel"]
      ),
      (
        .units(KernelError(.nullPointer), missing: ["the file is cut off"]),
        ["the list of remapping units cannot be read", "; the file is cut off"]
      ),
    ] as [(SessionError.Cause, [String])])
  func `a sentence says what to do`(cause: SessionError.Cause, parts: [String]) {
    let text = SessionError("vmcore", cause).description
    #expect(text.hasPrefix("vmcore: "))
    for part in parts { #expect(text.contains(part), "\(text)") }
  }

  @Test func `a folder without a dump is named, before anything is opened`() throws {
    let folder = try TestFolder()
    let error = #expect(throws: SessionError.self) {
      try DumpRequest(files: [folder.path]).located()
    }
    #expect(error?.path == folder.path)
    guard case .input(let input) = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(input.cause == .noDump(.folder))
  }
}
