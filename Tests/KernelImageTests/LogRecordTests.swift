// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelImage
import Memory
import Testing

/// The log of kernels before the lockless ring.
struct LogRecordTests {
  private let kernel = SyntheticKernel(cpuCount: 0)

  private func newest(limit: Int = 1 << 20) throws -> [LogMessage] {
    var found: [LogMessage] = []
    try kernel.image().newestMessages(limit: limit) {
      found.append($0)
      return true
    }
    return found
  }

  private func oldestTexts() throws -> [String] {
    var found: [String] = []
    try kernel.image().messages { found.append($0.text) }
    return found
  }

  @Test(arguments: ["printk_log", "log", nil])
  func everyFormOfTheRecord(_ structure: String?) throws {
    kernel.makeLogBuffer(["one", "", "three"], structure: structure)
    #expect(try oldestTexts() == ["one", "", "three"])
    let found = try newest()
    #expect(found.map(\.text) == ["three", "", "one"])
    #expect(found.map(\.time) == [2000, 1000, 0])
    // Types have the level, VMCOREINFO does not.
    #expect(found.map(\.level) == (structure == nil ? [4, 4, 4] : [2, 1, 0]))
    #expect(try newest(limit: 1).map(\.text) == ["three"])
    #expect(try newest(limit: -1) == [])
    var count = 0
    try kernel.image().newestMessages { _ in
      count += 1
      return count < 2
    }
    #expect(count == 2)
  }

  /// Every length puts the wrap somewhere else.
  @Test(arguments: 0...40, [0, 3, 300])
  func recordsThatWrap(_ length: Int, _ count: Int) throws {
    let list = (0..<count).map {
      String(("\($0) " + String(repeating: "x", count: 64)).prefix(length + 2))
    }
    let log = kernel.makeLogBuffer(list, size: 1024, dictionary: "D")
    let kept = zip(list, log.places).compactMap { $1 == nil ? nil : $0 }
    #expect(try oldestTexts() == kept)
    #expect(count < 300 || kept.count < count)
    #expect(try newest().map(\.text) == kept.reversed())
  }

  @Test func anEmptyBuffer() throws {
    kernel.makeLogBuffer([])
    #expect(try oldestTexts() == [])
  }

  /// Records before the damage stand, and the damage is told.
  @Test(arguments: [1, 15, 0xffff])
  func aLengthThatCannotBe(_ length: UInt16) throws {
    let log = kernel.makeLogBuffer(["one", "two", "three"])
    let second = try #require(log.places[1])
    kernel.write(length, at: KernelAddress(log.buffer.rawValue + UInt64(second) + 8))
    var found: [String] = []
    let error = #expect(throws: KernelError.self) {
      try kernel.image().messages { found.append($0.text) }
    }
    #expect(found == ["one"])
    #expect(error?.address == KernelAddress(log.buffer.rawValue + UInt64(second)))
  }

  @Test func aTextLongerThanItsRecord() throws {
    let log = kernel.makeLogBuffer(["one", "two", "three"])
    let second = try #require(log.places[1])
    kernel.write(UInt16.max, at: KernelAddress(log.buffer.rawValue + UInt64(second) + 10))
    var found: [String] = []
    #expect(throws: KernelError.self) { try kernel.image().messages { found.append($0.text) } }
    #expect(found == ["one", "three"])
  }

  /// A length of 0 at the start of the buffer would lead to itself.
  @Test(arguments: [0, 1])
  func aWrapThatNeverEnds(_ slot: Int) throws {
    let log = kernel.makeLogBuffer(["one", "two"])
    let place = try #require(log.places[slot])
    kernel.write(UInt16(0), at: KernelAddress(log.buffer.rawValue + UInt64(place) + 8))
    #expect(throws: KernelError.self) { try kernel.image().messages { _ in } }
  }

  @Test func indicesBeyondTheBuffer() throws {
    for (name, value) in [("log_first_idx", 4096), ("log_next_idx", 4097)] {
      let kernel = SyntheticKernel(cpuCount: 0)
      kernel.makeLogBuffer(["one"])
      kernel.write(UInt32(value), at: try #require(kernel.symbols[name]?.first))
      #expect(throws: KernelError.self) { try kernel.image().messages { _ in } }
    }
  }

  @Test func anEndThatIsNoRecordsStart() throws {
    kernel.makeLogBuffer(["one", "two"])
    kernel.write(UInt32(6), at: try #require(kernel.symbols["log_next_idx"]?.first))
    #expect(throws: KernelError.self) { try kernel.image().messages { _ in } }
  }

  @Test func anAbsentBuffer() throws {
    let log = kernel.makeLogBuffer(["one"])
    kernel.setAbsence(.excluded, at: log.buffer)
    let error = #expect(throws: KernelError.self) { try kernel.image().messages { _ in } }
    #expect(error?.absence == .excluded)
    #expect(kernel.image().panicMessage() == nil)
  }

  @Test func withoutTheFormOfARecord() throws {
    kernel.makeLogBuffer(["one"], structure: nil)
    kernel.notes = []
    let error = #expect(throws: KernelError.self) { try kernel.image().messages { _ in } }
    #expect(error?.reason == .noStructure("printk_log"))
    kernel.notes = [
      "SIZE(log)=16", "OFFSET(log.ts_nsec)=16", "OFFSET(log.len)=8", "OFFSET(log.text_len)=-1",
    ]
    #expect(throws: KernelError.self) { try kernel.image().messages { _ in } }
  }

  // MARK: The last words

  @Test func panicOfAnOldKernel() {
    kernel.makeLogBuffer([
      "Kernel panic - not syncing: first", "Kernel panic - not syncing: Fatal exception", "end",
    ])
    #expect(kernel.image().panicMessage() == "Fatal exception")
  }

  /// Source of the lines: arch/x86/mm/fault.c and arch/x86/kernel/dumpstack.c of Linux v3.10 and v5.4.
  @Test(arguments: [
    (
      [
        "SysRq : Trigger a crash",
        "BUG: unable to handle kernel NULL pointer dereference at           (null)",
        "IP: [<ffffffff813a5e26>] sysrq_handle_crash+0x16/0x20", "PGD 7a0c5067 PUD 79d83067 PMD 0 ",
        "Oops: 0002 [#1] SMP ", "Modules linked in: edu",
      ],
      "oops without a panic message: "
        + "BUG: unable to handle kernel NULL pointer dereference at           (null) (Oops: 0002 [#1] SMP)"
    ),
    (
      ["kernel BUG at drivers/iommu/intel-iommu.c:960!", "invalid opcode: 0000 [#1] SMP PTI"],
      "oops without a panic message: "
        + "kernel BUG at drivers/iommu/intel-iommu.c:960! (invalid opcode: 0000 [#1] SMP PTI)"
    ),
    (
      ["general protection fault: 0000 [#12] SMP NOPTI", "CPU: 0"],
      "oops without a panic message: general protection fault: 0000 [#12] SMP NOPTI"
    ),
    // The first cause is an older oops's.
    (
      ["BUG: one"] + (0..<8).map { "line \($0)" } + ["Oops: 0000 [#2] SMP"],
      "oops without a panic message: Oops: 0000 [#2] SMP"
    ),
  ])
  func oopsWithoutPanic(_ messages: [String], _ expected: String) {
    kernel.makeLogBuffer(messages)
    #expect(kernel.image().panicMessage() == expected)
    let newer = SyntheticKernel(cpuCount: 0)
    _ = newer.makeLog(messages, sizeBits: 12)
    #expect(newer.image().panicMessage() == expected)
  }

  @Test(arguments: [
    "Oops: 002 [#1]", "Oops 0002 [#1]", "Oops: 0002 [#x]", "Oops: 0002 [#", "[#1", ": 0002 [1]", "",
    "INFO: task 1234 [#] blocked",
  ])
  func noOops(_ text: String) {
    kernel.makeLogBuffer([text])
    #expect(kernel.image().panicMessage() == nil)
  }
}
