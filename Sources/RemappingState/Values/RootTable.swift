// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A root table whose unit no kernel structure describes: carved out of memory, or given.
public struct RootTable: Hashable, Sendable {
  /// Page-aligned.
  public var address: PhysicalAddress
  public var mode: TableMode
  public var origin: RootOrigin
  /// The registers that the pointer was read from, if it was.
  public var registers: UnitRegisters?

  public init(
    address: PhysicalAddress, mode: TableMode, origin: RootOrigin,
    registers: UnitRegisters? = nil
  ) {
    self.address = address
    self.mode = mode
    self.origin = origin
    self.registers = registers
  }
}
