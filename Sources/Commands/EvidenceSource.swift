// SPDX-License-Identifier: Apache-2.0

public import Evidence
public import RemappingState
public import Session

/// Where the evidence about a dump comes from, so that tests can pass what they prepared.
public protocol EvidenceSource: Sendable {
  /// The state of the dump that `request` names, and the memory behind it.
  ///
  /// - Parameter roots: root tables to start from; the kernel's structures are not looked at then.
  func evidence(
    of request: DumpRequest, below roots: [RootTable], progress: any SessionProgress
  ) throws(SessionError) -> DumpEvidence
}

/// The files themselves.
public struct DumpReader: EvidenceSource {
  public init() {}

  public func evidence(
    of request: DumpRequest, below roots: [RootTable], progress: any SessionProgress
  ) throws(SessionError) -> DumpEvidence {
    try Session(request, progress: progress).evidence(below: roots, asking: VerbNeeds.symbols)
  }
}
