// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import KernelTypes
import Memory
import Testing

struct KernelLogTests {
  private let kernel = SyntheticKernel(cpuCount: 0)

  private func newest(limit: Int = 1 << 16) throws -> [String] {
    var texts: [String] = []
    try kernel.image().newestMessages(limit: limit) {
      texts.append($0.text)
      return true
    }
    return texts
  }

  private func messages(_ count: Int, length: Int = 10) -> [String] {
    (0..<count).map {
      String(("message \($0) " + String(repeating: "x", count: 64)).prefix(length))
    }
  }

  @Test func newestFirst() throws {
    _ = kernel.makeLog(["one", "two", "three"])
    #expect(try newest() == ["three", "two", "one"])
    #expect(try newest(limit: 2) == ["three", "two"])
    #expect(try newest(limit: -1) == [])
    var seen: [LogMessage] = []
    try kernel.image().newestMessages {
      seen.append($0)
      return false
    }
    #expect(seen.count == 1)
    #expect(seen.first?.sequence == 2)
    #expect(seen.first?.time == 2000)
    #expect(seen.first?.level == 2)
  }

  /// What VMCOREINFO notes of the ring is enough for all but the level of a message.
  @Test func theNoteDescribesTheRing() throws {
    _ = kernel.makeLog(messages(12), sizeBits: 8)
    let image = kernel.image()
    for (structure, members) in [
      ("printk_ringbuffer", ["desc_ring", "text_data_ring"]),
      ("prb_desc_ring", ["count_bits", "descs", "infos", "head_id"]),
      ("prb_desc", ["state_var", "text_blk_lpos"]), ("prb_data_blk_lpos", ["begin", "next"]),
      ("printk_info", ["seq", "ts_nsec", "text_len"]), ("prb_data_ring", ["size_bits", "data"]),
    ] {
      let layout = try image.requiredStructure(structure)
      kernel.notes.append("SIZE(\(structure))=\(layout.byteCount)")
      for member in members {
        let offset = try #require(layout.members[member]).offset
        kernel.notes.append("OFFSET(\(structure).\(member))=\(offset)")
      }
    }
    func read(_ notes: [String]) throws -> [LogMessage] {
      let noted = KernelImage(
        noting: VMCoreInfo(Array(notes.joined(separator: "\n").utf8)), reader: image.reader,
        symbols: image.symbols, work: WorkBudget())
      var found: [LogMessage] = []
      try noted.messages { found.append($0) }
      return found
    }
    var expected: [LogMessage] = []
    try image.messages { message in
      var message = message
      message.level = 4
      expected.append(message)
    }
    #expect(expected.count > 6)
    #expect(try read(kernel.notes) == expected)
    // A note that lacks a line makes an error, one that lies at most other messages.
    for line in kernel.notes {
      for lie in ["-1", "4095", "x", "99999999999"] {
        _ = try? read(kernel.notes.map { $0 == line ? "\(line.prefix { $0 != "=" })=\(lie)" : $0 })
      }
    }
    for line in kernel.notes {
      #expect(throws: KernelError.self, "\(line)") { try read(kernel.notes.filter { $0 != line }) }
    }
  }

  /// Every length makes the ring's end fall somewhere else in a block.
  @Test(arguments: 1...40, [false, true])
  func textThatWraps(_ length: Int, _ exactFit: Bool) throws {
    let list = messages(16, length: length)
    _ = kernel.makeLog(list, sizeBits: 7, exactFit: exactFit)
    let found = try newest()
    // The newest ones that fit the ring of 128 bytes are all there, in order, unmixed.
    let block = (length + 8 + 7) / 8 * 8
    #expect(found.count >= 128 / block - 1)
    #expect(Array(list.reversed().prefix(128 / block - 1)) == Array(found.prefix(128 / block - 1)))
  }

  @Test func reusedDescriptorsArePassedBy() throws {
    let log = kernel.makeLog(messages(5))
    // Slot of another message, reserved, reusable, committed.
    log.descriptors[0]["state_var"] ^= 16
    log.descriptors[1]["state_var"] &= ~(3 << 62)
    log.descriptors[2]["state_var"] |= 3 << 62
    log.descriptors[3]["state_var"] ^= 3 << 62
    #expect(try newest() == [messages(5)[4], messages(5)[3]])
  }

  @Test func messagesWithoutText() throws {
    let log = kernel.makeLog(messages(3))
    log.descriptors[1].set(["text_blk_lpos.begin": 1, "text_blk_lpos.next": 1])
    #expect(try newest() == [messages(3)[2], messages(3)[0]])
  }

  @Test func lengthBeyondTheBlockIsPassedBy() throws {
    let log = kernel.makeLog(messages(3))
    log.infos[1]["text_len"] = 200
    #expect(try newest() == [messages(3)[2], messages(3)[0]])
  }

  /// A log whose text is missing is not one that tells of nothing.
  @Test func absentTextIsTold() throws {
    let log = kernel.makeLog(messages(3))
    let elsewhere = kernel.allocatePage()
    kernel.setAbsence(.excluded, at: elsewhere)
    log.ring["text_data_ring.data"] = elsewhere.rawValue
    let error = #expect(throws: KernelError.self) { try newest() }
    #expect(error?.absence == .excluded)
  }

  @Test(arguments: [(64, 8), (25, 8), (4, 33), (4, 255)])
  func hostileSizes(_ countBits: UInt64, _ sizeBits: UInt64) {
    let log = kernel.makeLog(["one"])
    log.ring.set(["desc_ring.count_bits": countBits, "text_data_ring.size_bits": sizeBits])
    #expect(throws: KernelError.self) { try newest() }
  }

  @Test func hostilePositions() throws {
    for begin in [2, UInt64.max - 1, 1 << 63, 254] as [UInt64] {
      for next in [0, 1, UInt64.max, 1 << 63, 255] as [UInt64] {
        let log = kernel.makeLog(["one"])
        log.descriptors[0].set(["text_blk_lpos.begin": begin, "text_blk_lpos.next": next])
        log.infos[0]["text_len"] = 0xffff
        kernel.symbols["prb"] = kernel.symbols["prb"]?.suffix(1)
        #expect(try newest() == [])
      }
    }
  }

  @Test func olderKernelsHaveNoRing() {
    kernel.variable("prb", kernel.allocate(8).rawValue)
    #expect(throws: KernelError(.noStructure("printk_ringbuffer"))) { try newest() }
    let other = SyntheticKernel(cpuCount: 0)
    other.types.define("printk_ringbuffer", "u64 x")
    #expect(throws: KernelError(.noSymbol("prb"))) {
      try other.image().newestMessages { _ in true }
    }
  }

  @Test func lastPanicMessage() {
    _ = kernel.makeLog(
      [
        "Kernel panic - not syncing: first", "Kernel panic - not syncing: sysrq triggered crash",
        "CPU: 0 PID: 1",
      ], sizeBits: 12)
    #expect(kernel.image().panicMessage() == "sysrq triggered crash")
  }

  @Test func panicMessageOfSeveralLines() {
    _ = kernel.makeLog(["Kernel panic - not syncing: a\nb"], sizeBits: 12)
    #expect(kernel.image().panicMessage() == "a")
  }

  @Test func noPanicMessage() {
    #expect(kernel.image().panicMessage() == nil)
    _ = kernel.makeLog(["hello"])
    #expect(kernel.image().panicMessage() == nil)
  }
}
