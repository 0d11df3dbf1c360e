// SPDX-License-Identifier: Apache-2.0

import KernelFixtures
import KernelTypes
import Testing

/// The layouts of synthetic kernels come through BTF as they went in.
struct FixtureTypesTests {
  @Test(arguments: KernelVariant.all)
  func layoutsSurviveBTF(_ variant: KernelVariant) throws {
    let kernel = RemappingKernel(variant)
    kernel.defineLiveUpdate(.v1)
    let types = kernel.kernel.types
    let read = try BTFTypes(types.btf)
    for name in types.names {
      let wanted = try #require(try types.structure(named: name))
      let found = try #require(try read.structure(named: name), "\(name)")
      #expect(found.byteCount == wanted.byteCount, "\(name)")
      #expect(Set(found.members.keys) == Set(wanted.members.keys), "\(name)")
      for (member, place) in wanted.members {
        let other = try #require(found.members[member])
        #expect(
          other.offset * 8 + (other.bits?.lowerBound ?? 0)
            == place.offset * 8 + (place.bits?.lowerBound ?? 0), "\(name).\(member)")
        #expect(other.bits?.count == place.bits?.count, "\(name).\(member)")
        #expect(other.shape.byteCount == place.shape.byteCount, "\(name).\(member)")
      }
    }
  }
}
