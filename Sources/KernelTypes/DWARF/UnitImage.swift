// SPDX-License-Identifier: Apache-2.0

import CElfutils
internal import ELF
internal import Files
import Glibc

/// One unit of a kernel's DWARF as libdw sees it: an ELF image in memory that has no other unit.
///
/// The image is a page of headers made here and, behind it, the pages of the original file that
/// hold the unit, the abbreviations and the strings, mapped and not copied. It has no relocation
/// sections. Entries are named by their offset in the unit, header included, which is their offset
/// in the image's `.debug_info`.
///
/// All C pointers stay inside this file.
@safe final class UnitImage {
  let unit: CompileUnit
  private let path: String
  private let image: MappedImage
  /// Where the unit starts in the image.
  private let start: Int
  private let elf: OpaquePointer
  private let dwarf: OpaquePointer

  /// A name longer than this is damage; the kernel's own limit is 512 (`KSYM_NAME_LEN`).
  private static let nameLimit = 1024

  init(_ unit: CompileUnit, of sections: DWARFSections) throws(TypeError) {
    var info = sections.info
    guard unit.offset >= 0, unit.end <= info.byteCount else {
      throw TypeError("\(info.file.path): DWARF unit at \(unit.offset) is outside its section")
    }
    info.range = info.range.lowerBound + unit.offset..<info.range.lowerBound + unit.end
    let parts = [info, sections.abbreviations] + sections.strings
    let plan = ELFSectionImage(parts.map { .init(name: $0.name, range: $0.range) })
    let image = try typed { () throws(FileError) in
      try MappedImage(
        head: plan.head,
        parts: zip(parts, plan.places).map { part, place in
          MappedImage.Part(
            file: part.file, imageOffset: place.image, fileOffset: place.file,
            byteCount: place.byteCount)
        },
        byteCount: plan.byteCount, name: info.file.path)
    }
    elf_version(UInt32(EV_CURRENT))
    // The image stays mapped until after elf_end.
    guard
      let elf = unsafe elf_memory(image.base.assumingMemoryBound(to: CChar.self), image.byteCount)
    else {
      throw TypeError("\(info.file.path): \(FileHeaders.libelfError())")
    }
    guard let dwarf = unsafe dwarf_begin_elf(elf, DWARF_C_READ, nil) else {
      unsafe _ = elf_end(elf)
      throw TypeError("\(info.file.path): DWARF unit at \(unit.offset): \(Self.libdwError())")
    }
    self.unit = unit
    path = info.file.path
    self.image = image
    start = plan.places[0].image + info.range.lowerBound - plan.places[0].file
    unsafe self.elf = elf
    unsafe self.dwarf = dwarf
  }

  deinit {
    // In the reverse order of their making, once; the image goes last.
    unsafe _ = dwarf_end(dwarf)
    unsafe _ = elf_end(elf)
  }

  /// Gives back the pages that reading names has touched; they are mapped again when needed.
  ///
  /// An index reads a name here and there in all strings, which the image would then keep resident.
  func relax() { image.relax() }

  // MARK: Entries

  /// The unit's own entry.
  var root: UInt64 { UInt64(unit.headerByteCount) }

  /// The entry at `offset`.
  private func entry(_ offset: UInt64) throws(TypeError) -> Dwarf_Die {
    var entry = unsafe Dwarf_Die()
    // Valid handle and place; libdw refuses offsets outside the unit.
    guard offset < UInt64(unit.byteCount), unsafe dwarf_offdie(dwarf, offset, &entry) != nil else {
      throw failure(offset, "no entry")
    }
    return unsafe entry
  }

  private func failure(_ offset: UInt64, _ what: String) -> TypeError {
    TypeError(
      "\(path): DWARF entry at \(UInt64(unit.offset) &+ offset): \(what): \(Self.libdwError())")
  }

  private static func libdwError() -> String {
    // Constant strings; -1 asks for the last error of this thread.
    unsafe dwarf_errmsg(-1).map { unsafe String(cString: $0) } ?? "unknown error"
  }

  func tag(_ offset: UInt64) throws(TypeError) -> Int {
    var entry = unsafe try entry(offset)
    // Valid entry, as in all calls below.
    return Int(unsafe dwarf_tag(&entry))
  }

  /// Calls `body` for each child with its tag until it returns `false`.
  func forEachChild(
    of offset: UInt64, _ body: (_ tag: Int, _ offset: UInt64) throws(TypeError) -> Bool
  ) throws(TypeError) {
    var parent = unsafe try entry(offset)
    var child = unsafe Dwarf_Die()
    var last = offset
    var status = unsafe dwarf_child(&parent, &child)
    while status == 0 {
      let place = unsafe dwarf_dieoffset(&child)
      // Children that do not move on would never end.
      guard place > last else { throw failure(offset, "children go back to \(place)") }
      last = place
      guard try body(Int(unsafe dwarf_tag(&child)), place) else { return }
      var next = unsafe Dwarf_Die()
      status = unsafe dwarf_siblingof(&child, &next)
      unsafe child = next
    }
    guard status > 0 else { throw failure(offset, "children cannot be read") }
  }

  // MARK: Attributes

  /// Calls `body` with the attribute, or returns `nil` where the entry does not have it.
  private func with<Result>(
    _ attribute: Int, of offset: UInt64,
    _ body: (inout Dwarf_Attribute) throws(TypeError) -> Result?
  ) throws(TypeError) -> Result? {
    var entry = unsafe try entry(offset)
    var value = unsafe Dwarf_Attribute()
    guard unsafe dwarf_attr(&entry, UInt32(attribute), &value) != nil else { return nil }
    return unsafe try body(&value)
  }

  func flag(_ attribute: Int, of offset: UInt64) throws(TypeError) -> Bool {
    // The closure uses the attribute only while it is called.
    unsafe try with(attribute, of: offset) { (value) throws(TypeError) in
      var result = false
      return unsafe dwarf_formflag(&value, &result) == 0 && result
    } ?? false
  }

  /// A number that is a constant; `nil` for none and for an expression.
  func unsigned(_ attribute: Int, of offset: UInt64) throws(TypeError) -> UInt64? {
    // The closure uses the attribute only while it is called.
    unsafe try with(attribute, of: offset) { (value) throws(TypeError) in
      var result: UInt64 = 0
      return unsafe dwarf_formudata(&value, &result) == 0 ? result : nil
    }
  }

  /// A constant that may be negative; `isSigned` tells whether its form says so.
  func signed(
    _ attribute: Int, of offset: UInt64
  ) throws(TypeError) -> (value: Int64, isSigned: Bool)? {
    // The closure uses the attribute only while it is called.
    unsafe try with(attribute, of: offset) { (value) throws(TypeError) in
      let form = Int(unsafe dwarf_whatform(&value))
      let isSigned = form == DW_FORM_sdata || form == DW_FORM_implicit_const
      var result: Int64 = 0
      if isSigned {
        return unsafe dwarf_formsdata(&value, &result) == 0 ? (result, true) : nil
      }
      var bits: UInt64 = 0
      return unsafe dwarf_formudata(&value, &bits) == 0 ? (Int64(bitPattern: bits), false) : nil
    }
  }

  /// A member's place in bytes, given as a constant or as the one-step expression of DWARF 2.
  func location(_ attribute: Int, of offset: UInt64) throws(TypeError) -> UInt64? {
    // The closure uses the attribute only while it is called.
    unsafe try with(attribute, of: offset) { (value) throws(TypeError) in
      var result: UInt64 = 0
      if unsafe dwarf_formudata(&value, &result) == 0 { return result }
      var operations: UnsafeMutablePointer<Dwarf_Op>?
      var count = 0
      // libdw owns the operations, `count` of them, as long as its handle.
      guard unsafe dwarf_getlocation(&value, &operations, &count) == 0, count == 1,
        let operation = unsafe operations?.pointee,
        Int(operation.atom) == DW_OP_plus_uconst
      else { throw failure(offset, "a member's place is not a constant") }
      return operation.number
    }
  }

  /// What kind of reference an attribute is.
  enum Reference {
    /// An entry of this unit.
    case local(UInt64)
    /// An entry anywhere, by its offset in the kernel's `.debug_info`.
    case global(UInt64)
    /// The type of the type unit with this signature.
    case signature(UInt64)
  }

  func reference(_ attribute: Int, of offset: UInt64) throws(TypeError) -> Reference? {
    // The closure uses the attribute only while it is called.
    unsafe try with(attribute, of: offset) { (value) throws(TypeError) in
      // What leads out of the unit is not in the image, so that libdw must not follow it. Read as
      // plain data of the same size, its bounds are checked like any other's.
      let form = Int(unsafe dwarf_whatform(&value))
      switch form {
      case DW_FORM_ref_addr, DW_FORM_ref_sig8:
        let isWide = unit.offsetByteCount == 8 || form == DW_FORM_ref_sig8
        unsafe value.form = UInt32(isWide ? DW_FORM_data8 : DW_FORM_data4)
        var result: UInt64 = 0
        guard unsafe dwarf_formudata(&value, &result) == 0 else {
          throw failure(offset, "reference")
        }
        return form == DW_FORM_ref_sig8 ? .signature(result) : .global(result)
      case DW_FORM_GNU_ref_alt, DW_FORM_ref_sup4, DW_FORM_ref_sup8:
        throw TypeError("\(path) keeps types in a supplementary file (dwz -m), which is not read")
      default:
        var target = unsafe Dwarf_Die()
        guard unsafe dwarf_formref_die(&value, &target) != nil else {
          throw failure(offset, "reference")
        }
        return unsafe .local(dwarf_dieoffset(&target))
      }
    }
  }

  // MARK: Names

  /// Whether the unit may have an entry that defines a type or enumerator by a name, which
  /// `patterns` find.
  ///
  /// Most units that mention a structure only declare it or use its name for something else. Names
  /// come first in entries, right after an abbreviation code of up to three bytes, so that an entry
  /// can be read from its name backwards. Only where every mention reads as something else the
  /// answer is no.
  func mayDefine(_ patterns: [BytePattern]) -> Bool {
    guard !patterns.isEmpty else { return true }
    // The unit's bytes are in the image from `start` on.
    let bytes = unsafe UnsafeRawBufferPointer(start: image.base + start, count: unit.byteCount)
    for pattern in patterns {
      var place = unit.headerByteCount
      while let hit = unsafe pattern.first(in: bytes, from: place) {
        if mayDefine(at: hit) { return true }
        place = hit + 1
      }
    }
    return false
  }

  private func mayDefine(at place: Int) -> Bool {
    var isSomething = false
    for codeByteCount in 1...3 where place - codeByteCount >= unit.headerByteCount {
      guard var entry = unsafe try? entry(UInt64(place - codeByteCount)) else { continue }
      var name = unsafe Dwarf_Attribute()
      // Valid entry and places; the attribute's bytes are in the image, compared as an address.
      guard unsafe dwarf_attr(&entry, UInt32(DW_AT_name), &name) != nil,
        unsafe UnsafeRawPointer(name.valp) == UnsafeRawPointer(image.base) + start + place
      else { continue }
      isSomething = true
      switch Int(unsafe dwarf_tag(&entry)) {
      case DW_TAG_typedef, DW_TAG_enumerator: return true
      case DW_TAG_structure_type, DW_TAG_union_type, DW_TAG_class_type:
        if unsafe dwarf_hasattr(&entry, UInt32(DW_AT_declaration)) == 0 { return true }
      default: break
      }
    }
    return !isSomething
  }

  /// The entry's own name; `nil` for none and for the empty one.
  func name(_ offset: UInt64) throws(TypeError) -> String? {
    try withName(offset) { (name) throws(TypeError) in
      guard name.count <= Self.nameLimit else {
        throw failure(offset, "a name longer than \(Self.nameLimit) bytes")
      }
      return String(decoding: name, as: UTF8.self)
    }
  }

  func hasName(_ name: [UInt8], _ offset: UInt64) throws(TypeError) -> Bool {
    try withName(offset) { (own) throws(TypeError) in own.elementsEqual(name) } ?? false
  }

  /// Calls `body` for each structure, union, typedef and enumeration of the unit with the hash of its
  /// name, `nil` without one.
  ///
  /// A kernel's unit has thousands, so this looks at each entry once.
  func forEachType(
    _ body: (_ tag: Int, _ offset: UInt64, _ hash: UInt32?) -> Void
  ) throws(TypeError) {
    var entry = unsafe try self.entry(root)
    var child = unsafe Dwarf_Die()
    var last = root
    var status = unsafe dwarf_child(&entry, &child)
    while status == 0 {
      let place = unsafe dwarf_dieoffset(&child)
      guard place > last else { throw failure(root, "children go back to \(place)") }
      last = place
      let tag = Int(unsafe dwarf_tag(&child))
      switch tag {
      case DW_TAG_structure_type, DW_TAG_union_type, DW_TAG_class_type, DW_TAG_typedef,
        DW_TAG_enumeration_type:
        var hash: UInt32?
        // A string that ends inside its section, or none.
        if let name = unsafe dwarf_diename(&child), unsafe name.pointee != 0 {
          let bytes = unsafe UnsafeRawBufferPointer(start: name, count: strnlen(name, 48))
          hash = unsafe Self.hash(bytes)
        }
        body(tag, place, hash)
      default: break
      }
      var next = unsafe Dwarf_Die()
      status = unsafe dwarf_siblingof(&child, &next)
      unsafe child = next
    }
    guard status > 0 else { throw failure(root, "types cannot be read") }
  }

  /// A hash of the first bytes of a name (FNV-1a).
  static func hash(_ name: some Sequence<UInt8>) -> UInt32 {
    var hash: UInt32 = 0x811c_9dc5
    for byte in name.prefix(48) { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
    return hash
  }

  private func withName<Result>(
    _ offset: UInt64, _ body: ([UInt8]) throws(TypeError) -> Result
  ) throws(TypeError) -> Result? {
    // The closure uses the attribute only while it is called.
    unsafe try with(DW_AT_name, of: offset) { (value) throws(TypeError) in
      // libdw returns strings that end inside their section, or none.
      guard let string = unsafe dwarf_formstring(&value), unsafe string.pointee != 0 else {
        return nil
      }
      let count = min(unsafe strlen(string), Self.nameLimit + 1)
      let bytes = unsafe UnsafeRawBufferPointer(start: string, count: count)
      return try body(unsafe [UInt8](bytes))
    }
  }
}
