// SPDX-License-Identifier: Apache-2.0

import Memory
import RemappingState

extension TranslationEnding: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch self {
    case .mapped(let physical, let pageSize, let access):
      "mapped to \(physical) by a page of \(pageSize.hexadecimal) bytes, \(access)"
    case .notPresent(let stage, let level): "\(stage) entry at level \(level) is not present"
    case .noAccess(let stage, let level):
      "\(stage) page at level \(level) is left with no right along its path"
    case .reserved(let stage, let level, let bits):
      "\(stage) entry at level \(level) has reserved bits \(EntryMask([bits])) set"
    case .unreadable(let stage, let level, let error):
      "\(stage) table at level \(level) cannot be read: \(error)"
    case .cycle(let stage, let level): "\(stage) table at level \(level) lies on its own path"
    case .notCanonical: "address is not canonical"
    case .beyondWidth(let stage, let width):
      "address has more than the \(width) bits that the \(stage) tables translate"
    case .beyondUnit(let width):
      "address has more than the \(width) bits that the unit translates (MGAW)"
    case .supervisorPage(let level):
      "first-stage entry at level \(level) is closed to requests with user privilege (US is 0)"
    case .interruptTarget(let address):
      "the tables lead to \(address), in the interrupt address range, where no request may go"
    case .unsupportedLevels(let stage, let levels):
      "\(stage) tables of \(levels) levels do not exist"
    }
  }
}

extension PagingObstacle.Kind: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch self {
    case .unreadable(let error): "table cannot be read: \(error)"
    case .assumedZero: "table is a hole of the dump and was taken for zeros"
    case .cycle: "table lies on its own path and was not entered"
    case .alias(let level): "table was met before as a table of level \(level)"
    case .reservedBits(let bits): "reserved bits \(EntryMask([bits])) are set"
    case .misalignedSuperpage(let bits):
      "large page is not aligned to its size, address bits \(EntryMask([bits])) are set"
    case .beyondHostAddressWidth(let bits):
      "address bits \(EntryMask([bits])) are beyond the host address width"
    case .secondStage(let ending, let guest):
      "guest-physical address \(guest.hexadecimal): \(ending)"
    case .budgetExhausted(let part): "the walk was cut, its budget of \(part) is spent"
    case .unsupportedLevels(let levels): "tables of \(levels) levels do not exist"
    }
  }
}

extension ContextObstacle.Kind: CustomStringConvertible {
  /// Half a sentence, lower case, no full stop.
  public var description: String {
    switch self {
    case .unreadable(let error): "cannot be read: \(error)"
    case .assumedZero: "is a hole of the dump and was taken for zeros"
    case .reservedBits(let mask): "has reserved bits \(mask) set"
    case .violations(let violations):
      violations.map(\.description).joined(separator: "; ")
    case .shared(let bus): "is used for bus 0x\(String(bus, radix: 16)) as well"
    case .budgetExhausted(let part): "the reading was cut, its budget of \(part.rawValue) is spent"
    }
  }
}
