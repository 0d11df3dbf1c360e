// SPDX-License-Identifier: Apache-2.0

import DumpFile
import DumpFixtures
import Memory
import MemoryFixtures

/// What a reader finds out about one frame.
enum Observation: Hashable, CustomStringConvertible {
  case bytes([UInt8])
  case absent(Absence, at: PhysicalAddress)

  var description: String {
    switch self {
    case .bytes(let bytes):
      "page \(bytes.prefix(4)) … \(bytes.reduce(into: UInt64(0)) { $0 = $0 &* 31 &+ UInt64($1) })"
    case .absent(let absence, let address): "\(address) \(absence)"
    }
  }

  /// The reason of the absence, or `nil` for a page.
  var absence: Absence? {
    if case .absent(let absence, _) = self { absence } else { nil }
  }

  init(_ memory: any PhysicalMemory, _ frame: UInt64) {
    do {
      let page = try memory.page(frame)
      self = .bytes(page.withBytes { span in (try? span.copy(at: 0, count: Page.size)) ?? [] })
    } catch {
      self = .absent(error.absence, at: error.address)
    }
  }
}

extension PhysicalMemory {
  /// Every frame of a memory and some around it, up to a limit that tests can bear.
  func observe(_ frames: some Sequence<UInt64>) -> [UInt64: Observation] {
    Dictionary(frames.map { ($0, Observation(self, $0)) }) { first, _ in first }
  }
}

extension DumpFile {
  /// Opens one dump in memory.
  static func open(_ bytes: [UInt8]) throws(DumpError) -> DumpFile {
    try open(contents: [(name: "dump", bytes: bytes)])
  }
}

extension MemoryImage {
  /// All its frames and some that it has not.
  var frameSample: [UInt64] {
    Array(0..<frameLimit + 9) + [1 << 20, 1 << 40, (1 << 52) - 1, 1 << 52, .max >> 12, .max]
  }
}

/// What a frame of an image should look like in a dump.
func expectation(
  _ image: MemoryImage, _ frame: UInt64, excludedAs excluded: Absence = .excluded
) -> Observation {
  let address = PhysicalAddress((frame & (UInt64.max >> 12)) << 12)
  guard image.memory.contains(where: { $0.contains(frame) }) else {
    return .absent(.notInDump, at: address)
  }
  return image.excluded.contains(frame)
    ? .absent(excluded, at: address) : .bytes(image.bytes(frame))
}

/// A page whose every byte is `byte`.
func page(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 4096) }
