// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// Every target is compiled alike: Swift 6, each use of unsafe memory spelled out, no silent existential.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  // A newer toolchain or library may deprecate what this one needs.
  .treatWarning("DeprecatedDeclaration", as: .warning),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  // Generic types are made with the conformances that the compiler knows, where the runtime would look
  // through all of the program's and its libraries' for them: a tenth of a small report's instructions.
  .unsafeFlags(
    ["-Xfrontend", "-disable-concrete-type-metadata-mangled-name-accessors"],
    .when(configuration: .release)),
]

/// One room of the house: a target and the rooms it may see, nothing else.
func room(
  _ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = strict
) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// Rooms through which every byte of a dump goes are optimized in debug builds too, where they would take
/// most of the tests' time. Traps and assertions stay.
let busy =
  strict + [.unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug))]

func tests(
  _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name)] + dependencies, exclude: exclude,
    swiftSettings: strict)
}

let algorithms = Target.Dependency.product(name: "Algorithms", package: "swift-algorithms")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "iommuscope",
  products: [
    .executable(name: "iommuscope", targets: ["iommuscope"]),
    // For the package in Fuzz.
    .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
    // For the package in Benchmarks.
    .library(
      name: "Rooms",
      targets: [
        "Memory", "KernelImage", "LinuxIOMMU", "RemappingState", "Audit", "StateDiff", "TableCopy",
        "Evidence", "Session", "Owners", "Faults", "History", "Inheritance", "Report",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-algorithms", from: "1.2.1"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .systemLibrary(
      name: "CElfutils", pkgConfig: "libdw", providers: [.apt(["libelf-dev", "libdw-dev"])]),
    // Records of libraries that are loaded when a file needs them; nothing is linked.
    .systemLibrary(name: "CPackers"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    room("Memory", settings: busy),
    .target(name: "CGuard"),
    room("Files", ["Memory", "CGuard"]),
    room("ELF", ["Memory"], settings: busy),
    room("DumpFile", ["Memory", "Files", "ELF", "CZlib", algorithms], settings: busy),
    room("Inputs", ["Files", "DumpFile", "CZlib", "CPackers"]),
    room("KernelTypes", ["Memory", "Files", "ELF", "CElfutils", algorithms], settings: busy),
    room("KernelImage", ["Memory", "KernelTypes"], settings: busy),
    room("RemappingState", ["Memory", algorithms]),
    room("VTd", ["Memory", "RemappingState"], settings: busy),
    room("LinuxIOMMU", ["Memory", "RemappingState", "KernelTypes", "KernelImage"]),
    room("Assembly", ["Memory", "RemappingState", "VTd", "LinuxIOMMU", "KernelImage", algorithms]),
    room("Audit", ["Memory", "RemappingState", algorithms]),
    room("StateDiff", ["Memory", "RemappingState"]),
    room("TableCopy", ["Memory", "ELF", "RemappingState", "VTd"]),
    room("Carving", ["Memory", "RemappingState", "VTd", algorithms]),

    room("Evidence", ["Memory", "KernelImage", "VTd", "LinuxIOMMU", "RemappingState"]),
    room(
      "Session",
      [
        "Memory", "Files", "DumpFile", "Inputs", "KernelTypes", "KernelImage", "LinuxIOMMU",
        "RemappingState", "Assembly", "Carving", "Evidence",
      ]),
    room(
      "Translation", ["Memory", "KernelImage", "VTd", "LinuxIOMMU", "RemappingState", "Evidence"]),
    room(
      "Owners",
      [
        "Memory", "KernelTypes", "KernelImage", "VTd", "RemappingState", "Evidence", algorithms,
      ]),
    room(
      "Faults",
      [
        "Memory", "KernelImage", "VTd", "LinuxIOMMU", "RemappingState", "Evidence", "Translation",
        algorithms,
      ]),
    room(
      "History",
      [
        "Memory", "KernelTypes", "KernelImage", "VTd", "LinuxIOMMU", "RemappingState", "Evidence",
        "Translation",
      ]),
    room(
      "Inheritance",
      ["Memory", "VTd", "KernelImage", "LinuxIOMMU", "TableCopy", "RemappingState", "Evidence"]),
    room("Survey", ["Memory", "RemappingState", "Inheritance"]),

    room(
      "Report",
      [
        "Memory", "VTd", "RemappingState", "StateDiff", "Inheritance", "Carving", "Translation",
        "Owners", "Faults", "History", "Survey",
      ]),
    room(
      "Commands",
      [
        "Memory", "Files", "VTd", "DumpFile", "Inputs", "KernelImage", "LinuxIOMMU",
        "RemappingState",
        "Audit", "StateDiff",
        "TableCopy", "Inheritance", "Evidence", "Session", "Translation", "Owners", "Faults",
        "History", "Survey", "Report", "CSandbox", "CDebuginfod", argumentParser,
      ]),
    .target(name: "CSandbox"),
    // Libraries are opened when servers are asked; nothing is linked.
    .target(name: "CDebuginfod"),
    .target(name: "CStart"),
    .executableTarget(
      name: "iommuscope", dependencies: ["Commands", "CStart"], swiftSettings: strict),

    .target(
      name: "MemoryFixtures", dependencies: ["Memory"], path: "Tests/MemoryFixtures",
      swiftSettings: strict),
    .target(
      name: "DumpFixtures", dependencies: ["Memory", "MemoryFixtures", "CZlib"],
      path: "Tests/DumpFixtures",
      swiftSettings: strict),
    .target(
      name: "KernelFixtures",
      dependencies: ["Memory", "MemoryFixtures", "KernelTypes", "KernelImage"],
      path: "Tests/KernelFixtures", swiftSettings: strict),
    .target(
      name: "StateFixtures", dependencies: ["Memory", "RemappingState"],
      path: "Tests/StateFixtures", swiftSettings: strict),
    .target(
      name: "TableFixtures",
      dependencies: ["Memory", "MemoryFixtures", "RemappingState", "VTd", "TableCopy"],
      path: "Tests/TableFixtures", swiftSettings: strict),

    .target(
      name: "MachineFixtures",
      dependencies: [
        "Memory", "MemoryFixtures", "DumpFixtures", "KernelFixtures", "KernelTypes", "KernelImage",
        "RemappingState",
      ],
      path: "Tests/MachineFixtures", swiftSettings: strict),

    .target(
      name: "FuzzTargets",
      dependencies: [
        "Memory", "MemoryFixtures", "Files", "Inputs", "DumpFile", "DumpFixtures", "KernelTypes",
        "KernelImage", "KernelFixtures", "VTd", "RemappingState", "StateFixtures", "LinuxIOMMU",
        "Assembly", "Audit", "StateDiff", "TableCopy", "Carving", "Evidence", "Session",
        "Translation", "Faults", "History", "Inheritance", "Report", "Commands", "MachineFixtures",
      ],
      path: "Tests/FuzzTargets", swiftSettings: strict),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets"], path: "Tests/FuzzTests",
      exclude: ["Corpus", "Seeds"], swiftSettings: strict),

    tests("Memory"),
    tests("Files", ["Memory", "MemoryFixtures"]),
    tests("ELF", ["Memory"]),
    tests("Inputs", ["Memory", "Files", "DumpFile", "DumpFixtures", "MemoryFixtures"]),
    tests("DumpFile", ["Memory", "MemoryFixtures", "Files", "ELF", "DumpFixtures"]),
    tests("KernelTypes", ["Files", "MemoryFixtures", "KernelFixtures"], exclude: ["Fixtures"]),
    tests("KernelImage", ["Memory", "MemoryFixtures", "KernelTypes", "KernelFixtures"]),
    tests("VTd", ["Memory", "MemoryFixtures", "RemappingState"]),
    tests(
      "LinuxIOMMU",
      [
        "Memory", "MemoryFixtures", "RemappingState", "KernelTypes", "KernelImage",
        "KernelFixtures",
      ]),
    tests("RemappingState", ["Memory", "MemoryFixtures", "TableFixtures"]),
    tests(
      "Assembly",
      [
        "Memory", "MemoryFixtures", "RemappingState", "LinuxIOMMU", "DumpFixtures", "TableFixtures",
      ]),
    tests("Audit", ["Memory", "RemappingState", "StateFixtures"]),
    tests("StateDiff", ["Memory", "MemoryFixtures", "RemappingState", "StateFixtures"]),
    tests(
      "TableCopy", ["Memory", "MemoryFixtures", "ELF", "RemappingState", "VTd", "TableFixtures"]),
    tests(
      "Inheritance",
      [
        "Memory", "MemoryFixtures", "VTd", "TableCopy", "RemappingState", "Report", "StateFixtures",
        "TableFixtures",
      ],
      exclude: ["Golden"]),
    tests(
      "Report",
      [
        "Memory", "MemoryFixtures", "RemappingState", "StateDiff", "Evidence", "Owners",
        "StateFixtures", "Translation", "VTd",
      ],
      exclude: ["Golden"]),
    tests(
      "Commands",
      [
        "CSandbox", "Audit", "DumpFile", "DumpFixtures", "Evidence", "Files", "Memory",
        "MemoryFixtures",
        "RemappingState",
        "Report", "Session",
        "StateDiff", "StateFixtures", argumentParser,
      ],
      exclude: ["Golden"]),
    tests("Carving", ["Memory", "MemoryFixtures", "RemappingState", "VTd"]),
    tests(
      "Faults",
      [
        "Memory", "MemoryFixtures", "KernelImage", "VTd", "LinuxIOMMU", "RemappingState",
        "Assembly",
        "Evidence", "Translation", "DumpFixtures",
      ]),
    tests(
      "Translation",
      [
        "Memory", "MemoryFixtures", "VTd", "RemappingState", "Assembly", "Evidence", "DumpFixtures",
        "TableFixtures",
      ]),
    tests(
      "Session",
      [
        "Files", "Memory", "MemoryFixtures", "RemappingState", "Evidence", "LinuxIOMMU",
        "DumpFixtures", "KernelFixtures", "KernelImage", "KernelTypes",
      ]),
    tests(
      "Evidence",
      [
        "KernelFixtures", "LinuxIOMMU", "Memory", "MemoryFixtures", "RemappingState",
        "StateFixtures", "VTd",
      ]),
    tests("Owners", ["Memory", "RemappingState", "Evidence", "MemoryFixtures", "StateFixtures"]),
    tests(
      "History",
      [
        "Memory", "MemoryFixtures", "RemappingState", "Evidence", "Report", "StateFixtures",
        "KernelFixtures", "KernelImage", "Translation",
      ]),
    tests("Survey", ["Memory", "RemappingState", "Inheritance", "StateFixtures"]),
    .testTarget(
      name: "MachineTests",
      dependencies: [
        "Memory", "MemoryFixtures", "MachineFixtures", "KernelFixtures", "DumpFixtures",
        "StateFixtures", "KernelTypes", "KernelImage", "LinuxIOMMU", "RemappingState", "Audit",
        "Inheritance",
        "Evidence", "Session", "Translation",
      ],
      path: "Tests/MachineTests", swiftSettings: strict),
  ]
)
