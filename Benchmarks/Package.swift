// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// A package of its own: what a benchmark needs stays out of every other build.
let package = Package(
  name: "benchmarks",
  dependencies: [
    .package(name: "iommuscope", path: ".."),
    // Without its interposers, whose counts of allocations are those of valgrind in `make counts`.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "Functions",
      dependencies: [
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "Rooms", package: "iommuscope"),
      ],
      path: "Functions", swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)],
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
  ]
)
