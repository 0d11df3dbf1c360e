// SPDX-License-Identifier: Apache-2.0

import DumpFixtures
import Files
import Memory
import MemoryFixtures
import Testing

@testable import DumpFile

/// Images of memory that are no dumps of Linux's own making.
@Suite("Images of memory") struct ImageTests {
  struct Form: CustomTestStringConvertible {
    var testDescription: String
    var format: DumpFormat
    var files: @Sendable (ImageBuilder) -> [[UInt8]]

    init(
      _ name: String, _ format: DumpFormat,
      files: @escaping @Sendable (ImageBuilder) -> [[UInt8]]
    ) {
      testDescription = name
      self.format = format
      self.files = files
    }
  }

  static let forms = [
    Form("LiME", .lime) { [$0.lime()] },
    Form("Xen", .xen) { [$0.xen()] },
    Form("Xen, pages in another order", .xen) { [$0.xen(shuffled: true)] },
    Form("VMware, memory beside it", .vmware) { [$0.vmware().state, $0.vmware().memory] },
    Form("VMware, memory first", .vmware) { [$0.vmware().memory, $0.vmware().state] },
    Form("VMware, memory inside", .vmware) { [$0.vmware(inside: true).state] },
    Form("ELF of 32 bits", .elf) { [$0.narrowELF()] },
    Form("ELF of 32 bits, x86_64", .elf) { [$0.narrowELF(machine: 62)] },
  ]

  @Test("pages are the image's", arguments: forms)
  func agrees(_ form: Form) throws {
    for seed in 1...3 as ClosedRange<UInt64> {
      let image = MemoryImage.random(seed: seed)
      let builder = ImageBuilder(image)
      let dump = try DumpFile.open(
        contents: form.files(builder).enumerated().map { ("file \($0)", $1) })
      #expect(dump.format == form.format)
      #expect(dump.obstacles == [])
      #expect(dump.memory.memoryFrames == builder.runs)
      #expect(Array(dump.storedFrames) == builder.runs)
      for frame in image.frameSample {
        let expected = builder.runs.contains { $0.contains(frame) } ? image.bytes(frame) : nil
        let page = try? dump.memory.page(frame)
        #expect(page?.withBytes { try? $0.copy(at: 0, count: Page.size) } == expected)
        #expect(dump.memory.absence(frame) == (expected == nil ? .notInDump : nil))
      }
    }
  }

  private func raw(
    _ files: [(UInt64, [UInt8])]
  ) throws -> DumpFile {
    try DumpFile.open(
      files.map { (try FileMapping($0.1, name: "raw"), PhysicalAddress($0.0)) })
  }

  @Test("plain memory is where it was said to be")
  func plain() throws {
    let image = MemoryImage.random(seed: 5)
    let (address, bytes) = ImageBuilder(image).raw()
    let dump = try raw([(address, bytes)])
    #expect(dump.format == .raw)
    for run in ImageBuilder(image).runs {
      for frame in run {
        #expect(
          try dump.memory.page(frame).withBytes { try? $0.copy(at: 0, count: Page.size) }
            == image.bytes(frame))
      }
    }
    #expect(dump.memory.absence(address >> 12 &- 1) == .notInDump)
    // In pieces, in any order, with a hole.
    let half = bytes.count / 8192 * 4096
    let pieces = try raw([
      (address + UInt64(half) + 1 << 32, Array(bytes[half...])), (address, Array(bytes[..<half])),
    ])
    #expect(pieces.memory.memoryFrames.count == 2)
    #expect(pieces.storedFrames.reduce(0) { $0 + $1.count } == (bytes.count + 4095) / 4096)
    #expect(
      try pieces.memory.page((address + UInt64(half) + 1 << 32) >> 12)[word: 0]
        == dump.memory.page((address + UInt64(half)) >> 12)[word: 0])
  }

  private func error(_ files: [[UInt8]]) -> DumpError? {
    do {
      _ = try DumpFile.open(contents: files.enumerated().map { ("file \($0)", $1) })
      return nil
    } catch {
      return error
    }
  }

  @Test("what is wrong is told")
  func damage() throws {
    let builder = ImageBuilder(MemoryImage.random(seed: 6))
    #expect(error([builder.lime(version: 2)])?.reason == .unsupported)
    #expect(error([Array("EMiL".utf8)])?.reason == .corrupt)
    #expect(error([builder.vmware().state])?.message.contains(".vmem") == true)
    #expect(error([builder.xen(list: false)])?.message.contains("Xen") == true)
    #expect(error([builder.lime(), builder.lime()])?.reason == .mismatch)
    // Cut in the middle of its last range.
    let lime = builder.lime()
    let cut = try DumpFile.open(contents: [("lime", Array(lime.dropLast(5000)))])
    #expect(cut.obstacles.count == 1)
    let padded = try DumpFile.open(contents: [("lime", lime + [0, 0, 0, 0])])
    #expect(padded.obstacles.count == 1)
    let pv = try DumpFile.open(contents: [("xen", builder.xen(paravirtual: true))])
    #expect(pv.obstacles.first?.contains("paravirtual") == true)
    #expect(Array(pv.storedFrames) == builder.runs)
    for (head, word) in [
      ("LibvirtQemudSave", "virsh dump --memory-only"), ("QEVM....", "migration stream"),
      ("AVML....", "avml-convert"), ("PAGEDU64", "Windows"),
    ] {
      let message = error([Array(head.utf8) + [UInt8](repeating: 7, count: 64)])?.message
      #expect(message?.contains(word) == true, "\(message ?? "opened")")
    }
  }

  @Test("damaged images end in an answer or an error")
  func mutations() {
    let builder = ImageBuilder(MemoryImage.random(seed: 9, frames: 24))
    for form in Self.forms {
      let files = form.files(builder)
      for seed in 0..<300 as Range<UInt64> {
        var generator = SeededGenerator(seed: seed)
        var files = files
        // Heads matter: most of a file is pages.
        for _ in 0..<4 {
          let index = Int.random(in: files.indices, using: &generator)
          guard !files[index].isEmpty else { continue }
          let place = Int.random(in: 0..<min(files[index].count, 700), using: &generator)
          files[index][place] = [0, 0xff, 0x80, 1].randomElement(using: &generator) ?? 0
        }
        guard
          let dump = try? DumpFile.open(
            contents: files.enumerated().map { ("file \($0)", $1) })
        else { continue }
        for run in dump.storedFrames.prefix(8) { _ = try? dump.memory.page(run.lowerBound) }
        _ = dump.memory.memoryFrames
      }
    }
  }
}
