// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Evidence
import Foundation
import Memory
import MemoryFixtures
import RemappingState
import Session
import Testing

/// Remembers what a session tells.
private final class Listener: SessionProgress {
  var steps: [String] = []
  var warnings: [String] = []

  func progress(_ message: String) { steps.append(message) }
  func warning(_ message: String) { warnings.append(message) }
  func detail(_ message: String) {}
}

/// From files to evidence, and why not.
struct SessionTests {
  /// A dump of a few words, with what its note says.
  private func dump(_ words: [UInt64: UInt64] = [:], note: String? = nil) -> [UInt8] {
    var image = MemoryImage(memory: [0..<16])
    for (address, word) in words {
      var page = ByteWriter()
      page.append(image.pages[address >> 12] ?? [UInt8](repeating: 0, count: 4096))
      page.store(word, at: Int(address & 0xfff))
      image.pages[address >> 12] = page.bytes
    }
    let notes = note.map { [FixtureNote("VMCOREINFO", Array($0.utf8))] } ?? []
    return ELFDumpBuilder(image, notes: notes).build()
  }

  private func cause(
    _ bytes: [UInt8], symbols: String? = nil, vmlinux: String? = nil
  ) throws -> SessionError? {
    try withTestFile(bytes) { path -> SessionError? in
      do {
        _ = try Session(
          DumpRequest(files: [path], vmlinux: vmlinux, symbols: symbols), progress: Listener()
        ).kernel(asking: ["_stext"])
        return nil
      } catch let error as SessionError {
        return error
      }
    }
  }

  @Test func `a dump that is none says which`() {
    let error = #expect(throws: SessionError.self) {
      try Session(DumpRequest(files: ["/nonexistent/dump"]), progress: Listener())
    }
    #expect(error?.path == "/nonexistent/dump")
    guard case .input = error?.cause else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `what a kernel lacks is told by its kind`() throws {
    #expect(try cause(dump(note: "PAGESIZE=16384\n"))?.cause == .pageSize(16384))
    #expect(try cause(dump(note: "OSRELEASE=0.1-none\n"))?.cause == .kernelNotLocated)
    let located = dump(note: "OSRELEASE=0.1-none\nNUMBER(phys_base)=0\n")
    guard case .noSymbols(release: "0.1-none", let tried, _) = try cause(located)?.cause else {
      Issue.record("\(String(describing: try cause(located)))")
      return
    }
    // The dump's own table and the standard places.
    #expect(tried.count >= 2)
  }

  @Test func `files beside the dump are checked`() throws {
    let located = dump(
      note: "OSRELEASE=0.1-none\nNUMBER(phys_base)=0\nSYMBOL(_stext)=ffffffff81000000\n")
    guard case .file = try cause(located, symbols: "/nonexistent/map")?.cause else {
      Issue.record("a missing System.map")
      return
    }
    try withTestFile(Array("nothing\n".utf8)) { path in
      #expect(try cause(located, symbols: path)?.cause == .noSystemMap)
      guard case .vmlinux = try cause(located, vmlinux: path)?.cause else {
        Issue.record("a vmlinux that is none")
        return
      }
    }
    try withTestFile(Array("ffffffff82000000 T _stext\n".utf8)) { path in
      let error = try #require(try cause(located, symbols: path))
      #expect(error.path == path)
      #expect(
        error.cause
          == .foreignSymbols(
            found: KernelAddress(0xffff_ffff_8200_0000),
            expected: KernelAddress(0xffff_ffff_8100_0000), release: "0.1-none"))
    }
    // Symbols that fit still need types.
    try withTestFile(Array("ffffffff81000000 T _stext\n".utf8)) { path in
      guard case .noTypes = try cause(located, symbols: path)?.cause else {
        Issue.record("no types")
        return
      }
    }
  }

  /// A kernel's own VMCOREINFO note at an address, as words.
  private func ownNote(_ text: String, at address: UInt64) -> [UInt64: UInt64] {
    var note = ByteWriter()
    note.append([11, 0, 0, 0])
    note.append((0..<4).map { UInt8(truncatingIfNeeded: text.utf8.count >> ($0 * 8)) })
    note.append([0, 0, 0, 0] + Array("VMCOREINFO\0".utf8) + [0] + Array(text.utf8))
    note.append([UInt8](repeating: 0, count: 8 - note.bytes.count % 8))
    var words: [UInt64: UInt64] = [:]
    for start in stride(from: 0, to: note.bytes.count, by: 8) {
      words[address + UInt64(start)] = note.bytes[start..<start + 8].reversed().reduce(0) {
        $0 << 8 | UInt64($1)
      }
    }
    return words
  }

  /// A page of its own since Linux v4.13, an array of the kernel's image before, across two pages at
  /// times; what lies elsewhere in a page is a copy.
  @Test(
    arguments: [
      (0x2000, 0x1000, true), (0x2000, 0x9000, true), (0x2010, 0x1000, true),
      (0x2fe0, 0x1000, true), (0x2ff0, 0x2000, true), (0x2010, 0x3000, false),
      (0x2018, 0x1000, false), (0x2010, 0x4000_0000, false),
    ] as [(UInt64, UInt64, Bool)])
  func `a note in memory stands in for the one that the file lacks`(
    address: UInt64, stext: UInt64, isFound: Bool
  ) throws {
    let symbol = String(0xffff_ffff_8000_0000 + stext, radix: 16)
    let text = "OSRELEASE=0.1-none\nNUMBER(phys_base)=0\nSYMBOL(_stext)=\(symbol)\n"
    let cause = try cause(dump(ownNote(text, at: address)))?.cause
    if isFound {
      guard case .noSymbols(release: "0.1-none", _, _) = cause else {
        Issue.record("\(String(describing: cause))")
        return
      }
    } else {
      #expect(cause == .kernelNotLocated)
    }
  }

  @Test func `given roots need no kernel`() throws {
    let bytes = dump([0x1000: 0x2001, 0x2100: 0x4001, 0x2108: 0x402, 0x4000: 0x83])
    try withTestFile(bytes) { path in
      let listener = Listener()
      let evidence = try Session(DumpRequest(files: [path]), progress: listener).evidence(
        below: [RootTable(address: PhysicalAddress(0x1000), mode: .legacy, origin: .given)],
        asking: [])
      #expect(evidence.kernel == nil)
      #expect(evidence.state.contexts.map(\.device) == [PCIFunction(bus: 0, devfn: 0x10)])
      #expect(listener.steps == ["opening \(path)", "walking the tables"])
    }
  }

  @Test func `without kernel and roots the first error stands`() throws {
    try withTestFile(dump()) { path in
      let session = try Session(DumpRequest(files: [path]), progress: Listener())
      let error = #expect(throws: SessionError.self) {
        try session.evidence(below: [], asking: [])
      }
      #expect(error?.cause == .kernelNotLocated)
      #expect(session.carvedRoots().isEmpty)
    }
  }

  @Test func `registers stand in for a kernel that cannot be read`() throws {
    let bytes = dump([0x1000: 0x2001, 0x2100: 0x4001, 0x2108: 0x402, 0x4000: 0x83])
    try withTestFile(bytes) { path in
      let listener = Listener()
      var request = DumpRequest(files: [path])
      request.registers = [
        UnitRegisters(
          unit: "dmar3", registerBase: PhysicalAddress(0xfed9_0000),
          rootTable: PhysicalAddress(0x1000), tableMode: .legacy, globalStatus: 0xc000_0000,
          words: [
            UnitRegisters.Word(offset: 0x08, value: 0x80d2_008c_222f_0606),
            UnitRegisters.Word(offset: 0x20, value: 0x1000),
          ])
      ]
      let state = try Session(request, progress: listener).evidence(below: [], asking: []).state
      #expect(state.units.map(\.name) == ["dmar3"])
      #expect(state.units.map(\.rootFrom) == [.given])
      #expect(state.units.map(\.translationEnabled) == [true])
      #expect(state.units.map(\.capability) == [0x80d2_008c_222f_0606])
      #expect(state.contexts.map(\.table) == [PhysicalAddress(0x4000)])
      #expect(state.registers?.map(\.unit) == ["dmar3"])
      #expect(listener.warnings.count == 1)
      #expect(listener.warnings[0].contains("registers that were given"))
      // A unit that did not translate read no table.
      request.registers[0].globalStatus = 0x4000_0000
      #expect(throws: SessionError.self) {
        try Session(request, progress: listener).evidence(below: [], asking: [])
      }
    }
  }
}
