// SPDX-License-Identifier: Apache-2.0

import Memory
import Testing

@testable import Assembly
@testable import RemappingState

struct RegionCoverageTests {
  struct Case: CustomTestStringConvertible {
    var testDescription: String
    var runs: [Run]
    var region: ClosedRange<UInt64>
    var expected: ReservedRegion.Coverage

    init(
      _ name: String, _ runs: [Run], _ region: ClosedRange<UInt64>,
      _ expected: ReservedRegion.Coverage
    ) {
      testDescription = name
      self.runs = runs
      self.region = region
      self.expected = expected
    }
  }

  static func run(
    _ iova: UInt64, _ length: UInt64, at physical: UInt64? = nil, _ access: Access = .readWrite
  ) -> Run {
    Run(
      iova: IOVirtualAddress(iova), length: HexWord(length),
      physical: PhysicalAddress(physical ?? iova), access: access)
  }

  @Test(arguments: [
    Case("one run, exactly the region", [run(0xf0000, 0x10000)], 0xf0000...0xfffff, .identity),
    Case("a run around it", [run(0, 0x100_0000)], 0xf0000...0xfffff, .identity),
    Case(
      "two runs that meet", [run(0xf0000, 0x8000), run(0xf8000, 0x8000)], 0xf0000...0xfffff,
      .identity),
    Case(
      "part of a page, mapped as a page", [run(0xf0000, 0x1000)], 0xf0010...0xf0020, .identity),
    Case("the first page is missing", [run(0xf1000, 0xf000)], 0xf0000...0xfffff, .partial),
    Case("the last page is missing", [run(0xf0000, 0xf000)], 0xf0000...0xfffff, .partial),
    Case(
      "a hole in the middle", [run(0xf0000, 0x1000), run(0xf2000, 0xe000)], 0xf0000...0xfffff,
      .partial),
    Case("another page", [run(0xf0000, 0x10000, at: 0x2000)], 0xf0000...0xfffff, .other),
    Case("read only", [run(0xf0000, 0x10000, .read)], 0xf0000...0xfffff, .other),
    Case("only beside it", [run(0xe0000, 0x10000)], 0xf0000...0xfffff, .absent),
    Case("nothing", [], 0xf0000...0xfffff, .absent),
    Case(
      "up to the end of the address space", [run(.max - 0xfff, 0x1000)], .max - 0xff ... .max,
      .identity),
  ])
  func coverage(_ test: Case) {
    let mapping = Mapping(leaves: 0, bytes: 0, runs: test.runs)
    #expect(mapping.coverage(of: test.region) == test.expected)
  }
}
