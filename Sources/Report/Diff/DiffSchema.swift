// SPDX-License-Identifier: Apache-2.0

extension DiffDocument {
  /// The JSON Schema (draft 2020-12) that every difference validates against.
  ///
  /// Whole rows are those of the report, so its definitions are taken over as they are.
  public static let jsonSchema = head + definitions

  /// The report's definitions, to the end of the document.
  private static var definitions: Substring {
    let mark = "\"$defs\": {\n"
    let text = ReportDocument.jsonSchema
    guard let start = text.utf8.firstRange(of: mark)?.upperBound else { return "}}" }
    return text[start...]
  }

  private static let head = #"""
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "$id": "urn:iommuscope:diff:1",
      "title": "iommuscope-diff/1",
      "description": "How one state of a machine's DMA remapping units became another, as `iommuscope diff` found it. Keys are never missing; null is unknown or not applicable; every end is inclusive.",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "schema", "tool", "old", "new", "options", "equal", "units", "contexts", "domains",
        "devices", "reservedRegions", "findings"
      ],
      "properties": {
        "schema": {"const": "iommuscope-diff/1"},
        "tool": {"$ref": "#/$defs/tool"},
        "old": {"description": "The first dump; never compared.", "$ref": "#/$defs/dump"},
        "new": {"description": "The second dump; never compared.", "$ref": "#/$defs/dump"},
        "options": {
          "type": "object",
          "additionalProperties": false,
          "required": ["ignorePhysical", "addresses"],
          "properties": {
            "ignorePhysical": {
              "description": "Which page an address is mapped to was not compared.",
              "type": "boolean"
            },
            "addresses": {
              "description": "Where tables and entries lie was compared.", "type": "boolean"
            }
          }
        },
        "equal": {"description": "Whether every list below is empty.", "type": "boolean"},
        "units": {
          "type": "object",
          "additionalProperties": false,
          "required": ["added", "removed", "changed"],
          "properties": {
            "added": {"type": "array", "items": {"$ref": "#/$defs/unit"}},
            "removed": {"type": "array", "items": {"$ref": "#/$defs/unit"}},
            "changed": {"$ref": "#/$defs/changes"}
          }
        },
        "contexts": {
          "type": "object",
          "additionalProperties": false,
          "required": ["added", "removed", "changed"],
          "properties": {
            "added": {"type": "array", "items": {"$ref": "#/$defs/context"}},
            "removed": {"type": "array", "items": {"$ref": "#/$defs/context"}},
            "changed": {"$ref": "#/$defs/changes"}
          }
        },
        "domains": {
          "type": "object",
          "additionalProperties": false,
          "required": ["added", "removed", "changed"],
          "properties": {
            "added": {"type": "array", "items": {"$ref": "#/$defs/domain"}},
            "removed": {"type": "array", "items": {"$ref": "#/$defs/domain"}},
            "changed": {"$ref": "#/$defs/changes"}
          }
        },
        "devices": {
          "type": "object",
          "additionalProperties": false,
          "required": ["added", "removed", "changed"],
          "properties": {
            "added": {"type": "array", "items": {"$ref": "#/$defs/device"}},
            "removed": {"type": "array", "items": {"$ref": "#/$defs/device"}},
            "changed": {"$ref": "#/$defs/changes"}
          }
        },
        "reservedRegions": {
          "type": "object",
          "additionalProperties": false,
          "required": ["added", "removed", "changed"],
          "properties": {
            "added": {"type": "array", "items": {"$ref": "#/$defs/reservedRegion"}},
            "removed": {"type": "array", "items": {"$ref": "#/$defs/reservedRegion"}},
            "changed": {"$ref": "#/$defs/changes"}
          }
        },
        "findings": {
          "type": "object",
          "additionalProperties": false,
          "required": ["added", "removed", "changed"],
          "properties": {
            "added": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
            "removed": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
            "changed": {"$ref": "#/$defs/changes"}
          }
        }
      },
      "$defs": {
        "changes": {
          "description": "Rows that both dumps have, by key; a row's mapping by address.",
          "type": "array",
          "items": {
            "anyOf": [{"$ref": "#/$defs/fieldChange"}, {"$ref": "#/$defs/mappingChange"}]
          }
        },
        "key": {
          "description": "The fields that identify the row in both dumps. `unit` is its name where both call it so, and segment:base where they do not; `ordinal` tells rows apart that share all else.",
          "type": "object",
          "minProperties": 1,
          "additionalProperties": {"type": ["string", "integer", "null"]}
        },
        "fieldChange": {
          "type": "object",
          "additionalProperties": false,
          "required": ["key", "field", "old", "new"],
          "properties": {
            "key": {"$ref": "#/$defs/key"},
            "field": {
              "description": "Name in the report; a dot leads into a row within the row.",
              "type": "string", "minLength": 1, "not": {"const": "mapping"}
            },
            "old": {"description": "As in the report, or ranges and bytes of an allocator's state."},
            "new": {"description": "Likewise."}
          }
        },
        "mappingChange": {
          "type": "object",
          "additionalProperties": false,
          "required": ["key", "field", "start", "end", "old", "new"],
          "properties": {
            "key": {"$ref": "#/$defs/key"},
            "field": {"const": "mapping"},
            "start": {"$ref": "#/$defs/hex"},
            "end": {"$ref": "#/$defs/hex"},
            "old": {"$ref": "#/$defs/targetOrNull"},
            "new": {"$ref": "#/$defs/targetOrNull"}
          }
        },
        "targetOrNull": {
          "description": "What the start of the range is mapped to; null if nothing.",
          "anyOf": [
            {
              "type": "object",
              "additionalProperties": false,
              "required": ["physical", "access"],
              "properties": {
                "physical": {
                  "description": "null where it was not compared.", "$ref": "#/$defs/hexOrNull"
                },
                "access": {"enum": ["r", "w", "rw"]}
              }
            },
            {"type": "null"}
          ]
        },

    """#
}

extension Collection where Element: Equatable {
  /// The first place where `pattern` stands.
  fileprivate func firstRange(of pattern: String) -> Range<Index>? where Element == UInt8 {
    let bytes = Array(pattern.utf8)
    var start = startIndex
    while start != endIndex {
      if self[start...].starts(with: bytes) {
        return start..<index(start, offsetBy: bytes.count)
      }
      formIndex(after: &start)
    }
    return nil
  }
}
