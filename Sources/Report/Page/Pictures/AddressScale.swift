// SPDX-License-Identifier: Apache-2.0

internal import Memory

/// A stretch of addresses, both ends inclusive.
struct Extent: Hashable {
  var start: UInt64
  var end: UInt64

  init(_ start: UInt64, _ end: UInt64) {
    self.start = start
    self.end = max(start, end)
  }

  /// Bytes, or the largest number for all of them.
  var bytes: UInt64 {
    let distance = end - start
    return distance == .max ? .max : distance + 1
  }
}

/// Addresses on a line: what is used is drawn, far gaps between it are folded.
///
/// The line is cut at the widest gaps. A piece is as wide as the logarithm of its size, so that a page
/// beside a terabyte is still seen; inside a piece the scale is linear.
struct AddressScale {
  struct Piece {
    var extent: Extent
    var x: Double
    var width: Double
  }

  private(set) var pieces: [Piece] = []
  /// Between two pieces.
  static let gap = 14.0

  /// - Parameters:
  ///   - used: in any order, overlaps allowed.
  ///   - pieces: at most so many.
  init(_ used: [Extent], from x: Double, width: Double, pieces limit: Int = 10) {
    let merged = Self.merged(used)
    guard let first = merged.first, let last = merged.last else { return }
    var gaps: [(size: UInt64, index: Int)] = []
    for index in merged.indices.dropFirst() {
      let size = merged[index].start - merged[index - 1].end
      // A page that is left out is part of a picture, not a cut in it.
      if size > 1 << 16 { gaps.append((size, index)) }
    }
    gaps.sort { ($1.size, $0.index) < ($0.size, $1.index) }
    let cuts = gaps.prefix(max(0, limit - 1)).map(\.index).sorted()
    var extents: [Extent] = []
    var start = first.start
    for cut in cuts {
      extents.append(Extent(start, merged[cut - 1].end))
      start = merged[cut].start
    }
    extents.append(Extent(start, last.end))
    let weights = extents.map { extent in
      Double(64 - (extent.bytes >> 10).leadingZeroBitCount) + 2
    }
    let sum = weights.reduce(0, +)
    let room = width - Self.gap * Double(extents.count - 1)
    var place = x
    for (extent, weight) in zip(extents, weights) {
      let wide = room * weight / sum
      pieces.append(Piece(extent: extent, x: place, width: wide))
      place += wide + Self.gap
    }
  }

  /// Extents in order, those that overlap or touch joined.
  static func merged(_ extents: [Extent]) -> [Extent] {
    var result: [Extent] = []
    for extent in extents.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
      if let last = result.last, extent.start <= last.end || extent.start - last.end == 1 {
        result[result.count - 1].end = max(last.end, extent.end)
      } else {
        result.append(extent)
      }
    }
    return result
  }

  /// Where an extent lies in a piece; `nil` for one that begins outside.
  func place(_ extent: Extent, in piece: Piece) -> (x: Double, width: Double)? {
    guard extent.start <= piece.extent.end, extent.end >= piece.extent.start else { return nil }
    let size = Double(piece.extent.bytes)
    let start = Double(max(extent.start, piece.extent.start) - piece.extent.start)
    let end = Double(min(extent.end, piece.extent.end) - piece.extent.start) + 1
    let x = piece.x + piece.width * start / size
    return (x, max(1.5, piece.width * (end - start) / size))
  }

  /// What of extents lies in the pieces; a wide one may lie in several.
  func parts(of extents: [Extent]) -> [Extent] {
    pieces.flatMap { piece in
      extents.lazy.filter { $0.overlaps(piece.extent) }.map {
        Extent(max($0.start, piece.extent.start), min($0.end, piece.extent.end))
      }
    }
  }

  /// Extents as bars, joined where the screen shows no space between them: however many there are,
  /// there are no more bars than a line has places.
  func bars(_ extents: some Sequence<Extent>) -> [(x: Double, width: Double)] {
    var result: [(x: Double, width: Double)] = []
    var piece = 0
    // By address, so one pass over the pieces will do.
    for extent in extents {
      while piece < pieces.count, pieces[piece].extent.end < extent.start { piece += 1 }
      guard piece < pieces.count, let bar = place(extent, in: pieces[piece]) else { continue }
      if let last = result.last, bar.x <= last.x + last.width + 0.4 {
        result[result.count - 1].width = max(last.width, bar.x + bar.width - last.x)
      } else {
        result.append(bar)
      }
    }
    return result
  }

  /// Names the ends of the pieces below a line.
  func label(_ picture: Picture, y: Double) {
    for (index, piece) in pieces.enumerated() {
      picture.line(piece.x, y, piece.x + piece.width, y, "axis")
      // A character is 6.4 wide in the pictures' small fixed face.
      let first = HexWord(piece.extent.start).description
      let fits = piece.width >= 6.4 * Double(first.utf8.count) || pieces.count == 1
      if fits {
        picture.text(first, piece.x, y + 13, "m dimt")
        picture.text(
          Quantity.iec(piece.extent.bytes) ?? "\(piece.extent.bytes) B", piece.x, y + 26, "s dimt")
      }
      if index > 0 {
        let middle = piece.x - Self.gap / 2
        picture.line(middle, y - 40, middle, y + 4, "gap")
      }
    }
  }
}
