// SPDX-License-Identifier: Apache-2.0

internal import Memory

extension Bool: DocumentValue {
  func write(to writer: JSONWriter) { writer.literal(self ? "true" : "false") }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Bool { try reader.flag() }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form { .flag }
}

/// Numbers of the sizes that documents use.
protocol DocumentInteger: DocumentValue, FixedWidthInteger {
  /// What the type allows, as far as a schema says it.
  static var bounds: (minimum: Int?, maximum: Int?) { get }
}

extension DocumentInteger {
  @inline(__always)
  func write(to writer: JSONWriter) { writer.integer(self) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    try reader.integer(Self.self)
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    switch refinement.leaf {
    case .count: .integer(minimum: 0, maximum: nil)
    case .range(let range): .integer(minimum: range.lowerBound, maximum: range.upperBound)
    case .numbers(let numbers): .numbers(numbers)
    case .plain, .kind, .notEmpty, .except, .words:
      .integer(minimum: bounds.minimum, maximum: bounds.maximum)
    }
  }
}

extension Int: DocumentInteger { static var bounds: (minimum: Int?, maximum: Int?) { (nil, nil) } }
extension Int32: DocumentInteger {
  static var bounds: (minimum: Int?, maximum: Int?) { (Int(Int32.min), Int(Int32.max)) }
}
extension UInt8: DocumentInteger { static var bounds: (minimum: Int?, maximum: Int?) { (0, 255) } }
extension UInt16: DocumentInteger {
  static var bounds: (minimum: Int?, maximum: Int?) { (0, 0xffff) }
}
extension UInt32: DocumentInteger {
  static var bounds: (minimum: Int?, maximum: Int?) { (0, 0xffff_ffff) }
}
extension UInt64: DocumentInteger { static var bounds: (minimum: Int?, maximum: Int?) { (0, nil) } }

extension String: DocumentValue {
  func write(to writer: JSONWriter) { writer.string(self) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> String {
    try reader.string()
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    switch refinement.leaf {
    case .kind(let kind): .pattern(kind)
    case .notEmpty: .text(isEmptyAllowed: false)
    case .except(let text): .textExcept(text)
    case .words(let words):
      .choice(words.map { Form.Choice(word: $0.word, meaning: $0.meaning) })
    case .plain, .count, .range, .numbers: .text(isEmptyAllowed: true)
    }
  }
}

/// A 64-bit value that is written as `"0x…"`.
protocol DocumentWord: DocumentValue, RawRepresentable where RawValue == UInt64 {
  init(rawValue: UInt64)
}

extension DocumentWord {
  @inline(__always)
  func write(to writer: JSONWriter) { writer.hexadecimal(rawValue) }

  @inline(__always)
  static func read(from reader: JSONReader) throws(JSONReadingError) -> Self {
    Self(rawValue: try reader.hexadecimal())
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    if case .kind(let kind) = refinement.leaf { .pattern(kind) } else { .pattern(.hex) }
  }
}

extension HexWord: DocumentWord {}
extension PhysicalAddress: DocumentWord {}
extension IOVirtualAddress: DocumentWord {}
extension KernelAddress: DocumentWord {}

extension PCIFunction: DocumentValue {
  func write(to writer: JSONWriter) { writer.string(description) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> PCIFunction {
    _ = reader.peek()
    let start = reader.position
    let text = try reader.string()
    guard let function = PCIFunction(text) else {
      throw reader.error(
        .wrongValue(
          expected: "a device such as \"0000:03:00.0\"", found: "\"\(text.prefix(40))\""),
        at: start)
    }
    return function
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .pattern(.sourceID)
  }
}

extension DeviceName: DocumentValue {
  func write(to writer: JSONWriter) { writer.string(description) }

  static func read(from reader: JSONReader) throws(JSONReadingError) -> DeviceName {
    DeviceName(try reader.string())
  }

  static func form(_ refinement: FormRefinement, in catalogue: FormCatalogue) -> Form {
    .pattern(.deviceName)
  }
}
