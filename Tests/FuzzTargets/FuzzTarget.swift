// SPDX-License-Identifier: Apache-2.0

/// One way by which a stranger's bytes come in.
///
/// A fuzzer looks for bytes on which `run` traps, hangs or takes too much memory; the corpus beside
/// `FuzzTests` is what it found once. What is read is of no account: an error is as good as an answer.
public struct FuzzTarget: Sendable {
  public let name: String
  /// Inputs to start from.
  public let seeds: @Sendable () -> [[UInt8]]
  /// Takes any bytes and returns.
  public let run: @Sendable ([UInt8]) -> Void

  public init(
    _ name: String, seeds: @escaping @Sendable () -> [[UInt8]],
    run: @escaping @Sendable ([UInt8]) -> Void
  ) {
    self.name = name
    self.seeds = seeds
    self.run = run
  }

  /// Every target, by what it reads.
  public static let all: [FuzzTarget] =
    files + packed + types + texts + kernels + tables + machines

  public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}
