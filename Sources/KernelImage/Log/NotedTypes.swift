// SPDX-License-Identifier: Apache-2.0

internal import KernelTypes
public import Memory

/// The structures of the log's ring as VMCOREINFO notes them, for a kernel of whose types nothing else
/// is known.
///
/// The note tells sizes and offsets; what a member is, is the same in every kernel that notes it. The
/// level of a message is a bit-field, which it does not tell. The records before v5.10 need no types.
///
/// Source: kernel/printk/printk.c, `log_buf_vmcoreinfo_setup`, since Linux v5.10.
final class NotedTypes: TypeSource {
  private let info: VMCoreInfo

  init(_ info: VMCoreInfo) { self.info = info }

  /// Neither DWARF nor BTF.
  var origin: TypeOrigin? { nil }

  func structure(named name: String) throws(TypeError) -> StructLayout? {
    guard let kinds = Self.members[name], let byteCount = number("SIZE(\(name))"),
      (1...4096).contains(byteCount)
    else { return nil }
    var members: [String: Member] = [:]
    for (member, kind) in kinds {
      guard let shape = shape(kind), let size = shape.byteCount,
        let offset = number("OFFSET(\(name).\(member))"), (0..<byteCount).contains(offset),
        size <= byteCount - offset
      else { continue }
      members[member] = Member(offset: offset, shape: shape)
    }
    return StructLayout(name: name, byteCount: byteCount, members: members)
  }

  func structures(named name: String) throws(TypeError) -> [StructLayout] {
    try structure(named: name).map { [$0] } ?? []
  }

  func enumerator(named name: String) throws(TypeError) -> Int64? { nil }

  private func shape(_ kind: Kind) -> TypeShape? {
    switch kind {
    case .word(let byteCount): .integer(byteCount: byteCount, isSigned: false)
    case .pointer: .pointer(to: nil)
    case .structure(let name):
      number("SIZE(\(name))").map { .structure(name: name, byteCount: max(0, $0)) }
    }
  }

  private func number(_ key: String) -> Int? { info.values[key].flatMap { Int($0) } }

  private enum Kind {
    /// An integer without a sign, of so many bytes; an `atomic_long_t` is one of 8.
    case word(Int)
    case pointer
    case structure(String)
  }

  /// Source: kernel/printk/printk_ringbuffer.h.
  private static let members: [String: [String: Kind]] = [
    "printk_ringbuffer": [
      "desc_ring": .structure("prb_desc_ring"), "text_data_ring": .structure("prb_data_ring"),
    ],
    "prb_desc_ring": [
      "count_bits": .word(4), "descs": .pointer, "infos": .pointer, "head_id": .word(8),
    ],
    "prb_desc": ["state_var": .word(8), "text_blk_lpos": .structure("prb_data_blk_lpos")],
    "prb_data_blk_lpos": ["begin": .word(8), "next": .word(8)],
    "printk_info": ["seq": .word(8), "ts_nsec": .word(8), "text_len": .word(2)],
    "prb_data_ring": ["size_bits": .word(4), "data": .pointer],
  ]
}

extension KernelImage {
  /// A kernel of whose structures nothing is known but what VMCOREINFO notes: its log can be read, its
  /// symbols be looked up, and nothing else.
  public convenience init(
    noting info: VMCoreInfo, reader: KernelReader, symbols: SymbolTable, work: WorkBudget
  ) {
    self.init(
      info: info, reader: reader, symbols: symbols, types: NotedTypes(info), work: work)
  }
}
