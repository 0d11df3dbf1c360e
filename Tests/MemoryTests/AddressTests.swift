// SPDX-License-Identifier: Apache-2.0

import Memory
import Testing

struct AddressTests {
  @Test func arithmeticReportsOverflow() {
    #expect(PhysicalAddress(0xffff_ffff_ffff_f000).advanced(by: 0x1000) == nil)
    #expect(PhysicalAddress(0x1000).distance(from: PhysicalAddress(0x2000)) == nil)
    #expect(PhysicalAddress(0x1000).advanced(by: 0x234)?.pageOffset == 0x234)
  }

  @Test(arguments: [
    ("0000:03:00.0", "0000:03:00.0"), ("03:1f.7", "0000:03:1f.7"),
    ("10000:e1:00.0", "10000:e1:00.0"),
  ])
  func readsPCIFunctions(_ text: String, _ expected: String) {
    #expect(PCIFunction(text)?.description == expected)
  }

  @Test(arguments: ["", "3", "00:20.0", "00:00.8", "0:0:0:0.0", "-1:00.0", "00:+1.0", "zz:00.0"])
  func refusesOtherText(_ text: String) {
    #expect(PCIFunction(text) == nil)
  }

  @Test(arguments: ["", "0x", "12", "0x-1", "0x+1", "0x1 ", "0x10000000000000000"])
  func refusesWordsThatAreNotHexadecimal(_ text: String) {
    #expect(UInt64(hexadecimal: text) == nil)
  }

  @Test func fieldsReachAcrossWords() {
    let field = BitField("X", 60...67)
    #expect(field.value(in: [0xa << 60, 0x5]) == 0x5a)
    #expect(UInt64.max[bits: 0...63] == UInt64.max)
    #expect((0xf0 as UInt64)[bits: 4...7] == 0xf)
  }
}
