// SPDX-License-Identifier: Apache-2.0

import CElfutils

/// The named types that one unit declares or defines, found by hashes of their names.
final class UnitIndex {
  let image: UnitImage
  /// Structures, unions and typedefs, in the unit's order.
  private let types: [(hash: UInt32, entry: UInt64)]
  private let enumerations: [UInt64]

  init(_ image: UnitImage) throws(TypeError) {
    var types: [(hash: UInt32, entry: UInt64)] = []
    var enumerations: [UInt64] = []
    try image.forEachType { tag, entry, hash in
      if tag == DW_TAG_enumeration_type {
        enumerations.append(entry)
      } else if let hash {
        types.append((hash, entry))
      }
    }
    image.relax()
    self.image = image
    self.types = types
    self.enumerations = enumerations
  }

  /// Where the entries of that name are.
  func entries(named name: [UInt8]) throws(TypeError) -> [UInt64] {
    let hash = UnitImage.hash(name)
    var found: [UInt64] = []
    for type in types where type.hash == hash {
      if try image.hasName(name, type.entry) { found.append(type.entry) }
    }
    return found
  }

  func enumerator(named name: [UInt8]) throws(TypeError) -> Int64? {
    for enumeration in enumerations {
      var value: Int64?
      try image.forEachChild(of: enumeration) { (tag, entry) throws(TypeError) in
        guard tag == DW_TAG_enumerator, try image.hasName(name, entry) else { return true }
        value = try image.signed(DW_AT_const_value, of: entry)?.value
        return value == nil
      }
      if let value { return value }
    }
    return nil
  }
}
