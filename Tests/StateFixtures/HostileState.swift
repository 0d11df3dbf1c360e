// SPDX-License-Identifier: Apache-2.0

import Memory
public import RemappingState

extension RemappingState {
  /// The sample with the worst that a dump can write into a report: endless names, terminal escapes,
  /// direction overrides, and numbers at their limits.
  public static var hostile: RemappingState {
    let name =
      "\u{1b}[31mevil\u{1b}[0m\u{7}\u{202e}\u{9b}\n\r\t\"\\ " + String(repeating: "x", count: 300)
    var state = RemappingState.sample
    state.dump.file = name
    state.dump.release = name
    state.dump.panic = name + " " + name
    state.dump.crashTime = .min
    state.dump.pageSize = .max
    state.dump.kaslrOffset = HexWord(.max)
    for index in state.units.indices {
      state.units[index].name = name
      state.units[index].registerBase = PhysicalAddress(.max)
      state.units[index].domainIDs.used = Array(stride(from: 0, to: 2000, by: 2))
      state.units[index].scope = [.other(name), nil]
      state.units[index].levels = .max
      state.units[index].interruptRemapping?.present = .max
      state.units[index].interruptRemapping?.table = PhysicalAddress(.max)
      state.units[index].invalidationQueue?.freeHead = .min
    }
    for index in state.contexts.indices {
      state.contexts[index].unit = name
      state.contexts[index].device.segment = .max
      state.contexts[index].pasid = 0xf_ffff
      state.contexts[index].domainID = .max
      state.contexts[index].levels = .max
      state.contexts[index].table = PhysicalAddress(.max & ~0xfff)
      state.contexts[index].entry = PhysicalAddress(.max)
    }
    for index in state.domains.indices {
      state.domains[index].unit = name
      state.domains[index].devices = [.other(name), .other(name)]
      state.domains[index].mapping?.bytes = .max
      state.domains[index].mapping?.leaves = .max
      state.domains[index].mapping?.runs.append(
        Run(
          iova: IOVirtualAddress(.max), length: HexWord(.max), physical: PhysicalAddress(.max),
          access: .readWrite))
      for state1 in IOVARange.State.allCases {
        state.domains[index].iova?.allocated.append(
          IOVARange(start: 0, end: IOVirtualAddress(.max), state: state1))
      }
      state.domains[index].iova?.unallocated = [
        AddressRange(start: IOVirtualAddress(.max), end: 0)
      ]
    }
    for index in state.devices.indices {
      state.devices[index].device = .other(name)
      state.devices[index].unit = name
      state.devices[index].driver = name
      state.devices[index].pciID = "ffff:ffff"
      state.devices[index].aliases = [.other(name)]
      state.devices[index].group = .min
    }
    for index in state.reservedRegions.indices {
      state.reservedRegions[index].base = 0
      state.reservedRegions[index].end = IOVirtualAddress(.max)
      state.reservedRegions[index].devices = [.other(name)]
    }
    state.observations = [
      Observation(
        .malformed, unit: name, device: .other(name), domainID: .max, structure: Structure(name),
        address: HexWord(.max), word: HexWord(.max), detail: name, count: .max),
      Observation(.cycle, structure: Structure(""), count: .max),
    ]
    return state
  }
}
