// SPDX-License-Identifier: Apache-2.0

import Foundation
import Memory
import MemoryFixtures
import RemappingState
import StateDiff
import StateFixtures
import Testing
import VTd

@testable import Report
@testable import Translation

/// Pages: what a stranger wrote stays text, what leads somewhere leads there, and size is bounded.
struct PageTests {
  static let hostile =
    "\"><script>alert(1)</script>' onload=x \u{202e}gnp\u{7}\u{301}\u{200b} &amp; \u{fffe}"

  private static func page(
    _ state: RemappingState, findings: [Finding] = [], rules: [RuleText] = []
  ) throws -> String {
    let sink = MemorySink()
    try ReportPage(rules: rules).write(
      ReportDocument(state: state, findings: findings), to: sink)
    return sink.text
  }

  /// The values of an attribute, in the page's order.
  private static func values(of attribute: String, in page: String) -> [Substring] {
    page.split(separator: " \(attribute)=\"", omittingEmptySubsequences: false).dropFirst()
      .compactMap {
        $0.split(separator: "\"", maxSplits: 1, omittingEmptySubsequences: false).first
      }
  }

  @Test func textIsNeverMarkup() {
    var bytes: [UInt8] = []
    bytes += Escaping.html(Self.hostile)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(!text.contains(where: { "<>\"'".contains($0) }))
    for scalar in ["\u{202e}", "\u{7}", "\u{301}", "\u{200b}", "\u{fffe}"] as [Unicode.Scalar] {
      #expect(!text.unicodeScalars.contains(scalar))
    }
    #expect(text.contains("\\u{202e}"))
    #expect(text.contains("&amp;amp;"))
    bytes = []
    bytes += Escaping.html("Zürich 日本 é")
    #expect(String(decoding: bytes, as: UTF8.self) == "Zürich 日本 é")
  }

  /// A device without a context is blocked by VT-d's units only.
  @Test func withoutAUnitOfVTdNoDeviceIsDrawnAsBlocked() throws {
    func page(_ observations: [Observation] = []) throws -> String {
      var state = RemappingState(dump: DumpSummary(file: "x", format: "elf", typesFrom: "btf"))
      state.devices = [Device(device: "0000:00:02.0", group: 3, driver: "nvme")]
      state.observations = observations
      return try Self.page(state)
    }
    let none = try page()
    #expect(none.contains("every device reaches all of memory"))
    #expect(!none.contains("no context: blocked"))
    let other = try page([
      Observation(.otherDriver, structure: .kernel(.otherUnit, number: Self.hostile))
    ])
    #expect(!other.contains("no context: blocked"))
    #expect(other.contains("tables of another driver&#39;s units are not read"))
    #expect(other.components(separatedBy: "<script").count == 2)
  }

  /// Every text of a state is a stranger's; seeds repeat a failure.
  @Test(arguments: 0..<24 as Range<UInt64>) func whateverADumpHolds(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let document = randomValue(ReportDocument.self, .plain, &random)
    var state = document.state
    state.dump.file = Self.hostile
    state.dump.panic = Self.hostile
    for index in state.devices.indices { state.devices[index].driver = Self.hostile }
    for index in state.units.indices { state.units[index].name = Self.hostile }
    let page = try Self.page(state, findings: document.findings)
    #expect(page.components(separatedBy: "<script").count == 2)
    #expect(!page.contains("\u{202e}"))
    let ids = Set(Self.values(of: "id", in: page))
    #expect(ids.count == Self.values(of: "id", in: page).count)
    for link in Self.values(of: "href", in: page) {
      #expect(link.hasPrefix("#"), "\(link)")
      #expect(ids.contains(link.dropFirst()), "\(link)")
    }
  }

  @Test func nothingIsFetched() throws {
    let page = try Self.page(.sample)
    #expect(page.contains("default-src 'none'"))
    for word in ["http:", "https:", "<link", "<img", "@import", "src="] {
      #expect(!page.contains(word), "\(word)")
    }
  }

  private static func links(in page: String) -> (ids: Set<Substring>, links: Set<Substring>) {
    (Set(values(of: "id", in: page)), Set(values(of: "href", in: page).map { $0.dropFirst() }))
  }

  /// However many rows there are, no link leads to one that was left out.
  @Test(arguments: [0, 20, 90, 150, 1000]) func linksLeadToRowsThatAreThere(_ budget: Int) throws {
    let count = 200
    var state = RemappingState.sample
    let context = try #require(state.contexts.first)
    state.devices = []
    state.contexts = []
    for number in 0..<count {
      let function = PCIFunction(
        segment: 0, bus: UInt8(number >> 8 & 0xff), devfn: UInt8(number & 0xff))
      state.devices.append(Device(device: .pci(function)))
      var row = context
      row.device = function
      row.raw = Array(repeating: 0x1, count: 8)
      state.contexts.append(row)
    }
    let findings = (0..<count / 10).map {
      Finding(
        rule: "a.rule", severity: .info, device: state.devices[$0 * 9].device, message: "m",
        evidence: [Evidence(what: "context entry", address: HexWord(context.entry.rawValue))])
    }
    let sink = MemorySink()
    var report = ReportPage(rules: [RuleText("a.rule", .info, "A rule.")])
    report.rowBudget = budget
    try report.write(ReportDocument(state: state, findings: findings), to: sink)
    let (ids, links) = Self.links(in: sink.text)
    #expect(links.subtracting(ids).isEmpty)
    #expect((ids.contains("devices-199")) == (budget >= 400 + 20 + state.units.count))
  }

  @Test func addressesLeadToTheirTables() throws {
    var state = RemappingState.sample
    let place = try #require(state.domains.firstIndex { !($0.mapping?.runs.isEmpty ?? true) })
    state.domains[place].table = PhysicalAddress(0x7000)
    state.domains[place].mapping?.runs = [
      Run(iova: 0x3000, length: 0x1000, physical: 0x1_0000, access: .readWrite)
    ]
    func row(_ index: Int, _ count: Int, _ word: UInt64) -> TableContents.Row {
      TableContents.Row(
        index: index, count: count, iova: IOVirtualAddress(UInt64(index) << 12), present: true,
        leaf: true, target: PhysicalAddress(word & ~0xfff),
        entry: DecodedEntry(
          structure: "second-stage entry", level: 1,
          address: PhysicalAddress(0x7000 + UInt64(index) * 8), words: [word],
          layout: Stage.second.layout(of: word, level: 1)))
    }
    let table = TableContents(
      asked: 0x7000, address: 0x7000,
      structure: .tablePage(
        .pageTable(
          level: 1, of: TableOwner(unit: Self.hostile, domainID: 4, kernelObject: nil))),
      unit: "dmar0", domainID: 4, level: 1, table: 0x7000, iova: 0, devices: [],
      pointedToBy: 0x7010, slots: 512, entries: [row(2, 3, 0x9003), row(9, 1, 0x7003)],
      obstacle: nil)
    let sink = MemorySink()
    let context = PageContext(
      tables: TableExcerpt(pages: [table], left: 3),
      command: ["iommuscope", "tables", "it's <b>", "--at"])
    let findings = [0x7000, 0x7020, 0x7048, 0x7100, 0x8000].map {
      Finding(
        rule: "r", severity: .info, message: "m",
        evidence: [Evidence(what: "leaf", address: HexWord($0))])
    }
    try ReportPage(rules: [], context: context).write(
      ReportDocument(state: state, findings: findings), to: sink)
    let (ids, links) = Self.links(in: sink.text)
    #expect(links.subtracting(ids).isEmpty)
    // The table; the entry that a run begins in; further entries of a row are the row's.
    for id in ["table-0x7000", "entry-0x7010", "entry-0x7048"] {
      #expect(ids.contains(Substring(id)) && links.contains(Substring(id)), "\(id)")
    }
    #expect(!links.contains("table-0x8000"))
    #expect(
      sink.text.contains("iommuscope tables &#39;it&#39;\\&#39;&#39;s &lt;b&gt;&#39; --at 0x7000"))
    #expect(sink.text.contains("3 more pages of tables and queues are not written here"))
  }

  @Test(arguments: [
    (["a", "b.c", "--at"], "a b.c --at"), (["a b", ""], "'a b' ''"), (["it's"], "'it'\\''s'"),
    (["$(x)", "ü"], "'$(x)' 'ü'"),
  ])
  func commandsCanBePasted(_ words: [String], _ line: String) {
    #expect(ShellWords.line(words) == line)
  }

  @Test func findingsLeadToTheirRules() throws {
    let page = try Self.page(
      .sample,
      findings: [
        Finding(rule: "device.context-missing", severity: .error, message: "no entry"),
        Finding(rule: "unit.of-tomorrow", severity: .info, message: "what is that"),
      ],
      rules: [
        RuleText("device.context-missing", .error, "Every device has one.\n\nSource: here."),
        RuleText("domain.shared-page", .warning, "Nobody broke it."),
      ])
    #expect(page.contains("href=\"#rule-device.context-missing\""))
    #expect(page.contains("Every device has one."))
    #expect(!page.contains("Nobody broke it."))
    #expect(!page.contains("#rule-unit.of-tomorrow"))
  }

  /// However many runs there are, the page stays a page, and says what it folded.
  @Test(arguments: [1, 200, 201, 100_000]) func runsAreFolded(_ count: Int) throws {
    var state = RemappingState.sample
    let place = try #require(state.domains.firstIndex { $0.mapping != nil })
    state.domains[place].mapping = Mapping(
      leaves: count, bytes: UInt64(count) << 12,
      runs: (0..<UInt64(count)).map {
        Run(
          iova: IOVirtualAddress($0 * 3 << 12), length: 0x1000, physical: PhysicalAddress($0 << 13),
          access: .readWrite)
      })
    let page = try Self.page(state)
    #expect(page.utf8.count < 1 << 20)
    if count > 200 {
      #expect(page.contains("\(Quantity.grouped(UInt64(count))) runs, folded into"))
    }
    let windows = RunWindow.windows(of: state.domains[place].mapping?.runs ?? [], limit: 200)
    #expect(windows.count <= 200)
    #expect(windows.reduce(0) { $0 + $1.runs } == count)
    #expect(windows.reduce(0) { $0 + $1.bytes } == UInt64(count) << 12)
  }

  @Test func whatIsFixedStandsInItsAddressSpace() throws {
    var state = RemappingState.sample
    let place = try #require(state.domains.firstIndex { !($0.mapping?.runs.isEmpty ?? true) })
    let domain = state.domains[place]
    state.reservedRegions = [
      ReservedRegion(
        kind: .rmrr, segment: 0, base: 0x7000_0000, end: 0x7000_ffff, devices: domain.devices,
        mapped: .absent),
      ReservedRegion(
        kind: .msi, segment: 0, base: 0xfee0_0000, end: 0xfeef_ffff, devices: ["0000:7f:1f.7"],
        mapped: nil),
    ]
    let page = try Self.page(state)
    // Those of its devices alone, as a shape and in the words for who does not see it.
    #expect(page.contains("<title>rmrr 0x70000000 to 0x7000ffff</title>"))
    #expect(page.contains("fixed: rmrr 0x70000000 to 0x7000ffff."))
    #expect(!page.contains("<title>msi"))
  }

  struct Moments: Sendable {
    var times: [UInt64]
    var counts: [Int]?
  }

  @Test(arguments: [
    Moments(times: [], counts: nil), Moments(times: [7, 7, 7], counts: nil),
    Moments(times: [10, 110, 20, 20], counts: [3, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    Moments(times: [0, 1], counts: [1, 1]),
    Moments(times: [0, .max], counts: [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
  ])
  func everyFaultIsCountedInItsStep(_ moments: Moments) {
    #expect(FaultsOverTime(moments.times, steps: 10)?.counts == moments.counts)
  }

  @Test func aScaleHoldsEveryAddress() {
    let extents = [
      Extent(0, 0xfff), Extent(1 << 40, (1 << 40) + 0xffff), Extent(.max - 0xfff, .max),
    ]
    let scale = AddressScale(extents, from: 10, width: 980)
    #expect(scale.pieces.count == 3)
    #expect(scale.bars(extents).count == 3)
    for bar in scale.bars(extents) {
      #expect(bar.x >= 10)
      #expect(bar.x + bar.width <= 992)
    }
    #expect(AddressScale([Extent(0, .max)], from: 0, width: 100).pieces.count == 1)
    #expect(AddressScale([], from: 0, width: 100).pieces.isEmpty)
  }

  @Test func differencesAreAPage() throws {
    var changed = RemappingState.sample
    changed.units[0].translationEnabled = false
    changed.dump.file = Self.hostile
    let diff = StateDiff(
      from: StateDiff.Side(.sample), to: StateDiff.Side(changed), options: DiffOptions())
    let sink = MemorySink()
    try DiffPage().write(
      DiffDocument(old: RemappingState.sample.dump, new: changed.dump, diff: diff), to: sink)
    #expect(sink.text.contains("translationEnabled"))
    #expect(sink.text.components(separatedBy: "<script").count == 2)
  }

  /// A finding that says something else now leads to its rule, and what names a device to its row.
  @Test(arguments: [0, 1, 2, 20_000]) func differencesLeadToRulesAndRows(_ budget: Int) throws {
    let device = try #require(RemappingState.sample.devices.first)
    var changed = RemappingState.sample
    changed.devices[0].driver = "another"
    func side(_ state: RemappingState, _ message: String) -> StateDiff.Side {
      StateDiff.Side(
        state,
        findings: [
          Finding(rule: "a.rule", severity: .info, device: device.device, message: message)
        ])
    }
    let diff = StateDiff(
      from: side(.sample, "before"), to: side(changed, "after"), options: DiffOptions())
    #expect(diff.findings.changed.count == 1)
    let sink = MemorySink()
    var page = DiffPage(rules: [RuleText("a.rule", .info, "A rule.")])
    page.rowBudget = budget
    try page.write(
      DiffDocument(old: RemappingState.sample.dump, new: changed.dump, diff: diff), to: sink)
    let (ids, links) = Self.links(in: sink.text)
    #expect(links.subtracting(ids).isEmpty)
    #expect(links.contains("devices-changed-0") == (budget >= 1))
    #expect(links.contains("rule-a.rule") == (budget >= 2))
  }

  @Test func theCardOfRefusedRequestsLeadsToThem() throws {
    var state = RemappingState.sample
    let device = PCIFunction(bus: 0, devfn: 0x10)
    state.faults = FaultSummary(
      devices: [FaultSummary.DeviceFaults(device: device, reads: 3)],
      messages: [FaultSummary.UnitTrouble(kind: .timeOut, count: 2)])
    let (ids, links) = Self.links(in: try Self.page(state))
    #expect(links.subtracting(ids).isEmpty)
    #expect(links.contains("faults") && ids.contains("refused-0") && ids.contains("messages-0"))
    state.faults = nil
    #expect(try !Self.links(in: Self.page(state)).ids.contains("faults"))
  }
}
