// SPDX-License-Identifier: Apache-2.0

import Memory

/// What a search for root tables has found out about pages, so that each is looked at once: any number
/// of pages can have the shape of a root and lead to the same tables.
struct CarvingMemo {
  struct Key: Hashable {
    var frame: UInt64
    var isLegacy: Bool
  }

  /// A page as a context table, or as a half of one.
  enum ContextTable {
    case missing
    /// Another kind of page.
    case foreign
    case table(ContextFacts)
  }

  /// A page as the top of page tables.
  enum TopTable {
    case missing
    case foreign
    case sound
  }

  /// What was counted in a context table and below it.
  struct ContextFacts {
    /// Of the sound entries.
    var slots: [UInt8] = []
    var domainIDs: Set<UInt16> = []
    var tables: Set<PhysicalAddress> = []
    var passThrough = 0
    var pasidEntries = 0
    var copied = 0
    /// Pages that the dump lacks.
    var missing = 0
    /// Entries, with what they lead to, that are neither zero nor sound.
    var damaged = 0

    /// Counts one damaged entry; says whether the page may still be a table.
    mutating func countDamage() -> Bool {
      damaged += 1
      return damaged < CarvingMemo.damageLimit
    }
  }

  /// From so many damaged entries on, a page is not looked at further.
  static let damageLimit = 64

  var contexts: [Key: ContextTable] = [:]
  var tables: [UInt64: TopTable] = [:]
}
