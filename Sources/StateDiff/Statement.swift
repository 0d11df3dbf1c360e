// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

/// What a difference means, in the words of a person who runs the machine, or that something stayed.
public struct Statement: Hashable, Sendable {
  public var topic: Topic
  public var isChange: Bool
  /// A sentence without full stop.
  public var text: String

  public enum Topic: String, Hashable, Sendable, CaseIterable {
    case kernel
    case translation
    case policy
    case commandLine = "command-line"
    case tables
    case addressSpace = "address-space"
    case devices
    case drivers
    case reservedRegions = "reserved-regions"
    case faults
  }

  public init(_ topic: Topic, isChange: Bool, _ text: String) {
    self.topic = topic
    self.isChange = isChange
    self.text = text
  }
}

extension Statement {
  /// Changes first, each group in the order of the topics; a topic of which a side tells nothing is
  /// left out.
  static func statements(from old: RemappingState, to new: RemappingState) -> [Statement] {
    var all: [Statement] = []
    func compare(
      _ topic: Topic, _ before: String?, _ after: String?, same: (String) -> String
    ) {
      guard let before, let after else { return }
      all.append(
        before == after
          ? Statement(topic, isChange: false, same(after))
          : Statement(topic, isChange: true, "\(before) became \(after)"))
    }
    compare(
      .kernel, old.dump.release.map { "kernel \($0)" }, new.dump.release.map { "kernel \($0)" }
    ) { $0 }
    compare(.translation, old.translation, new.translation) { $0 }
    compare(.policy, old.policy, new.policy) { $0 }
    all += commandLine(old, new)
    compare(.tables, old.tables, new.tables) { $0 }
    compare(.addressSpace, old.addressSpace, new.addressSpace) { $0 }
    all += devices(old, new)
    all += reservedRegions(old, new)
    compare(.faults, old.faultAccount, new.faultAccount) { $0 }
    return all.filter(\.isChange) + all.filter { !$0.isChange }
  }

  private static func commandLine(
    _ old: RemappingState, _ new: RemappingState
  ) -> [Statement] {
    guard let before = old.startUp?.commandLine, let after = new.startUp?.commandLine else {
      return []
    }
    let gone = before.filter { !after.contains($0) }
    let came = after.filter { !before.contains($0) }
    guard !gone.isEmpty || !came.isEmpty else {
      return [
        Statement(
          .commandLine, isChange: false, "the command line's words about remapping are the same")
      ]
    }
    var parts: [String] = []
    if !came.isEmpty { parts.append("now has \(came.joined(separator: " "))") }
    if !gone.isEmpty { parts.append("no longer has \(gone.joined(separator: " "))") }
    return [
      Statement(
        .commandLine, isChange: true, "the command line \(parts.joined(separator: " and "))")
    ]
  }

  private static func devices(_ old: RemappingState, _ new: RemappingState) -> [Statement] {
    // Where the kernel of one side was not read, all its devices would seem lost.
    guard !old.devices.isEmpty, !new.devices.isEmpty else { return [] }
    let before = Dictionary(
      old.devices.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
    let after = Dictionary(
      new.devices.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
    let lost = before.keys.filter { after[$0] == nil }.sorted()
    let came = after.keys.filter { before[$0] == nil }.sorted()
    var statements = [
      lost.isEmpty
        ? Statement(.devices, isChange: false, "no device lost")
        : Statement(.devices, isChange: true, "lost: \(listed(lost.map { name($0, before[$0]) }))")
    ]
    if !came.isEmpty {
      statements.append(
        Statement(.devices, isChange: true, "new: \(listed(came.map { name($0, after[$0]) }))"))
    }
    let drivers = after.keys.sorted().compactMap { device -> String? in
      guard let one = before[device], let other = after[device], one.driver != other.driver else {
        return nil
      }
      return "\(device) \(one.driver ?? "no driver") became \(other.driver ?? "no driver")"
    }
    statements.append(
      drivers.isEmpty
        ? Statement(.drivers, isChange: false, "every device has the driver it had")
        : Statement(.drivers, isChange: true, "drivers: \(listed(drivers))"))
    return statements
  }

  private static func reservedRegions(
    _ old: RemappingState, _ new: RemappingState
  ) -> [Statement] {
    struct Key: Hashable {
      var kind: ReservedRegion.Kind
      var base: IOVirtualAddress
      var end: IOVirtualAddress
      var mapped: ReservedRegion.Coverage?
    }
    func keys(_ state: RemappingState) -> Set<Key> {
      Set(
        state.reservedRegions.map {
          Key(kind: $0.kind, base: $0.base, end: $0.end, mapped: $0.mapped)
        })
    }
    guard !old.devices.isEmpty, !new.devices.isEmpty else { return [] }
    let changed = keys(old).symmetricDifference(keys(new))
    guard !changed.isEmpty else {
      return [Statement(.reservedRegions, isChange: false, "reserved regions unchanged")]
    }
    let ranges = Set(changed.map { "\($0.kind.rawValue) \($0.base) to \($0.end)" }).sorted()
    return [
      Statement(
        .reservedRegions, isChange: true,
        "reserved regions differ, or how they are mapped: \(listed(ranges))")
    ]
  }

  private static func name(_ device: DeviceName, _ row: Device?) -> String {
    row?.driver.map { "\(device) (\($0))" } ?? "\(device)"
  }

  private static func listed(_ names: [String]) -> String {
    names.prefix(6).joined(separator: ", ")
      + (names.count > 6 ? " and \(names.count - 6) more" : "")
  }
}

extension RemappingState {
  fileprivate var translation: String? {
    guard !units.isEmpty else { return nil }
    func count(_ flag: KeyPath<Unit, Bool?>) -> String {
      let on = units.count { $0[keyPath: flag] == true }
      return on == units.count ? "on" : on == 0 ? "off" : "on for \(on) of \(units.count) units"
    }
    return "translation \(count(\.translationEnabled)) and interrupt remapping "
      + count(\.interruptRemappingEnabled)
  }

  /// By default domains, which the kernel makes by its policy.
  fileprivate var policy: String? {
    let types = devices.compactMap(\.defaultDomainType)
    let plain =
      switch dmaIsStrict {
      case true?: "strict"
      case false?: "lazy"
      case nil: "translated (lazy or strict is not told)"
      }
    let words: [(DomainType, String)] = [
      (.dmaFQ, "lazy"), (.dma, plain), (.identity, "pass-through"),
    ]
    let counts = words.map { type, word in (word, types.count { $0 == type }) }.filter { $0.1 > 0 }
    guard let first = counts.first else { return nil }
    if counts.count == 1 { return first.0 }
    return counts.map { "\($0.0) for \($0.1) \($0.1 == 1 ? "device" : "devices")" }
      .joined(separator: ", ")
  }

  fileprivate var tables: String? {
    guard let mode = units.first?.tableMode else { return nil }
    let modes = units.allSatisfy { $0.tableMode == mode } ? mode.rawValue : "mixed"
    let stages = Set(domains.filter { $0.unit != nil && !$0.devices.isEmpty }.compactMap(\.stage))
    let stage = stages.count == 1 ? stages.first.map { ", \($0.rawValue) stage" } : nil
    return "\(modes) tables\(stage ?? "")"
  }

  /// Of the second stage, by the levels that the kernel chose.
  fileprivate var addressSpace: String? {
    guard let levels = units.compactMap(\.levels).min(), (2...5).contains(levels) else {
      return nil
    }
    let size = [2: "1 GiB", 3: "512 GiB", 4: "256 TiB", 5: "128 PiB"][levels] ?? ""
    return "address space \(size) (\(levels) levels)"
  }

  fileprivate var faultAccount: String? {
    guard let faults, faults.problem == nil else { return nil }
    let errors = faults.messages.reduce(0) { sum, row in
      let (next, overflow) = sum.addingReportingOverflow(row.count)
      return overflow ? .max : next
    }
    guard faults.count > 0 || errors > 0 else { return "no fault in the log" }
    var text = "\(faults.count) refused \(faults.count == 1 ? "request" : "requests")"
    if errors > 0 { text += " and \(errors) \(errors == 1 ? "message" : "messages") of units" }
    return text + " in the log"
  }
}
