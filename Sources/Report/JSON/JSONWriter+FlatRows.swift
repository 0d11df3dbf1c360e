// SPDX-License-Identifier: Apache-2.0

/// A long row all of whose values are scalars, written without a decision about each of them.
protocol FlatRow: LongRow {
  /// Writes the members as `describe` states them.
  func writeMembers(to line: inout RowLine)
}

extension FlatRow {
  static func write(items: [Self], to writer: JSONWriter) {
    writer.openArray()
    if let first = items.first {
      // The first object breaks the array, so that the others have lines of their own.
      first.write(to: writer)
      writer.flatRows(items.dropFirst())
    }
    writer.close()
  }
}

extension JSONWriter {
  /// Writes rows behind the first one of an array.
  ///
  /// Such rows are most of a large document, and one is like the next: each is written in the form
  /// that the last one had, and once more where its width demands the other form.
  fileprivate func flatRows<Row: FlatRow>(_ rows: ArraySlice<Row>) {
    let indent = 2 * frames.count
    let isBroken = style == .document && pendingDepth == 0 && frames.last?.isObject == false
    let isFlat = isBroken && indent <= RowLine.deepest
    var isSpread = false
    for row in rows {
      if hasFailed { return }
      if isFlat, append(row, at: indent, &isSpread) { continue }
      row.write(to: self)
    }
  }

  /// - Parameter isSpread: the form to try first, and the one that was right.
  /// - Returns: `false`, and nothing appended, for a row that is too long.
  @inline(__always)
  private func append(_ row: some FlatRow, at indent: Int, _ isSpread: inout Bool) -> Bool {
    makeRoom()
    let end = output.count
    output.append(UInt8(ascii: ","))
    newLine()
    let start = output.count
    while let width = output.append(
      rowAt: indent, isSpread: isSpread, { row.writeMembers(to: &$0) })
    {
      // As for every container, two columns are left; the width does not depend on the form, so
      // that the second one is right.
      if (indent + width + 2 >= Self.lineWidth) == isSpread { return true }
      output.truncate(to: start)
      isSpread.toggle()
    }
    output.truncate(to: end)
    return false
  }
}
