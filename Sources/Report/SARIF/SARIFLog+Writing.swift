// SPDX-License-Identifier: Apache-2.0

internal import Memory
internal import RemappingState

extension SARIFLog {
  /// Writes the log; the same value gives the same bytes.
  public func write(to sink: any ByteSink) throws(OutputError) {
    let writer = JSONWriter(sink)
    writer.openObject()
    writer.member(
      "$schema",
      "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json")
    writer.member("version", "2.1.0")
    writer.array("runs") {
      writer.object {
        writeTool(to: writer)
        writeInvocation(to: writer)
        writer.object("automationDetails") { writer.member("id", "iommuscope/\(verb)/") }
        writer.array("artifacts") {
          writer.object {
            writer.object("location") { writer.member("uri", Self.uri(of: dump.file)) }
            writer.array("roles") { writer.string("analysisTarget") }
          }
        }
        let places = Dictionary(
          rules.indices.map { (rules[$0].id, $0) }, uniquingKeysWith: { first, _ in first })
        writer.array("results") {
          for result in results {
            write(result, place: places[result.rule], to: writer)
            if writer.hasFailed { return }
          }
        }
        writer.member("columnKind", "utf16CodeUnits")
        writer.object("properties") {
          if let release = dump.release { writer.member("release", release) }
          if let buildID = dump.buildID { writer.member("buildID", buildID) }
          if let panic = dump.panic { writer.member("panic", panic) }
        }
      }
    }
    writer.close()
    try writer.finish()
  }

  private func writeTool(to writer: JSONWriter) {
    writer.object("tool") {
      writer.object("driver") {
        writer.member("name", Tool.current.name)
        writer.member("version", Tool.current.version)
        writer.member("semanticVersion", Tool.current.version)
        writer.array("rules") {
          for rule in rules {
            writer.object {
              writer.member("id", rule.id)
              writer.object("shortDescription") {
                writer.member("text", Self.sentence(rule.summary))
              }
              if !rule.text.isEmpty {
                let text = rule.text.joined(separator: "\n\n")
                writer.object("fullDescription") { writer.member("text", text) }
              }
              writer.object("help") { writer.member("text", help(rule)) }
              if let severity = rule.severity {
                writer.object("defaultConfiguration") { writer.member("level", severity.level) }
              }
            }
          }
        }
      }
    }
  }

  private func help(_ rule: Rule) -> String {
    let text = rule.text.isEmpty ? Self.sentence(rule.summary) : rule.text.joined(separator: "\n\n")
    let page =
      verb == ReportDocument.outline.verb ? "iommuscope-findings(7)" : "iommuscope-faults(1)"
    return "\(text)\n\nSee \(page)."
  }

  private func writeInvocation(to writer: JSONWriter) {
    writer.array("invocations") {
      writer.object {
        writer.key("executionSuccessful")
        writer.literal("true")
        writer.array("toolExecutionNotifications") {
          for notification in notifications {
            writer.object {
              writer.member("level", notification.severity.level)
              writer.object("message") { writer.member("text", notification.text) }
              if let rule = notification.rule {
                writer.object("associatedRule") { writer.member("id", rule) }
              }
            }
          }
        }
      }
    }
  }

  private func write(_ result: Result, place: Int?, to writer: JSONWriter) {
    writer.object {
      writer.member("ruleId", result.rule)
      if let place {
        writer.key("ruleIndex")
        writer.integer(place)
      }
      writer.member("level", result.severity.level)
      writer.object("message") { writer.member("text", result.message) }
      writer.array("locations") {
        writer.object {
          writePlace(at: result.evidence.lazy.compactMap(\.address).first, to: writer)
          writer.array("logicalLocations") {
            if let unit = result.unit { writeLogical(unit, kind: "unit", inside: nil, to: writer) }
            if let device = result.device {
              writeLogical("\(device)", kind: "device", inside: result.unit, to: writer)
            }
          }
        }
      }
      if !result.evidence.isEmpty {
        writer.array("relatedLocations") {
          for (index, evidence) in result.evidence.enumerated() {
            writer.object {
              writer.key("id")
              writer.integer(index)
              writePlace(at: evidence.address, to: writer)
              var text = evidence.what
              if !evidence.words.isEmpty {
                text += ": " + evidence.words.map(\.description).joined(separator: " ")
              }
              writer.object("message") { writer.member("text", text) }
            }
          }
        }
      }
      writer.key("occurrenceCount")
      writer.integer(max(1, result.count))
      writer.object("partialFingerprints") {
        writer.member("ruleAndSubject/v1", result.fingerprint)
      }
    }
  }

  private func writeLogical(
    _ name: String, kind: String, inside unit: String?, to writer: JSONWriter
  ) {
    writer.object {
      writer.member("name", name)
      writer.member("fullyQualifiedName", unit.map { "\($0)/\(name)" } ?? name)
      writer.member("kind", kind)
    }
  }

  /// The dump, and an address in it.
  private func writePlace(at address: HexWord?, to writer: JSONWriter) {
    writer.object("physicalLocation") {
      writer.object("artifactLocation") {
        writer.member("uri", Self.uri(of: dump.file))
        writer.key("index")
        writer.integer(0)
      }
      if let address {
        writer.object("address") {
          // Kernel addresses do not fit into the number that the format has for them.
          if address.rawValue < 1 << 53 {
            writer.key("absoluteAddress")
            writer.integer(address.rawValue)
          }
          writer.member("fullyQualifiedName", address.description)
        }
      }
    }
  }

  /// Words with a capital at the front and a full stop at the end.
  private static func sentence(_ text: String) -> String {
    let text = text.prefix(1).uppercased() + text.dropFirst()
    return text.hasSuffix(".") ? text : text + "."
  }

  /// A path as a reference: bytes that a URI may not hold are spelled out.
  static func uri(of path: String) -> String {
    var result = ""
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return result.isEmpty ? "." : result
  }
}

extension Finding.Severity {
  fileprivate var level: String {
    switch self {
    case .error: "error"
    case .warning: "warning"
    case .info: "note"
    }
  }
}
