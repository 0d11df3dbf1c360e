// SPDX-License-Identifier: Apache-2.0

public import Memory
import RemappingState

extension PageTableWalk {
  /// Translates one I/O virtual address by the same rules that `run(_:)` applies.
  ///
  /// - Parameter iova: byte address as issued by the device; any value is accepted.
  /// - Returns: the entries read, and where the way ended; unreadable tables are endings too.
  ///
  /// At most one page read per level, and in nested translation one per pair of levels.
  public func translate(_ iova: IOVirtualAddress) -> TranslationTrace {
    var steps: [TranslationStep] = []
    let ending = translate(iova.rawValue, &steps)
    return TranslationTrace(steps: steps, ending: ending)
  }

  private func translate(
    _ iova: UInt64, _ steps: inout [TranslationStep]
  ) -> TranslationEnding {
    let stage = space.stage
    guard (2...5).contains(space.root.levels) else {
      return .unsupportedLevels(stage, space.root.levels)
    }
    if let ending = RequestBounds(space, unit: unit).refusal(of: iova) { return ending }
    let nesting = stage == .first ? space.nesting : nil
    var second = nesting.map { SecondStage(memory: memory, root: $0, unit: unit) }
    let rules = space.rules(unit: unit)
    var pointer = space.root.table.rawValue & ~0xfff
    var access = PagingAccess.all
    var path: [UInt64] = []
    var level = space.root.levels
    while true {
      if second != nil {
        switch lookUp(pointer, &second, &steps) {
        case .mapped(let host, _, let access) where access.contains(.read):
          pointer = host.rawValue
        case .mapped: return .noAccess(.second, level: 1)
        case let ending: return ending
        }
      }
      let frame = pointer >> 12
      guard !path.contains(frame) else { return .cycle(stage, level: level) }
      path.append(frame)
      let page: Page
      let isAssumed: Bool
      do {
        (page, isAssumed) = try memory.pageOrAssumedZero(frame)
      } catch {
        return .unreadable(stage, level: level, error)
      }
      let index = Int(truncatingIfNeeded: iova >> UInt64(PagingRules.shift(level: level))) & 511
      let word = page[word: index]
      steps.append(
        TranslationStep(
          stage: stage, level: level, entry: PhysicalAddress(pointer | UInt64(index * 8)),
          word: word, isAssumedZero: isAssumed))
      guard rules.isPresent(word) else {
        return stage == .first && word & 1 != 0
          ? .supervisorPage(level: level) : .notPresent(stage, level: level)
      }
      let reserved = rules.reservedBits(word, level: level)
      guard reserved == 0 else { return .reserved(stage, level: level, bits: reserved) }
      access.formIntersection(rules.access(word))
      if rules.isLeaf(word, level: level) {
        guard !access.isEmpty else { return .noAccess(stage, level: level) }
        let size = PagingRules.span(level: level)
        let target = PagingRules.page(word, level: level) | (iova & (size - 1))
        guard second != nil else {
          return found(target, pageSize: size, access: access)
        }
        switch lookUp(target, &second, &steps) {
        case .mapped(let host, let hostSize, let hostAccess):
          let common = access.intersection(hostAccess)
          guard !common.isEmpty else { return .noAccess(.second, level: 1) }
          return found(host.rawValue, pageSize: min(size, hostSize), access: common)
        case let ending: return ending
        }
      }
      pointer = word & PagingRules.addressMask
      level -= 1
    }
  }

  /// The ending of a translation that came to a page.
  private func found(
    _ address: UInt64, pageSize: UInt64, access: PagingAccess
  ) -> TranslationEnding {
    InterruptWindow.contains(address)
      ? .interruptTarget(PhysicalAddress(address))
      : .mapped(PhysicalAddress(address), pageSize: pageSize, access: access)
  }

  private func lookUp(
    _ guest: UInt64, _ second: inout SecondStage?, _ steps: inout [TranslationStep]
  ) -> TranslationEnding {
    var found: [TranslationStep] = []
    guard let answer = second?.lookUp(guest, trace: { found.append($0) }) else {
      return .unsupportedLevels(.second, 0)
    }
    steps += found
    return answer.ending
  }
}
