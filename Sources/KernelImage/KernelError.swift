// SPDX-License-Identifier: Apache-2.0

public import KernelTypes
public import Memory

/// A kernel object that could not be read.
public struct KernelError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The page behind the address is absent.
    case memory(MemoryError)
    /// The kernel's page tables map nothing there; the level whose entry is not present.
    case unmapped(level: Int)
    case nullPointer
    case noSymbol(String)
    case noStructure(String)
    case noMember(structure: String, member: String)
    /// The member exists but is not what the reader expected.
    case shape(structure: String, member: String, expected: String)
    case types(TypeError)
    /// The object contradicts itself.
    case malformed(String)
    /// The run has read all the objects that it may read.
    case budget
  }

  /// Where it was met; `nil` where no address is involved.
  public var address: KernelAddress?
  public var reason: Reason

  public init(at address: KernelAddress? = nil, _ reason: Reason) {
    self.address = address
    self.reason = reason
  }

  public var description: String {
    let place = address.map { " at \($0)" } ?? ""
    return switch reason {
    case .memory(let error): "kernel memory\(place): \(error)"
    case .unmapped(let level):
      "kernel memory\(place) is not mapped, the level \(level) entry is not present"
    case .nullPointer: "null pointer\(place)"
    case .noSymbol(let name): "the kernel has no symbol \(name)"
    case .noStructure(let name): "the kernel has no struct \(name)"
    case .noMember(let structure, let member): "struct \(structure) has no member \(member)"
    case .shape(let structure, let member, let expected):
      "struct \(structure) member \(member) is no \(expected)"
    case .types(let error): "type information: \(error)"
    case .malformed(let what): "\(what)\(place)"
    case .budget: "the run's limit of kernel objects is reached\(place), the rest is not read"
    }
  }

  /// The absence behind the error, where a page is what is missing.
  public var absence: Absence? {
    if case .memory(let error) = reason { error.absence } else { nil }
  }
}
