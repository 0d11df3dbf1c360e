// SPDX-License-Identifier: Apache-2.0

import Foundation
import FuzzTargets
import Testing

/// Everything that once ended a fuzzer's run, and some of what took it far: each ends by itself.
///
/// `Corpus` has a folder for each target. What a fuzzer finds is copied there when its cause is gone.
@Suite(.serialized) struct CorpusTests {
  private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "Corpus")

  @Test(arguments: FuzzTarget.all.map(\.name))
  func endsInTime(_ name: String) throws {
    let target = try #require(FuzzTarget.named(name))
    // All of them are a fuzzer's to run; a few show that the target works.
    for seed in target.seeds().prefix(3) { target.run(seed) }
    let folder = Self.corpus.appending(path: name)
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for file in files.sorted() {
      let bytes = [UInt8](try Data(contentsOf: folder.appending(path: file)))
      let start = ContinuousClock.now
      target.run(bytes)
      #expect(ContinuousClock.now - start < .seconds(10), "\(name)/\(file)")
    }
  }

  /// A folder that nothing replays would look like a test.
  @Test func everyFolderIsOfATarget() throws {
    let names = Set(FuzzTarget.all.map(\.name) + ["README.md"])
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
    #expect(folders.filter { !names.contains($0) } == [])
  }

  @Test func soundMachinesAreReadToTheirEnd() {
    #expect(FuzzTarget.cutsOfSoundMachine == [])
  }

  @Test func everyTargetHasSeeds() {
    #expect(FuzzTarget.all.filter { $0.seeds().isEmpty }.map(\.name) == [])
  }
}
