// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import VTd

extension UnitCopy {
  /// Lists context and PASID entries as hardware reads them before and after.
  mutating func pair(_ old: TranslationTablesReading, _ new: TranslationTablesReading) {
    var rows: [UInt16: ContextRow] = [:]
    func row(_ context: TranslationTablesReading.Context) -> ContextRow {
      ContextRow(bus: context.bus, devfn: context.devfn, old: nil, new: nil)
    }
    for context in old.contexts {
      rows[context.sourceID, default: row(context)].old = context.words
    }
    for context in new.contexts {
      rows[context.sourceID, default: row(context)].new = context.words.map(CopiedWord.exact)
    }
    contexts = rows.sorted { $0.key < $1.key }.map(\.value)

    var entries: [UInt64: PASIDRow] = [:]
    func row(_ path: ContextPath, _ pasid: UInt32) -> PASIDRow {
      PASIDRow(bus: path.bus, devfn: path.devfn, pasid: pasid, old: nil, new: nil)
    }
    for path in old.paths {
      guard let pasid = path.pasid else { continue }
      let key = UInt64(path.sourceID) << 32 | UInt64(pasid)
      entries[key, default: row(path, pasid)].old = path.words
    }
    for path in new.paths {
      guard let pasid = path.pasid else { continue }
      let key = UInt64(path.sourceID) << 32 | UInt64(pasid)
      entries[key, default: row(path, pasid)].new = path.words.map(CopiedWord.exact)
    }
    pasids = entries.sorted { $0.key < $1.key }.map(\.value)
  }
}
