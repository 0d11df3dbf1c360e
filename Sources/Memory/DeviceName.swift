// SPDX-License-Identifier: Apache-2.0

/// What a report calls a device: a PCI function, or the name Linux gave to anything else.
///
/// PCI functions sort before other devices, by number; the rest sorts by name.
public enum DeviceName: Hashable, Comparable, Sendable, CustomStringConvertible {
  case pci(PCIFunction)
  case other(String)

  public var description: String {
    switch self {
    case .pci(let function): function.description
    case .other(let name): name
    }
  }

  public var function: PCIFunction? {
    if case .pci(let function) = self { function } else { nil }
  }

  /// A PCI function where the text is one, a name otherwise.
  public init(_ text: String) {
    self = PCIFunction(text).map(Self.pci) ?? .other(text)
  }
}
