// SPDX-License-Identifier: Apache-2.0

import FuzzTargets
import Glibc

/// What libFuzzer calls: the target that FUZZ_TARGET names, once for each input.
///
/// With FUZZ_SEEDS, the target's seeds are written to that folder instead; with FUZZ_LIST, the names of
/// all targets are printed.

private let target: FuzzTarget = {
  let name = variable("FUZZ_TARGET") ?? ""
  guard let target = FuzzTarget.named(name) else {
    print("fuzz: no target '\(name)'; there are", FuzzTarget.all.map(\.name).joined(separator: " "))
    exit(64)
  }
  return target
}()

private func variable(_ name: String) -> String? {
  // A string of the environment, which nothing changes.
  unsafe getenv(name).map { unsafe String(cString: $0) }
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>?, _ arguments: UnsafeMutableRawPointer?
) -> CInt {
  if variable("FUZZ_LIST") != nil {
    for target in FuzzTarget.all { print(target.name) }
    exit(0)
  }
  guard let folder = variable("FUZZ_SEEDS") else { return 0 }
  for (number, seed) in target.seeds().enumerated() {
    // Both strings end with a zero, and the array lives through the call.
    guard let file = unsafe fopen("\(folder)/seed-\(number)", "w") else { exit(2) }
    let written = unsafe seed.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
    guard written == seed.count, unsafe fclose(file) == 0 else { exit(2) }
  }
  exit(0)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  // libFuzzer hands over `count` bytes, which are copied at once.
  target.run(unsafe Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}
