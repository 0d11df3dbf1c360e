// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// The address spaces that contexts lead to, with what a forecast asks of their runs, computed once
/// for each.
struct MappedSpaces {
  struct Space {
    var inFlight: Bool
    var hasReads: Bool
    /// I/O virtual addresses that are mapped.
    var iova: AddressRanges
    /// Those of them that may be written.
    var writableIOVA: AddressRanges
    /// Their targets, as far as they are memory.
    var writableMemory: AddressRanges
    /// What writes reach while the mapping is in force.
    var exposure: Exposure
    /// What they reach if the addresses are taken for physical ones.
    var physicalExposure: Exposure
    /// Ranges that the kernel's allocator never hands out.
    var reserved: AddressRanges
    /// Whether those are all of them.
    var isReservedComplete: Bool
    var levels: Int
    var isFirstStage: Bool
  }

  private var spaces: [Space] = []
  private var indices: [DomainKey: Int] = [:]

  init(_ state: RemappingState, classes: MemoryClasses) {
    let lacksAllocators = state.observations.lack(\.isPartOfAllocators)
    for domain in state.domains where !domain.devices.isEmpty {
      guard let mapping = domain.mapping, domain.unit != nil else { continue }
      var writes = AddressRanges.Builder()
      var all = AddressRanges.Builder()
      var hasReads = false
      for run in mapping.runs {
        hasReads = hasReads || run.access != .write
        guard run.length.rawValue > 0 else { continue }
        all.add(run.addresses)
        guard run.access != .read else { continue }
        writes.add(run.addresses)
      }
      let targets = classes.targets(mapping.runs)
      let writableIOVA = writes.ranges
      indices[domain.key] = spaces.count
      spaces.append(
        Space(
          inFlight: domain.inFlight, hasReads: hasReads, iova: all.ranges,
          writableIOVA: writableIOVA,
          writableMemory: targets.inMemory,
          exposure: targets.exposure,
          physicalExposure: classes.exposure(of: writableIOVA),
          reserved: AddressRanges(
            (domain.iova?.allocated ?? []).filter { $0.state == .reserved }.compactMap {
              $0.start.rawValue <= $0.end.rawValue ? $0.start.rawValue...$0.end.rawValue : nil
            }),
          isReservedComplete: domain.iova.map { !$0.uncertain.contains(.reserved) }
            ?? !lacksAllocators,
          levels: domain.levels ?? 4, isFirstStage: domain.stage == .first))
    }
  }

  /// The space behind a context; `nil` if it has none, or none that was walked.
  func index(of context: Context) -> Int? { indices[context.domainKey] }

  subscript(index: Int) -> Space { spaces[index] }
}

/// Physical memory sorted by what it would mean to write there.
struct MemoryClasses {
  private let crash: AddressRanges
  private let crashLow: AddressRanges
  private let crashCMA: AddressRanges
  private let text: AddressRanges
  private let tables: AddressRanges
  private let low: AddressRanges
  private let other: AddressRanges
  /// All RAM, the crash kernel's included.
  let memory: AddressRanges

  init(_ facts: MachineFacts, tables frames: [UInt64]) {
    func reservation(_ kinds: MachineFacts.Reservation.Kind...) -> AddressRanges {
      AddressRanges(facts.reservations.filter { kinds.contains($0.kind) }.map(\.range))
    }
    crash = reservation(.main, .given)
    crashLow = reservation(.low).subtracting(crash)
    crashCMA = reservation(.cma).subtracting(crash).subtracting(crashLow)
    let own = crash.union(crashLow).union(crashCMA)
    let ram = AddressRanges(
      facts.memoryFrames.compactMap { frames in
        frames.isEmpty || frames.upperBound > 1 << 52
          ? nil : (frames.lowerBound << 12)...((frames.upperBound << 12) &- 1)
      })
    memory = ram.union(own)
    text = AddressRanges([facts.kernelText].compactMap { $0 }).subtracting(own)
    self.tables = AddressRanges(
      frames.filter { $0 < 1 << 52 }.map { ($0 << 12)...($0 << 12 | 0xfff) }
    ).subtracting(own)
    low = AddressRanges([0...0xf_ffff]).intersection(ram).subtracting(own)
    other = ram.subtracting(own).subtracting(text).subtracting(self.tables).subtracting(low)
  }

  /// What of the targets that may be written through some runs is memory, and what it would mean to
  /// write there.
  func targets(_ runs: [Run]) -> (inMemory: AddressRanges, exposure: Exposure) {
    if let pages = PageSet(writableThrough: runs) {
      let inMemory = pages.intersection(memory)
      return (
        inMemory,
        exposure(outside: pages.bytes - inMemory.bytes) { pages.bytes(in: $0) }
      )
    }
    var targets = AddressRanges.Builder()
    for run in runs where run.length.rawValue > 0 && run.access != .read {
      targets.add(run.targets)
    }
    let ranges = targets.ranges
    return (ranges.intersection(memory), exposure(of: ranges))
  }

  func exposure(of ranges: AddressRanges) -> Exposure {
    exposure(outside: ranges.subtracting(memory).bytes) { ranges.intersection($0).bytes }
  }

  private func exposure(outside: UInt64, _ bytes: (AddressRanges) -> UInt64) -> Exposure {
    Exposure(
      moment: nil, crashReservation: bytes(crash), crashLowReservation: bytes(crashLow),
      crashCMA: bytes(crashCMA), kernelText: bytes(text), tables: bytes(tables),
      lowMemory: bytes(low), otherMemory: bytes(other), outsideMemory: outside)
  }

  /// A device that may write anywhere.
  var everything: Exposure { exposure(of: memory) }
}

extension Exposure {
  static let none = Exposure(
    moment: nil, crashReservation: 0, crashLowReservation: 0, crashCMA: 0, kernelText: 0,
    tables: 0, lowMemory: 0, otherMemory: 0, outsideMemory: 0)

  /// The larger of both in each class.
  func joined(_ other: Exposure) -> Exposure {
    Exposure(
      moment: nil, crashReservation: max(crashReservation, other.crashReservation),
      crashLowReservation: max(crashLowReservation, other.crashLowReservation),
      crashCMA: max(crashCMA, other.crashCMA), kernelText: max(kernelText, other.kernelText),
      tables: max(tables, other.tables), lowMemory: max(lowMemory, other.lowMemory),
      otherMemory: max(otherMemory, other.otherMemory),
      outsideMemory: max(outsideMemory, other.outsideMemory))
  }
}
