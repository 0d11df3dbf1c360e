// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// A package of its own: what a fuzzer needs stays out of every other build.
let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "iommuscope", path: "..")],
  targets: [
    .executableTarget(
      name: "fuzz", dependencies: [.product(name: "FuzzTargets", package: "iommuscope")],
      swiftSettings: [
        .swiftLanguageMode(.v6), .strictMemorySafety(),
        // libFuzzer brings `main`.
        .unsafeFlags(["-parse-as-library"]),
      ])
  ]
)
