// SPDX-License-Identifier: Apache-2.0

public import Memory
internal import RemappingState

// What a walk asks of the second stage where the first one is nested in it.
extension Walker {
  @inlinable
  mutating func visitLeaf<Visitor: PagingVisitor>(_ leaf: PagingLeaf, _ visitor: inout Visitor) {
    guard isNested else {
      visitor.leaf(leaf)
      return
    }
    var offset: UInt64 = 0
    var pending: PagingLeaf?
    var pieces = 0
    while offset < leaf.length {
      let next = nextPiece(leaf, at: offset)
      offset = next.end
      switch next.result {
      case .mapped(var piece):
        // Pieces that continue each other are one.
        if let last = pending, last.access == piece.access,
          last.physical.rawValue &+ last.length == piece.physical.rawValue,
          last.iova.rawValue &+ last.length == piece.iova.rawValue
        {
          pending?.length = last.length &+ piece.length
        } else {
          if let last = pending { visitor.leaf(last) }
          piece.piece = pieces
          pieces += 1
          pending = piece
        }
      case .hole(let obstacle):
        if let last = pending { visitor.leaf(last) }
        pending = nil
        visitor.obstacle(obstacle)
      case .noAccess:
        if let last = pending { visitor.leaf(last) }
        pending = nil
      }
    }
    if let last = pending { visitor.leaf(last) }
  }

  @usableFromInline
  enum Location {
    case found(UInt64)
    case blocked(PagingObstacle.Kind)
  }

  /// The host-physical address of a table at a guest-physical one.
  ///
  /// Hardware reads it like memory, so the second stage must allow reading.
  @usableFromInline
  mutating func locate(_ guest: UInt64) -> Location {
    guard let answer = lookUp(guest) else { return .blocked(.budgetExhausted(.lookups)) }
    guard case .mapped(let host, _, let access) = answer.ending, access.contains(.read) else {
      statistics.secondStageHoles += 1
      return .blocked(.secondStage(answer.ending, guest: guest))
    }
    return .found(host.rawValue)
  }

  @usableFromInline
  enum PieceResult {
    case mapped(PagingLeaf)
    case hole(PagingObstacle)
    case noAccess
  }

  /// The piece of a first-stage leaf from `offset` to where the second stage changes.
  @usableFromInline
  mutating func nextPiece(
    _ leaf: PagingLeaf, at offset: UInt64
  ) -> (result: PieceResult, end: UInt64) {
    let guest = leaf.physical.rawValue &+ offset
    func obstacle(_ kind: PagingObstacle.Kind) -> PagingObstacle {
      PagingObstacle(
        kind, level: leaf.level, iova: IOVirtualAddress(leaf.iova.rawValue &+ offset),
        entry: leaf.entry, word: leaf.word)
    }
    guard let answer = lookUp(guest) else {
      return (.hole(obstacle(.budgetExhausted(.lookups))), leaf.length)
    }
    let length = min(answer.span, leaf.length - offset)
    guard case .mapped(let host, _, let access) = answer.ending else {
      statistics.secondStageHoles += 1
      return (.hole(obstacle(.secondStage(answer.ending, guest: guest))), offset + length)
    }
    let common = access.intersection(leaf.access)
    guard !common.isEmpty else { return (.noAccess, offset + length) }
    var piece = leaf
    piece.iova = IOVirtualAddress(leaf.iova.rawValue &+ offset)
    piece.physical = host
    piece.length = length
    piece.access = common
    return (.mapped(piece), offset + length)
  }

  /// Looks up a guest-physical address, or ends the walk because no look-up is left.
  private mutating func lookUp(_ guest: UInt64) -> SecondStage.Answer? {
    guard budget.lookups > 0 else {
      statistics.exhausted.insert(.lookups)
      isStopped = true
      return nil
    }
    budget.lookups -= 1
    return second?.lookUp(guest)
      ?? SecondStage.Answer(ending: .unsupportedLevels(.second, 0), span: .max)
  }
}
