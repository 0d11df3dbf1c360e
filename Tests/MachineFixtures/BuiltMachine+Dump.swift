// SPDX-License-Identifier: Apache-2.0

public import DumpFixtures
import KernelFixtures
import Memory
import MemoryFixtures

/// The machine as a file that any tool for dumps opens.
extension BuiltMachine {
  /// Memory ends at 512 MiB.
  private static let frames: Range<UInt64> = 0x1..<0x2_0000

  private var note: [UInt8] {
    Array((kernel.kernel.notes.joined(separator: "\n") + "\n").utf8)
  }

  /// An ELF core with the pages that were written; the rest of memory has no bytes in the file.
  public func elf() -> [UInt8] {
    var builder = ELFDumpBuilder()
    builder.notes = [FixtureNote("VMCOREINFO", note)]
    let memory = kernel.kernel.memory
    var next = Self.frames.lowerBound
    for run in memory.storedFrames {
      if next < run.lowerBound { builder.segments.append(Self.gap(next..<run.lowerBound)) }
      builder.segments.append(
        .init(
          run.lowerBound << 12,
          memory.read(at: PhysicalAddress(run.lowerBound << 12), count: run.count << 12)))
      next = run.upperBound
    }
    if next < Self.frames.upperBound {
      builder.segments.append(Self.gap(next..<Self.frames.upperBound))
    }
    return builder.build()
  }

  private static func gap(_ frames: Range<UInt64>) -> ELFDumpBuilder.Segment {
    .init(frames.lowerBound << 12, [], memorySize: UInt64(frames.count) << 12)
  }

  /// A kdump-compressed dump of the same pages.
  public func kdump(_ codec: Compressor = .zlib) -> [UInt8] {
    let memory = kernel.kernel.memory
    var image = MemoryImage(memory: [Self.frames])
    for frame in memory.frames {
      image.pages[frame] = memory.read(at: PhysicalAddress(frame << 12), count: Page.size)
    }
    image.excluded = Set(Self.frames).subtracting(image.pages.keys)
    var builder = KdumpBuilder(image, codec: codec)
    builder.vmcoreinfo = note
    builder.notes = [FixtureNote("VMCOREINFO", note)]
    builder.release = plan.release
    return builder.build()
  }
}
