// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Commands

/// `--registers` of the verbs that look at more than the state: `carve`, `diff` and `history`.
struct RegisterFileTests {
  private static let old = SampleTests.sample("6.1-legacy.vmcore")
  private static let new = SampleTests.sample("7.3-scalable.vmcore")
  /// The unit of the older sample as it would have told of itself: the kernel's own root and queue.
  private static let words = [
    "0x8": "0x80d2008c222f0606", "0x10": "0xf00f4a", "0x18": "0xc700000000000000",
    "0x20": "0x26c0000", "0x80": "0xc00", "0x88": "0xc00", "0x90": "0x11b1000",
  ]

  private let folder: ScratchDirectory

  init() throws { folder = try ScratchDirectory() }

  private func file(_ changes: [String: String] = [:]) throws -> String {
    let words = Self.words.merging(changes) { $1 }
    let text =
      "{" + words.map { "\"\($0)\": \"\($1)\"" }.sorted().joined(separator: ", ") + "}"
    folder.write(text, to: "registers.json")
    return folder.file("registers.json")
  }

  // MARK: carve

  @Test func `carve begins with what the unit's register says`() throws {
    let run = SampleTests.run(["carve", Self.old, "--registers", try file()])
    #expect(run.status == .done, "\(run.errors)")
    #expect(run.output.contains("1 root table in "))
    #expect(
      run.output.contains(
        "- hardware evidence: a unit had its root table here, in legacy mode (RTADDR)"))
    let plain = SampleTests.run(["carve", Self.old])
    #expect(!plain.output.contains("RTADDR"))
  }

  @Test func `a register that leads nowhere stands before what was found`() throws {
    let run = SampleTests.run(["carve", Self.old, "--registers", try file(["0x20": "0x5000"])])
    #expect(run.status == .done, "\(run.errors)")
    let rows = run.output.split(separator: "\n").filter { $0.contains(" score ") }
    #expect(rows == ["  0x5000 legacy score 0", "  0x26c0000 legacy score 100"])
  }

  @Test(arguments: [["0x18": "0x4700000000000000"], ["0x8": "0xffffffffffffffff"]])
  func `registers without a root table are told`(_ change: [String: String]) throws {
    let run = SampleTests.run(["carve", Self.old, "--registers", try file(change)])
    #expect(run.status == .done)
    #expect(run.errors.contains("no unit in it was reading a root table"))
  }

  // MARK: history

  @Test func `history says where the unit stands`() throws {
    let run = SampleTests.run(["history", Self.old, "--registers", try file()])
    #expect(run.status == .done, "\(run.errors)")
    let flat = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(
      flat.contains(
        "dmar0: the unit fetches slot 192 next (IQH) and was told of slots up to before 192 (IQT): it has "
          + "fetched all; the kernel fills slot 192 next and has taken back those before 192, 256 of 256 are "
          + "free"))
    #expect(!flat.contains("---"))
  }

  @Test func `history marks what was not fetched, and that the kernel believes otherwise`() throws {
    let run = SampleTests.run(["history", Self.old, "--registers", try file(["0x80": "0xbd0"])])
    let flat = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(flat.contains("3 slots not fetched"))
    #expect(
      flat.contains(
        "! dmar0: the kernel does not wait for 3 slots from 189 on, which the unit has not fetched")
    )
    #expect(
      flat.contains(
        "--- dmar0 stands here, at slot 189 (IQH): what follows was not fetched --- -3 "))
  }

  @Test func `history takes the crash kernel's queue for what it is`() throws {
    let run = SampleTests.run([
      "history", Self.old, "--registers", try file(["0x90": "0x201b2000"]),
    ])
    let flat = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(flat.contains("! dmar0: the registers are of a queue at 0x201b2000"))
    #expect(!flat.contains("---"))
  }

  // MARK: diff

  @Test func `diff wants to know which side registers are of`() throws {
    let run = SampleTests.run(["diff", Self.old, Self.new, "--registers", try file()])
    #expect(run.status == .usage)
    #expect(run.errors.contains("name the side with '--old-registers' or '--new-registers'."))
  }

  @Test func `registers of one side bring their findings`() throws {
    let registers = try file(["0x20": "0x5000"])
    let new = SampleTests.run(["diff", Self.old, Self.old, "--new-registers", registers])
    #expect(new.status == .found, "\(new.errors)")
    #expect(new.output.contains("registers.root-table"))
    let both = SampleTests.run([
      "diff", Self.old, Self.old, "--new-registers", registers, "--old-registers", registers,
    ])
    #expect(both.status == .done, "\(both.errors)")
  }

  @Test func `a report tells its registers itself`() throws {
    let report = folder.file("report.json")
    let written = SampleTests.run(["report", Self.old, "--format", "json", "--output", report])
    #expect(written.status == .done)
    let run = SampleTests.run(["diff", report, Self.old, "--old-registers", try file()])
    #expect(run.status == .failed)
    #expect(run.errors.contains("a report, which tells already what its registers were"))
  }
}
