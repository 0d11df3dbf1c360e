// SPDX-License-Identifier: Apache-2.0

/// Encodes a value as JSON text straight into a sink, without building a tree.
///
/// Keys come in the order in which a type encodes them, which is declaration order where the
/// compiler wrote the code; `nil` becomes `null`, so no key is ever missing. The same value gives
/// the same bytes.
///
/// Values are written while they are visited. A type must therefore finish one nested container
/// before it goes on with the one around it, as all compiler-made code does; its coding path is not
/// tracked.
public struct JSONTextEncoder {
  public init() {}

  /// Writes `value` as one document that ends with a line feed.
  ///
  /// - Throws: `OutputError` of the sink; `EncodingError` for a number that JSON cannot hold.
  public func encode(_ value: some Encodable, to sink: any ByteSink) throws {
    let stream = JSONStream(sink)
    try stream.encode(value, depth: 0)
    try stream.writer.finish()
  }
}

/// The writer that all containers of one document share.
private final class JSONStream {
  var writer: JSONTextWriter
  /// Items begun so far; tells whether a value has encoded anything.
  private var items = 0

  init(_ sink: any ByteSink) {
    writer = JSONTextWriter(TextBuffer(sink))
  }

  func open(_ bracket: JSONTextWriter.Bracket) throws(OutputError) -> Int {
    items += 1
    try writer.open(bracket)
    return writer.depth
  }

  func literal(_ text: String) throws(OutputError) {
    items += 1
    try writer.literal(text)
  }

  func string(_ text: String) throws(OutputError) {
    items += 1
    try writer.string(text)
  }

  /// Closes the containers that were opened inside the one at `depth`.
  func unwind(to depth: Int) throws(OutputError) {
    while writer.depth > depth { try writer.close() }
  }

  /// Encodes a value inside the container at `depth`.
  func encode(_ value: some Encodable, depth: Int) throws {
    let before = items
    try value.encode(to: JSONStreamEncoder(stream: self, depth: depth))
    if items == before { _ = try open(.object) }
    try unwind(to: depth)
  }

  func number(_ value: some BinaryFloatingPoint & CustomStringConvertible) throws {
    guard value.isFinite else {
      throw EncodingError.invalidValue(
        value, EncodingError.Context(codingPath: [], debugDescription: "JSON has no \(value)"))
    }
    try literal(value.description)
  }
}

private struct JSONStreamEncoder: Encoder {
  let stream: JSONStream
  /// Containers that were open when the value's turn came.
  let depth: Int

  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(JSONKeyedContainer<Key>(stream: stream, opening: .object))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    JSONUnkeyedContainer(stream: stream, opening: .array)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    JSONSingleValueContainer(stream: stream, depth: depth)
  }
}

/// A container that was asked for.
///
/// The protocols let no container function throw, so an error of opening is kept until the first
/// item.
private struct OpenContainer {
  let stream: JSONStream
  let depth: Int
  private let failure: OutputError?

  init(_ stream: JSONStream, _ bracket: JSONTextWriter.Bracket) {
    self.stream = stream
    do {
      depth = try stream.open(bracket)
      failure = nil
    } catch {
      depth = stream.writer.depth
      failure = error
    }
  }

  func begin() throws(OutputError) {
    if let failure { throw failure }
    try stream.unwind(to: depth)
  }

  func begin(_ key: String) throws(OutputError) {
    try begin()
    try stream.writer.key(key)
  }
}

private struct JSONKeyedContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let open: OpenContainer
  private var stream: JSONStream { open.stream }
  var codingPath: [any CodingKey] { [] }

  init(stream: JSONStream, opening bracket: JSONTextWriter.Bracket) {
    open = OpenContainer(stream, bracket)
  }

  func encodeNil(forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal("null")
  }

  func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.encode(value, depth: open.depth)
  }

  func encode(_ value: Bool, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(value ? "true" : "false")
  }

  func encode(_ value: String, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.string(value)
  }

  func encode(_ value: Double, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.number(value)
  }

  func encode(_ value: Float, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.number(value)
  }

  func encode(_ value: Int, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: Int8, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: Int16, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: Int32, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: Int64, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: UInt, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: UInt8, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: UInt16, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: UInt32, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  func encode(_ value: UInt64, forKey key: Key) throws {
    try open.begin(key.stringValue)
    try stream.literal(String(value))
  }

  // The standard library's defaults leave a `nil` out; here every key is written.
  private func encodeOptional<T: Encodable>(_ value: T?, _ key: Key) throws {
    if let value { try encode(value, forKey: key) } else { try encodeNil(forKey: key) }
  }

  func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
    try encodeOptional(value, key)
  }
  func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOptional(value, key) }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type, forKey key: Key
  ) -> KeyedEncodingContainer<NestedKey> {
    // An error of the sink comes back with the next item.
    try? open.begin(key.stringValue)
    return KeyedEncodingContainer(JSONKeyedContainer<NestedKey>(stream: stream, opening: .object))
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    try? open.begin(key.stringValue)
    return JSONUnkeyedContainer(stream: stream, opening: .array)
  }

  func superEncoder() -> any Encoder {
    try? open.begin("super")
    return JSONStreamEncoder(stream: stream, depth: open.depth)
  }

  func superEncoder(forKey key: Key) -> any Encoder {
    try? open.begin(key.stringValue)
    return JSONStreamEncoder(stream: stream, depth: open.depth)
  }
}

private struct JSONUnkeyedContainer: UnkeyedEncodingContainer {
  let open: OpenContainer
  private(set) var count = 0
  private var stream: JSONStream { open.stream }
  var codingPath: [any CodingKey] { [] }

  init(stream: JSONStream, opening bracket: JSONTextWriter.Bracket) {
    open = OpenContainer(stream, bracket)
  }

  private mutating func begin() throws {
    try open.begin()
    count += 1
  }

  mutating func encodeNil() throws {
    try begin()
    try stream.literal("null")
  }

  mutating func encode<T: Encodable>(_ value: T) throws {
    try begin()
    try stream.encode(value, depth: open.depth)
  }

  mutating func encode(_ value: Bool) throws {
    try begin()
    try stream.literal(value ? "true" : "false")
  }

  mutating func encode(_ value: String) throws {
    try begin()
    try stream.string(value)
  }

  mutating func encode(_ value: Double) throws {
    try begin()
    try stream.number(value)
  }

  mutating func encode(_ value: Float) throws {
    try begin()
    try stream.number(value)
  }

  mutating func encode(_ value: Int) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: Int8) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: Int16) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: Int32) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: Int64) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: UInt) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: UInt8) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: UInt16) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: UInt32) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func encode(_ value: UInt64) throws {
    try begin()
    try stream.literal(String(value))
  }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type
  ) -> KeyedEncodingContainer<NestedKey> {
    try? begin()
    return KeyedEncodingContainer(JSONKeyedContainer<NestedKey>(stream: stream, opening: .object))
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    try? begin()
    return JSONUnkeyedContainer(stream: stream, opening: .array)
  }

  mutating func superEncoder() -> any Encoder {
    try? begin()
    return JSONStreamEncoder(stream: stream, depth: open.depth)
  }
}

private struct JSONSingleValueContainer: SingleValueEncodingContainer {
  let stream: JSONStream
  let depth: Int
  var codingPath: [any CodingKey] { [] }

  func encodeNil() throws { try stream.literal("null") }
  func encode<T: Encodable>(_ value: T) throws { try stream.encode(value, depth: depth) }
  func encode(_ value: Bool) throws { try stream.literal(value ? "true" : "false") }
  func encode(_ value: String) throws { try stream.string(value) }
  func encode(_ value: Double) throws { try stream.number(value) }
  func encode(_ value: Float) throws { try stream.number(value) }
  func encode(_ value: Int) throws { try stream.literal(String(value)) }
  func encode(_ value: Int8) throws { try stream.literal(String(value)) }
  func encode(_ value: Int16) throws { try stream.literal(String(value)) }
  func encode(_ value: Int32) throws { try stream.literal(String(value)) }
  func encode(_ value: Int64) throws { try stream.literal(String(value)) }
  func encode(_ value: UInt) throws { try stream.literal(String(value)) }
  func encode(_ value: UInt8) throws { try stream.literal(String(value)) }
  func encode(_ value: UInt16) throws { try stream.literal(String(value)) }
  func encode(_ value: UInt32) throws { try stream.literal(String(value)) }
  func encode(_ value: UInt64) throws { try stream.literal(String(value)) }
}
