// SPDX-License-Identifier: Apache-2.0

internal import DumpFile
internal import Files
internal import Inputs

/// Finds the dumps among files and folders.
struct DumpFinder {
  /// A dump to be judged, or what stands in the way.
  struct Candidate {
    /// All files of a split dump; one otherwise.
    var files: [String]
    var problem: String?
  }

  /// By path; each path once, in the order of the command line.
  private(set) var candidates: [Candidate] = []
  /// Files in folders that are no dumps.
  private(set) var others = 0
  private var seen: Set<String> = []
  /// Where the parts of a split dump in one folder are gathered.
  private var splits: [String: Int] = [:]

  init(_ paths: [String]) {
    for path in paths {
      do {
        if try FileTree.kind(of: path) == .folder {
          var problems: [FileError] = []
          let files = FileTree.files(below: path) { problems.append($0) }
          for file in files { addFound(file) }
          for problem in problems { add(problem.path, problem: problem.description) }
          continue
        }
        add(path, problem: nil)
      } catch {
        add(path, problem: error.description)
      }
    }
  }

  private mutating func add(_ path: String, problem: String?) {
    guard seen.insert(path).inserted else { return }
    candidates.append(Candidate(files: [path], problem: problem))
  }

  /// A file in a folder counts if it begins like a dump, or is packed and has the name of one.
  private mutating func addFound(_ path: String) {
    let head: [UInt8]
    do {
      head = try WholeFile.prefix(path, count: DumpSignature.byteCount) ?? []
    } catch {
      add(path, problem: error.description)
      return
    }
    guard DumpSignature(head) == .dump || PackedDump.isLikely(path, head: head) else {
      others += 1
      return
    }
    if let set = DumpFile.splitSet(of: path) {
      let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
      let key = "\(folder)\n\(set)"
      if let place = splits[key] {
        if seen.insert(path).inserted { candidates[place].files.append(path) }
        return
      }
      splits[key] = candidates.count
    }
    add(path, problem: nil)
  }
}
