// SPDX-License-Identifier: Apache-2.0

/// The kind of one BTF type.
///
/// Unknown kinds stay representable, so that an error can name them.
///
/// Source: Linux `include/uapi/linux/btf.h`, `enum` of `BTF_KIND_*`.
struct BTFKind: RawRepresentable, Hashable {
  var rawValue: UInt8

  static let integer = Self(rawValue: 1)  // BTF_KIND_INT
  static let pointer = Self(rawValue: 2)  // BTF_KIND_PTR
  static let array = Self(rawValue: 3)  // BTF_KIND_ARRAY
  static let structure = Self(rawValue: 4)  // BTF_KIND_STRUCT
  static let union = Self(rawValue: 5)  // BTF_KIND_UNION
  static let enumeration = Self(rawValue: 6)  // BTF_KIND_ENUM
  static let forward = Self(rawValue: 7)  // BTF_KIND_FWD
  static let typedef = Self(rawValue: 8)  // BTF_KIND_TYPEDEF
  static let volatile = Self(rawValue: 9)  // BTF_KIND_VOLATILE
  static let const = Self(rawValue: 10)  // BTF_KIND_CONST
  static let restrict = Self(rawValue: 11)  // BTF_KIND_RESTRICT
  static let function = Self(rawValue: 12)  // BTF_KIND_FUNC
  static let functionPrototype = Self(rawValue: 13)  // BTF_KIND_FUNC_PROTO
  static let variable = Self(rawValue: 14)  // BTF_KIND_VAR
  static let dataSection = Self(rawValue: 15)  // BTF_KIND_DATASEC
  static let float = Self(rawValue: 16)  // BTF_KIND_FLOAT
  static let declarationTag = Self(rawValue: 17)  // BTF_KIND_DECL_TAG
  static let typeTag = Self(rawValue: 18)  // BTF_KIND_TYPE_TAG
  static let enumeration64 = Self(rawValue: 19)  // BTF_KIND_ENUM64

  /// Bytes that follow the 12-byte `struct btf_type`: some once, some for each of its `vlen`
  /// elements.
  ///
  /// `nil` for a kind that this table does not have.
  var trailer: (once: Int, each: Int)? {
    switch self {
    case .integer, .variable, .declarationTag: (4, 0)
    case .array: (12, 0)
    case .structure, .union, .dataSection, .enumeration64: (0, 12)
    case .enumeration, .functionPrototype: (0, 8)
    case .pointer, .forward, .typedef, .volatile, .const, .restrict, .function, .float, .typeTag:
      (0, 0)
    default: nil
    }
  }
}
