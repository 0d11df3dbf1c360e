// SPDX-License-Identifier: Apache-2.0

public import Memory

extension SyntheticKernel {
  /// The variable `vmcoreinfo_note`: a pointer to the note, or the note itself.
  public enum OwnNote: Hashable, Sendable, CaseIterable {
    /// Since Linux v4.13.
    case pointer
    case array
  }

  /// Room for the kernel's own copy of its VMCOREINFO, with the symbol that leads to it.
  ///
  /// - Returns: where the note goes, by `writeOwnNote`.
  public func makeOwnNote(_ form: OwnNote = .pointer) -> KernelAddress {
    let note = allocatePage()
    switch form {
    case .pointer: variable("vmcoreinfo_note", note.rawValue)
    case .array: symbol("vmcoreinfo_note", note)
    }
    return note
  }

  /// Writes the copy as `update_vmcoreinfo_note` does.
  ///
  /// - Parameter lines: those of VMCOREINFO, where no others are given.
  public func writeOwnNote(_ lines: [String]? = nil, at place: KernelAddress) {
    let text = Array((lines ?? notes).map { $0 + "\n" }.joined().utf8)
    precondition(text.count + 24 < Page.size, "a note is no longer than its page")
    write(UInt32(11), at: place)
    write(UInt32(text.count), at: KernelAddress(place.rawValue + 4))
    write(Array("VMCOREINFO\0\0".utf8), at: KernelAddress(place.rawValue + 12))
    write(text, at: KernelAddress(place.rawValue + 24))
  }
}
