// SPDX-License-Identifier: Apache-2.0

import Memory
import MemoryFixtures
import RemappingState

@testable import Report

/// Fills rows with random values by what they state about themselves, so that a field that is added
/// later is covered without a word here.
struct RandomFields<Row>: FieldVisitor {
  var row: Row
  var random: SeededGenerator
  let depth: Int

  mutating func field<Value: DocumentValue>(
    _ name: StaticString, _ path: WritableKeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement, since: StaticString?
  ) {
    row[keyPath: path] = randomValue(Value.self, form(), &random, depth)
  }

  mutating func derived<Value: DocumentValue>(
    _ name: StaticString, _ path: KeyPath<Row, Value>, _ meaning: StaticString,
    form: @autoclosure () -> FormRefinement
  ) {}

  mutating func constant(_ name: StaticString, _ text: StaticString, _ meaning: StaticString) {}
}

/// A type that is neither a row nor an enumeration.
protocol RandomLeaf {
  static func random(
    _ refinement: FormRefinement, _ random: inout SeededGenerator, _ depth: Int
  ) -> Self
}

func randomValue<Value: DocumentValue>(
  _ type: Value.Type, _ refinement: FormRefinement, _ random: inout SeededGenerator,
  _ depth: Int = 0
) -> Value {
  func row<Row: DocumentRow>(_ type: Row.Type) -> Any {
    guard let blank = Row.blank else { fatalError("\(type) is only written") }
    var fields = RandomFields(row: blank, random: random, depth: depth + 1)
    Row.describe(&fields)
    random = fields.random
    return fields.row
  }
  func choice<Choice: DocumentChoice>(_ type: Choice.Type) -> Any {
    Choice.allCases.randomElement(using: &random) as Any
  }
  let value: Any =
    if let leaf = type as? any RandomLeaf.Type {
      leaf.random(refinement, &random, depth)
    } else if let kind = type as? any DocumentChoice.Type {
      choice(kind)
    } else if let kind = type as? any DocumentRow.Type {
      row(kind)
    } else {
      fatalError("no random \(type)")
    }
  guard let value = value as? Value else { fatalError("no \(type)") }
  return value
}

extension Optional: RandomLeaf where Wrapped: DocumentValue {
  static func random(
    _ refinement: FormRefinement, _ random: inout SeededGenerator, _ depth: Int
  ) -> Self {
    Int.random(in: 0...3, using: &random) == 0
      ? nil : randomValue(Wrapped.self, refinement, &random, depth)
  }
}

extension Array: RandomLeaf where Element: DocumentValue {
  static func random(
    _ refinement: FormRefinement, _ random: inout SeededGenerator, _ depth: Int
  ) -> Self {
    let most = depth > 1 ? 3 : 5
    let bounds = refinement.items ?? 0...most
    let count = Int.random(
      in: bounds.lowerBound...Swift.min(bounds.upperBound, most + 2), using: &random)
    return (0..<count).map { _ in
      randomValue(Element.self, FormRefinement(refinement.leaf), &random, depth)
    }
  }
}

extension FixedWidthInteger {
  fileprivate static func number(
    _ refinement: FormRefinement, _ random: inout SeededGenerator
  ) -> Self {
    switch refinement.leaf {
    case .range(let range): return Self(clamping: Int.random(in: range, using: &random))
    case .numbers(let numbers): return Self(clamping: numbers.randomElement(using: &random) ?? 0)
    case .count: return Self.random(in: 0...Self.max >> 1, using: &random)
    default:
      let edges: [Self] = [0, 1, .max, .min, .max >> 1]
      return Bool.random(using: &random)
        ? edges.randomElement(using: &random) ?? 0 : Self.random(in: .min ... .max, using: &random)
    }
  }
}

extension Int: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Int {
    number(form, &random)
  }
}
extension UInt32: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int)
    -> UInt32
  {
    number(form, &random)
  }
}
extension UInt64: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int)
    -> UInt64
  {
    number(form, &random)
  }
}

extension Bool: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Bool
  {
    .random(using: &random)
  }
}

extension DocumentWord {
  fileprivate static func word(_ form: FormRefinement, _ random: inout SeededGenerator) -> Self {
    let value =
      UInt64.random(in: 0...UInt64.max, using: &random)
      >> UInt64.random(in: 0...63, using: &random)
    if case .kind(.page) = form.leaf { return Self(rawValue: value & ~0xfff) }
    return Self(rawValue: value)
  }
}

extension HexWord: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    word(form, &random)
  }
}
extension PhysicalAddress: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    word(form, &random)
  }
}
extension IOVirtualAddress: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    word(form, &random)
  }
}
extension KernelAddress: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    word(form, &random)
  }
}

extension PCIFunction: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    PCIFunction(
      segment: Bool.random(using: &random) ? 0 : UInt32.random(in: 0...UInt32.max, using: &random),
      bus: UInt8.random(in: 0...255, using: &random),
      devfn: UInt8.random(in: 0...255, using: &random))
  }
}

extension DeviceName: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    Bool.random(using: &random)
      ? .pci(PCIFunction.random(form, &random, depth))
      : DeviceName(String.random(form, &random, depth))
  }
}

extension Structure: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    let known = ["context table", "struct iova", "second-stage table, level 2, IOVA 0x1000"]
    let text =
      Bool.random(using: &random)
      ? String.random(form, &random, depth) : known.randomElement(using: &random) ?? ""
    // What was read from a text is what the text gives again.
    return Structure(text)
  }
}

extension String: RandomLeaf {
  static func random(_ form: FormRefinement, _ random: inout SeededGenerator, _ depth: Int) -> Self
  {
    switch form.leaf {
    case .words(let words): return words.randomElement(using: &random)?.word ?? ""
    case .kind(.buildID): return "00ffa5"
    case .kind(.pciID): return "8086:10d3"
    case .kind(.ruleID): return "device.context-missing"
    default: break
    }
    let pieces = [
      "a", "plain text", "\"", "\\", "\u{0}", "\u{1b}[31m", "\n", "é", "漢", "🐧", "\u{202e}",
      "\u{2028}", "\u{fffd}", "\u{10ffff}", "</script>", "{", "]", ",", ": ",
    ]
    let count = Int.random(in: 1...6, using: &random)
    return (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
  }
}
