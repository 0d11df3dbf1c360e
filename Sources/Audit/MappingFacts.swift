// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

/// What rules ask of the runs of a state's domains, found in one pass over them.
///
/// A domain may have millions of runs; each is looked at once, however many rules there are.
public struct MappingFacts: Sendable {
  /// By the index of the domain in the state.
  let domains: [OfDomain]

  /// What one domain maps.
  struct OfDomain: Sendable {
    /// Runs that are not memory, of a DMA domain, where the map of memory is known.
    var outsideMemory = Occurrences()
    /// What is mapped of the kernel's code.
    var kernelText = MappedOverlap()
    /// What is mapped of the memory that is set aside for the crash kernel.
    var crashKernel = MappedOverlap()
    /// The first run that touches the window of message-signalled interrupts.
    var interruptWindow: Run?
    /// The first run beyond the width of addresses that the unit translates.
    var beyondWidth: Run?
  }

  /// Runs that something is true of.
  struct Occurrences: Sendable {
    var count = 0
    var first: Run?

    mutating func add(_ run: Run) {
      if count == 0 { first = run }
      count += 1
    }

    mutating func add(_ next: Occurrences) {
      first = first ?? next.first
      count += next.count
    }
  }

  /// Bus addresses that interrupts are written to.
  ///
  /// Source: VT-d specification, section 3.14.
  private static let interruptWindow: ClosedRange<UInt64> = 0xfee0_0000...0xfeef_ffff

  init(_ state: RemappingState) {
    let memory = AddressRanges(state.memoryMap, [.memory])
    let text = AddressRanges(state.memoryMap, [.kernelText])
    let crash = AddressRanges(state.memoryMap, [.crashKernel])
    let fixed = state.fixedRanges
    domains = state.domains.map { domain in
      guard let runs = domain.mapping?.runs, !runs.isEmpty else { return OfDomain() }
      let question = Question(
        memory: memory, text: text, crash: crash, fixed: fixed,
        isJudgedForMemory: domain.isDMA && !memory.isEmpty,
        // Identity domains map all of memory, and a process's tables what the process may touch.
        isJudgedForRegions: [.dma, .dmaFQ, .unmanaged, .unknown].contains(domain.type),
        isJudgedForWindow: domain.type != .sva && domain.type != .identity,
        limit: state.width(of: domain).map { (1 as UInt64) << $0 } ?? .max)
      let parts = Workers.mapRanges(runs.count) { question.facts(runs[$0]) }
      return parts.dropFirst().reduce(into: parts.first ?? OfDomain()) { $0.add($1) }
    }
  }

  /// What is asked of the runs of one domain.
  private struct Question: Sendable {
    var memory: AddressRanges
    var text: AddressRanges
    var crash: AddressRanges
    var fixed: AddressRanges
    var isJudgedForMemory: Bool
    var isJudgedForRegions: Bool
    var isJudgedForWindow: Bool
    /// The lowest address that the unit does not translate; all ones where nothing tells.
    var limit: UInt64

    func facts(_ runs: ArraySlice<Run>) -> OfDomain {
      var facts = OfDomain()
      var inMemory = RangeLocator(memory)
      var inText = RangeLocator(text)
      var inCrash = RangeLocator(crash)
      for run in runs {
        let targets = run.targets
        let addresses = run.addresses
        if isJudgedForMemory, inMemory.place(of: targets) != .inside, !run.isMapped(for: fixed) {
          facts.outsideMemory.add(run)
        }
        if isJudgedForRegions {
          if inText.place(of: targets) != .outside, !run.isMapped(for: fixed) {
            facts.kernelText.add(run)
          }
          if inCrash.place(of: targets) != .outside, !run.isMapped(for: fixed) {
            facts.crashKernel.add(run)
          }
        }
        if isJudgedForWindow, facts.interruptWindow == nil,
          addresses.overlaps(MappingFacts.interruptWindow)
        {
          facts.interruptWindow = run
        }
        if addresses.upperBound >= limit, facts.beyondWidth == nil, limit != .max {
          facts.beyondWidth = run
        }
      }
      return facts
    }
  }
}

extension MappingFacts.OfDomain {
  /// Takes what was found in the runs that follow.
  fileprivate mutating func add(_ next: Self) {
    outsideMemory.add(next.outsideMemory)
    kernelText.add(next.kernelText)
    crashKernel.add(next.crashKernel)
    interruptWindow = interruptWindow ?? next.interruptWindow
    beyondWidth = beyondWidth ?? next.beyondWidth
  }
}

/// What a domain maps of something that it should not.
struct MappedOverlap: CustomStringConvertible, Sendable {
  var runs = MappingFacts.Occurrences()
  var isWritable = false

  mutating func add(_ run: Run) {
    runs.add(run)
    isWritable = isWritable || run.access != .read
  }

  mutating func add(_ next: MappedOverlap) {
    runs.add(next.runs)
    isWritable = isWritable || next.isWritable
  }

  var isEmpty: Bool { runs.count == 0 }

  var description: String {
    guard let first = runs.first else { return "nothing" }
    let rest = runs.count == 1 ? "" : " and \(runs.count - 1) more ranges"
    let access = isWritable ? "writable" : "readable"
    return "IOVA \(first.iova) to physical \(first.physical)\(rest), \(access)"
  }
}

extension RemappingState {
  /// Bits of the I/O virtual addresses that the unit of a domain's second stage translates; `nil`
  /// where that is unknown, or every address has them.
  ///
  /// Source: VT-d specification, section 11.4.2, CAP.MGAW: bits 21:16 hold the width minus 1.
  func width(of domain: Domain) -> UInt64? {
    guard domain.stage == .second, let unit = unit(domain.unit), unit.capability.rawValue != 0
    else { return nil }
    let width = (unit.capability.rawValue >> 16 & 0x3f) + 1
    return width < 64 ? width : nil
  }
}
