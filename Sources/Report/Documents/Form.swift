// SPDX-License-Identifier: Apache-2.0

/// The form of a value in a document: what the JSON Schema and the reference page are made of.
indirect enum Form: Hashable, Sendable {
  /// Any value.
  case any
  case flag
  case integer(minimum: Int?, maximum: Int?)
  /// Text that need not follow a pattern.
  case text(isEmptyAllowed: Bool)
  /// Any text that is neither empty nor this one.
  case textExcept(String)
  /// Text of a kind that has a name and a pattern.
  case pattern(TextKind)
  case choice([Choice])
  case constant(String)
  /// One of a few numbers.
  case numbers([Int])
  case nullable(Form)
  case array(Form, items: ClosedRange<Int>?)
  /// A row, by its name in the catalogue.
  case row(String)
  /// An object whose keys are only known when the value is.
  case map(String)
  case either([Form])

  struct Choice: Hashable, Sendable {
    var word: String
    /// Empty where the word says it all.
    var meaning: String
  }
}

/// A kind of text with a form of its own.
enum TextKind: String, CaseIterable, Sendable {
  case hex
  case page
  case sourceID
  case deviceName
  case newWord
  case buildID
  case pciID
  case ruleID

  var meaning: String {
    switch self {
    case .hex: "An address, a length, a table word or a register value: lower case, no padding."
    case .page: "A page-aligned address without mode bits."
    case .sourceID: "A PCI function, ssss:bb:dd.f in lower-case hexadecimal."
    case .deviceName: "A PCI function, or the Linux name of anything else."
    case .newWord:
      "A word of the new tables; with a plus sign a pointer into new memory: the word minus the"
        + " base of the policy's memory, attribute bits included."
    case .buildID: "A GNU build id in hexadecimal digits."
    case .pciID: "PCI vendor and device id."
    case .ruleID: "The stable id of a rule, such as device.context-missing."
    }
  }

  /// A regular expression; `nil` where any text will do.
  var pattern: String? {
    switch self {
    case .hex: "^0x(0|[1-9a-f][0-9a-f]{0,15})$"
    case .page: "^0x(0|[1-9a-f][0-9a-f]{0,12}000)$"
    case .sourceID: #"^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$"#
    case .deviceName: nil
    case .newWord: #"^\+?0x(0|[1-9a-f][0-9a-f]{0,15})$"#
    case .buildID: "^([0-9a-f]{2})+$"
    case .pciID: "^[0-9a-f]{4}:[0-9a-f]{4}$"
    case .ruleID: #"^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$"#
    }
  }
}

/// What a field says about its values beyond their type; goes through `Optional` and `Array` to the
/// innermost value.
struct FormRefinement {
  enum Leaf {
    case plain
    /// A number of things: 0 or more.
    case count
    case range(ClosedRange<Int>)
    case numbers([Int])
    case kind(TextKind)
    case notEmpty
    case except(String)
    case words([(word: String, meaning: String)])
  }

  var leaf: Leaf
  /// How many items an array has.
  var items: ClosedRange<Int>?

  init(_ leaf: Leaf, items: ClosedRange<Int>? = nil) {
    self.leaf = leaf
    self.items = items
  }

  static let plain = FormRefinement(.plain)
  static let count = FormRefinement(.count)
  static let notEmpty = FormRefinement(.notEmpty)
  static let page = FormRefinement(.kind(.page))
  static let pasid = FormRefinement(.range(0...0xf_ffff))

  static func kind(_ kind: TextKind) -> Self { Self(.kind(kind)) }
  static func except(_ text: String) -> Self { Self(.except(text)) }
  static func range(_ range: ClosedRange<Int>) -> Self { Self(.range(range)) }
  static func numbers(_ numbers: Int...) -> Self { Self(.numbers(numbers)) }

  /// Words that the type does not list.
  static func words(_ words: KeyValuePairs<String, String>) -> Self {
    Self(.words(words.map { ($0.key, $0.value) }))
  }
}

/// The rows of one document, each entered once, in the order in which they are met.
final class FormCatalogue {
  private(set) var rows: [RowOutline] = []
  private var names: Set<String> = []

  struct RowOutline: Sendable {
    var name: String
    var meaning: String
    var fields: [FieldOutline]
    /// Whether lists of the row grow with memory.
    var isLong = false
  }

  init() {}

  func row(
    _ name: String, meaning: String, isLong: Bool, fields: () -> [FieldOutline]
  ) -> Form {
    if names.insert(name).inserted {
      let place = rows.count
      rows.append(RowOutline(name: name, meaning: meaning, fields: [], isLong: isLong))
      rows[place].fields = fields()
    }
    return .row(name)
  }
}

struct FieldOutline: Sendable {
  var name: String
  var meaning: String
  var form: Form
  /// The version that brought the field into a form that older versions wrote without it.
  var since: String?
}
