// SPDX-License-Identifier: Apache-2.0

public import Memory

/// A walk of something linked: what was reached, and why it stopped if not at its proper end.
public struct LinkWalk<Element> {
  public var elements: [Element]
  /// What is wrong with the structure; `nil` for a walk that ended as it should.
  public var problem: KernelError?

  public init(_ elements: [Element] = [], problem: KernelError? = nil) {
    self.elements = elements
    self.problem = problem
  }
}

extension KernelImage {
  /// The entries of a `struct list_head` list: addresses of the embedded `list_head`s.
  ///
  /// The walk is bounded, finds cycles that do not lead through the head, and compares each entry's
  /// `prev` with where it came from: the first disagreement is the walk's problem, but the entries
  /// behind it are still followed. What lies behind an entry that cannot be read is reached from the
  /// list's other end. A head of zeros is an empty, never initialised list.
  ///
  /// Source: include/linux/list.h.
  public func list(at head: KernelAddress, limit: Int = 1 << 20) -> LinkWalk<KernelAddress> {
    var walk = LinkWalk<KernelAddress>()
    var seen: Set<KernelAddress> = [head]
    var previous = head
    do throws(KernelError) {
      var next = KernelAddress(try reader.littleEndian(at: head))
      while next != head, next.rawValue != 0 {
        guard seen.insert(next).inserted else {
          walk.problem = KernelError(
            at: head, .malformed("list does not close: \(previous) leads back to \(next)"))
          return walk
        }
        guard walk.elements.count < limit else {
          walk.problem = KernelError(at: head, .malformed("list longer than \(limit) entries"))
          return walk
        }
        try spend(at: next)
        let bytes = try reader.bytes(at: next, count: 16)
        let back: UInt64 = (try? bytes.littleEndian(at: 8)) ?? 0
        if back != previous.rawValue, walk.problem == nil {
          walk.problem = KernelError(
            at: next,
            .malformed(
              "list entry's prev is \(back.hexadecimal), reached from \(previous)"))
        }
        walk.elements.append(next)
        previous = next
        next = KernelAddress((try? bytes.littleEndian(at: 0)) ?? 0)
      }
      if next.rawValue == 0, previous != head, walk.problem == nil {
        walk.problem = KernelError(at: previous, .malformed("list entry's next is null"))
      }
    } catch {
      walk.problem = error
      let left = limit - walk.elements.count
      walk.elements += entriesBackwards(to: head, limit: left, &seen).reversed()
    }
    return walk
  }

  /// The last entries of a list, the last one first, as far as each leads on to the one before that.
  ///
  /// - Parameter seen: what was reached already, where the walk ends.
  private func entriesBackwards(
    to head: KernelAddress, limit: Int, _ seen: inout Set<KernelAddress>
  ) -> [KernelAddress] {
    var entries: [KernelAddress] = []
    var next = head
    guard let word = head.advanced(by: 8), let last: UInt64 = try? reader.littleEndian(at: word)
    else { return [] }
    var link = KernelAddress(last)
    while entries.count < limit, link.rawValue != 0, seen.insert(link).inserted,
      (try? spend(at: link)) != nil, let bytes = try? reader.bytes(at: link, count: 16),
      (try? bytes.littleEndian(at: 0)) == next.rawValue
    {
      entries.append(link)
      next = link
      link = KernelAddress((try? bytes.littleEndian(at: 8)) ?? 0)
    }
    return entries
  }

  /// The objects of a list whose entries are embedded as member `path` of structure `name`.
  public func list(
    at head: KernelAddress, of name: String, linkedBy path: String, limit: Int = 1 << 20
  ) -> LinkWalk<KernelObject> {
    let links = list(at: head, limit: limit)
    var walk = LinkWalk<KernelObject>(problem: links.problem)
    do throws(KernelError) {
      for link in links.elements {
        walk.elements.append(try container(name, of: path, at: link))
      }
    } catch {
      walk.problem = error
    }
    return walk
  }
}
