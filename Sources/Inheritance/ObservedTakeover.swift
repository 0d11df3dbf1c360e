// SPDX-License-Identifier: Apache-2.0

public import LinuxIOMMU
public import Memory
import RemappingState

/// What a real crash kernel made of the tables, read from an image that holds both kernels.
public struct ObservedTakeover: Hashable, Sendable {
  /// `uname -r` of the crash kernel.
  public var release: String?
  public var units: [Unit]

  public struct Unit: Hashable, Sendable {
    public var unit: String
    public var rootTable: HexWord?
    /// Whether the kernel says that it found translation enabled.
    public var tookOver: Bool?
    /// Contexts that are still the crashed kernel's.
    public var copied: [PCIFunction]
    /// `bitmap`, `marker`, or `nil` where the kernel has neither.
    public var by: String?
    /// Words of root and context entries compared with the forecast of `linux`.
    public var words: Int
    /// Foretold contexts that the kernel has meanwhile replaced.
    public var replaced: [PCIFunction]
    /// Where the forecast was wrong.
    public var differences: [String]
    /// Domain-ids in use, ascending; `nil` if unreadable.
    public var domainIDs: [UInt32]?
    /// Interrupt-remapping entries that are as in the crashed kernel's table, that differ, and that are
    /// new; `nil` without both tables.
    public var interrupts: Interrupts?

    public struct Interrupts: Hashable, Sendable {
      public var same: Int
      public var different: Int
      public var added: Int
    }
  }
}

/// A unit as the crash kernel's own structures describe it.
public struct CrashUnit: Hashable, Sendable {
  public var name: String
  public var rootTable: PhysicalAddress?
  public var tookOver: Bool?
  /// Of `copied_tables`.
  public var copied: [UInt16]
  public var domainIDs: [UInt32]?
  public var interruptTable: PhysicalAddress?

  public init(
    name: String, rootTable: PhysicalAddress?, tookOver: Bool?, copied: [UInt16],
    domainIDs: [UInt32]?, interruptTable: PhysicalAddress?
  ) {
    self.name = name
    self.rootTable = rootTable
    self.tookOver = tookOver
    self.copied = copied
    self.domainIDs = domainIDs
    self.interruptTable = interruptTable
  }
}

/// A crash kernel that was met in the image of the whole machine's memory.
public struct CrashTakeover: Hashable, Sendable {
  /// `uname -r`
  public var release: String?
  /// Empty where its structures cannot be read.
  public var units: [CrashUnit]

  public init(release: String?, units: [CrashUnit]) {
    self.release = release
    self.units = units
  }

  /// - Parameter structures: the crash kernel's own; `nil` where they cannot be read.
  public init(release: String?, structures: LinuxIOMMU?) {
    self.init(
      release: release,
      units: (structures?.units ?? []).filter { $0.kernelObject != nil }.map {
        CrashUnit(
          name: $0.name, rootTable: $0.rootTable, tookOver: $0.translationPreEnabled,
          copied: $0.copiedContexts, domainIDs: $0.domainIDs,
          interruptTable: $0.interruptRemapping?.table)
      })
  }
}

extension Forecaster {
  /// Compares what a crash kernel really did with what was foretold of `linux`.
  public func observe(
    _ takeover: CrashTakeover, against linux: PolicyForecast
  ) -> ObservedTakeover {
    ObservedTakeover(
      release: takeover.release,
      units: takeover.units.compactMap { found in
        guard let foretold = linux.units.first(where: { $0.unit == found.name }),
          let unit = state.units.first(where: { $0.name == found.name })
        else { return nil }
        return observe(found, foretold, unit)
      })
  }

  private func observe(
    _ found: CrashUnit, _ foretold: UnitForecast, _ unit: Unit
  ) -> ObservedTakeover.Unit {
    var row = ObservedTakeover.Unit(
      unit: found.name, rootTable: found.rootTable.map { HexWord($0.rawValue) },
      tookOver: found.tookOver, copied: [], by: nil, words: 0, replaced: [], differences: [],
      domainIDs: found.domainIDs,
      interrupts: interrupts(unit.interruptRemapping?.table, found.interruptTable))
    guard let root = found.rootTable, let page = try? memory.pageOrAssumedZero(root.frame).page
    else {
      row.differences.append("the new root table cannot be read")
      return row
    }
    /// What each page of the arena turned out to be.
    var pages: [UInt64: UInt64] = [:]
    func agrees(_ word: ForecastWord, _ real: UInt64) -> Bool {
      switch word {
      case .exact(let word): return word == real
      case .arena(let offset):
        guard offset & 0xfff == real & 0xfff else { return false }
        if let known = pages[offset >> 12] { return known == real >> 12 }
        pages[offset >> 12] = real >> 12
        return true
      }
    }
    let isWide = unit.tableMode != .legacy
    var seen: Set<Int> = []
    for entry in foretold.roots {
      let index = 2 * entry.bus + (entry.half == "upper" ? 1 : 0)
      guard seen.insert(index).inserted, (0..<Page.wordCount).contains(index) else { continue }
      row.words += 1
      if !agrees(entry.new, page[word: index]) {
        row.differences.append(
          "root entry of bus \(String(entry.bus, radix: 16)) \(entry.half ?? ""): "
            + "\(page[word: index].hexadecimal), forecast \(entry.new)")
      }
    }
    for index in 0..<Page.wordCount where !seen.contains(index) {
      row.words += 1
      if page[word: index] != 0 {
        row.differences.append(
          "word \(index) of the root table is \(page[word: index].hexadecimal), forecast 0")
      }
    }
    let words = isWide ? 4 : 2
    let marks = Set(found.copied)
    let usesBitmap = traits.variant == .v2a || traits.variant == .v2b
    row.by = usesBitmap ? "bitmap" : traits.variant == .v1 ? "marker" : nil
    for context in foretold.contexts {
      guard let new = context.new else { continue }
      let half = isWide ? Int(context.device.devfn >> 7) : 0
      let table = page[word: 2 * Int(context.device.bus) + half]
      let slot = Int(isWide ? context.device.devfn & 0x7f : context.device.devfn) * words
      guard table & 1 != 0, let entries = try? memory.pageOrAssumedZero(table >> 12).page else {
        row.differences.append("\(context.device): its new context table cannot be read")
        continue
      }
      let real = (slot..<slot + words).map { entries[word: $0] }
      let isCopied =
        usesBitmap ? marks.contains(context.device.sourceID) : real[1] >> 3 & 1 != 0
      guard isCopied else {
        row.replaced.append(context.device)
        continue
      }
      row.copied.append(context.device)
      for (number, word) in new.enumerated() where number < words {
        row.words += 1
        if !agrees(word, real[number]) {
          row.differences.append(
            "\(context.device): word \(number) is \(real[number].hexadecimal), forecast \(word)")
        }
      }
    }
    if Set(pages.values).count != pages.count {
      row.differences.append("two pages of the forecast are one page of the crash kernel's")
    }
    return row
  }

  private func interrupts(
    _ old: PhysicalAddress?, _ new: PhysicalAddress?
  ) -> ObservedTakeover.Unit.Interrupts? {
    guard let old, let new else { return nil }
    var result = ObservedTakeover.Unit.Interrupts(same: 0, different: 0, added: 0)
    // 65,536 entries of 16 bytes.
    for number in 0..<UInt64(256) {
      guard let before = try? memory.pageOrAssumedZero(old.frame &+ number).page,
        let after = try? memory.pageOrAssumedZero(new.frame &+ number).page
      else { return nil }
      for entry in stride(from: 0, to: Page.wordCount, by: 2) {
        let wasPresent = before[word: entry] & 1 != 0
        if wasPresent {
          let isSame =
            before[word: entry] == after[word: entry]
            && before[word: entry + 1] == after[word: entry + 1]
          if isSame { result.same += 1 } else { result.different += 1 }
        } else if after[word: entry] & 1 != 0 {
          result.added += 1
        }
      }
    }
    return result
  }
}
