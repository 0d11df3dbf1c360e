// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Evidence
import Foundation
import KernelFixtures
import LinuxIOMMU
import Memory
import MemoryFixtures
import Session
import Testing

/// What a dump of the whole machine still holds of the crash kernel.
struct CrashKernelTests {
  private struct Silence: SessionProgress {
    func progress(_ message: String) {}
    func warning(_ message: String) {}
    func detail(_ message: String) {}
  }

  private static let reservation: ClosedRange<UInt64> = 0x4000...0x7fff

  private func session<Result>(
    over bytes: [UInt8], recording: Bool = false, _ body: (Session) throws -> Result
  ) throws -> Result {
    try withTestFile(bytes) { path in
      try body(Session(DumpRequest(files: [path]), recording: recording, progress: Silence()))
    }
  }

  // MARK: The command line

  /// `struct boot_params` at 0x4100 and the text at 0x5000, as kexec leaves them.
  private struct BootParameters {
    var flag: UInt16 = 0xaa55
    var pointer: UInt64 = 0x5000
    var text: [UInt8] = Array("reset_devices intel_iommu=on\0".utf8)

    func dump() -> [UInt8] {
      var page = ByteWriter()
      page.grow(to: 4096)
      page.store(flag, at: 0x100 + 0x1fe)
      page.store(UInt32(0x5372_6448), at: 0x100 + 0x202)
      page.store(UInt32(truncatingIfNeeded: pointer), at: 0x100 + 0x228)
      page.store(UInt32(truncatingIfNeeded: pointer >> 32), at: 0x100 + 0xc8)
      page.store(UInt32(2047), at: 0x100 + 0x238)
      var line = ByteWriter()
      line.grow(to: 4096)
      line.store(text, at: 0)
      return ELFDumpBuilder(
        MemoryImage(memory: [0..<16], pages: [4: page.bytes, 5: line.bytes])
      ).build()
    }
  }

  @Test func `the boot parameters lead to the command line`() throws {
    try session(over: BootParameters().dump()) { session in
      #expect(
        session.crashCommandLine(in: [Self.reservation]) == "reset_devices intel_iommu=on")
      #expect(session.crashCommandLine(in: [0x8000...0xffff]) == nil)
      #expect(session.crashCommandLine(in: []) == nil)
    }
  }

  @Test(arguments: [
    BootParameters(flag: 0x55aa),
    // Outside the reservation, also where the low half alone would lie in it.
    BootParameters(pointer: 0x9000), BootParameters(pointer: 0x1_0000_5000),
    BootParameters(pointer: 0),
    BootParameters(text: Array("quiet \u{1b}[2J\0".utf8)), BootParameters(text: [0]),
  ])
  private func `what only looks like parameters has none`(_ parameters: BootParameters) throws {
    try session(over: parameters.dump()) { session in
      #expect(session.crashCommandLine(in: [Self.reservation]) == nil)
    }
  }

  // MARK: The kernel

  /// A kernel's memory with a VMCOREINFO note in a frame, zeros from frame 4 up to it, and the kernel's
  /// own structures.
  private func machine(
    note: String, frame: UInt64 = 4
  ) throws -> (dump: [UInt8], crashed: KernelEvidence) {
    let kernel = RemappingKernel(.g6)
    kernel.addUnit()
    kernel.finish()
    let line = kernel.kernel.string("reset_devices iommu=pt")
    kernel.kernel.variable("saved_command_line", line.rawValue)
    kernel.kernel.notes = ["OSRELEASE=6.12.1", "BUILD-ID=0011", "NUMBER(phys_base)=524288"]
    let memory = kernel.kernel.memory
    var pages: [UInt64: [UInt8]] = [:]
    for frame in memory.frames {
      pages[frame] = memory.read(at: PhysicalAddress(frame << 12), count: Page.size)
    }
    var page = ByteWriter()
    page.grow(to: 4096)
    page.store(UInt32(11), at: 0)
    page.store(UInt32(note.utf8.count), at: 4)
    page.store(Array("VMCOREINFO\0".utf8), at: 12)
    page.store(Array(note.utf8), at: 24)
    for filler in 4..<frame { pages[filler] = [UInt8](repeating: 0, count: Page.size) }
    pages[frame] = page.bytes
    let frames = pages.keys.sorted()
    let image = MemoryImage(memory: frames.map { $0..<$0 + 1 }, pages: pages)
    let seen = kernel.kernel.image()
    return (
      ELFDumpBuilder(image).build(), KernelEvidence(seen, try LinuxIOMMU(reading: seen))
    )
  }

  @Test func `a crash kernel of the same build is read with the same symbols and types`() throws {
    let (dump, crashed) = try machine(
      note: "OSRELEASE=6.12.1\nBUILD-ID=0011\nNUMBER(phys_base)=524288\n")
    try session(over: dump) { session in
      let found = try #require(session.crashKernel(beside: crashed, in: [Self.reservation]))
      #expect(found.release == "6.12.1")
      #expect(found.kernel?.structures.units.count == 1)
      #expect(found.commandLine == "reset_devices iommu=pt")
      #expect(session.crashKernel(beside: crashed, in: [0x5000...0x7fff]) == nil)
    }
  }

  /// What is looked through for the note stays out of an extract; the note and what it leads to do not.
  @Test func `the search for a crash kernel leaves no trace`() throws {
    let (dump, crashed) = try machine(
      note: "OSRELEASE=6.12.1\nBUILD-ID=0011\nNUMBER(phys_base)=524288\n", frame: 6)
    try session(over: dump, recording: true) { session in
      #expect(session.crashKernel(beside: crashed, in: [Self.reservation])?.kernel != nil)
      let memory = try #require(session.memory as? RecordingMemory)
      let frames = Set(memory.record.map(\.frame))
      #expect(frames.contains(6) && frames.count > 1)
      #expect(frames.isDisjoint(with: [4, 5]))
    }
  }

  @Test(arguments: [
    "OSRELEASE=6.12.2\nBUILD-ID=0011\nNUMBER(phys_base)=524288\n",
    "OSRELEASE=6.12.1\nBUILD-ID=0022\nNUMBER(phys_base)=524288\n",
  ])
  func `another build is named and not read`(_ note: String) throws {
    let (dump, crashed) = try machine(note: note)
    try session(over: dump) { session in
      let found = try #require(session.crashKernel(beside: crashed, in: [Self.reservation]))
      #expect(found.kernel == nil)
      #expect(note.hasPrefix("OSRELEASE=" + (found.release ?? "")))
    }
  }

  @Test(arguments: ["OSRELEASE=6.12.1\n", "PAGESIZE=4096\n"])
  func `a note that locates no kernel finds none`(_ note: String) throws {
    let (dump, crashed) = try machine(note: note)
    try session(over: dump) { session in
      #expect(session.crashKernel(beside: crashed, in: [Self.reservation]) == nil)
    }
  }
}
