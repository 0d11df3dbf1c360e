// SPDX-License-Identifier: Apache-2.0

extension InheritDocument {
  /// The JSON Schema (draft 2020-12) that every document of `inherit` validates against.
  ///
  /// `Tests/ReportTests` holds it against what the encoder writes.
  public static let jsonSchema = #"""
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "$id": "urn:iommuscope:inherit:1",
      "title": "iommuscope-inherit/1",
      "description": "What a crash kernel would find after its IOMMU start-up, as `iommuscope inherit` foretells it. Keys are never missing; null is unknown or not applicable; every end is inclusive. T1 is the driver's start-up, T2 the new root pointer, T3 a driver's attach, T4 the saving of the dump.",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "schema", "tool", "dump", "crashKernel", "inherited", "observed", "policies",
        "recommendation", "changedAfterPanic"
      ],
      "properties": {
        "schema": {"const": "iommuscope-inherit/1"},
        "tool": {"$ref": "#/$defs/tool"},
        "dump": {"$ref": "#/$defs/dump"},
        "crashKernel": {"$ref": "#/$defs/crashKernel"},
        "inherited": {
          "description": "Contexts of this dump that were themselves inherited.",
          "type": "array",
          "items": {"$ref": "#/$defs/inheritedContext"}
        },
        "observed": {"anyOf": [{"$ref": "#/$defs/observed"}, {"type": "null"}]},
        "policies": {"type": "array", "items": {"$ref": "#/$defs/policy"}},
        "recommendation": {"$ref": "#/$defs/recommendation"},
        "changedAfterPanic": {
          "description": "Pages that devices may have written after the panic.",
          "$ref": "#/$defs/changedPages"
        }
      },
      "$defs": {
        "hex": {
          "description": "An address, a word or a register value.",
          "type": "string",
          "pattern": "^0x(0|[1-9a-f][0-9a-f]{0,15})$"
        },
        "hexOrNull": {"anyOf": [{"$ref": "#/$defs/hex"}, {"type": "null"}]},
        "word": {
          "description": "A word of the new tables; with a plus sign a pointer into new memory: the word minus the base of the policy's memory, attribute bits included.",
          "type": "string",
          "pattern": "^\\+?0x(0|[1-9a-f][0-9a-f]{0,15})$"
        },
        "count": {"type": "integer", "minimum": 0},
        "textOrNull": {"type": ["string", "null"]},
        "flagOrNull": {"type": ["boolean", "null"]},
        "id": {"type": "integer", "minimum": 0, "maximum": 4294967295},
        "idOrNull": {"type": ["integer", "null"], "minimum": 0, "maximum": 4294967295},
        "sourceID": {
          "description": "A PCI function, ssss:bb:dd.f.",
          "type": "string",
          "pattern": "^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$"
        },
        "sourceIDOrNull": {"anyOf": [{"$ref": "#/$defs/sourceID"}, {"type": "null"}]},
        "range": {
          "description": "Both ends inclusive.",
          "type": "object",
          "additionalProperties": false,
          "required": ["start", "end"],
          "properties": {"start": {"$ref": "#/$defs/hex"}, "end": {"$ref": "#/$defs/hex"}}
        },
        "rangeOrNull": {"anyOf": [{"$ref": "#/$defs/range"}, {"type": "null"}]},
        "oldWords": {
          "description": "Lowest first; null where the entry is not present.",
          "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/hex"}}, {"type": "null"}]
        },
        "newWords": {
          "description": "Lowest first; null where the entry is not present.",
          "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/word"}}, {"type": "null"}]
        },
        "policyName": {"enum": ["linux", "full-copy", "isolate", "disable", "reset"]},
        "verdict": {"enum": ["safe", "risky", "unsafe"]},
        "fate": {
          "description": "What old transfers meet at a moment.",
          "enum": ["translated", "remapped", "blocked", "physical", "pass-through", "silent"]
        },
        "faultReason": {
          "description": "VT-d fault reason of a transfer that is blocked then; null if none is, or none is recorded.",
          "type": ["integer", "null"],
          "minimum": 0,
          "maximum": 255
        },
        "tool": {
          "type": "object",
          "additionalProperties": false,
          "required": ["name", "version"],
          "properties": {"name": {"type": "string"}, "version": {"type": "string"}}
        },
        "dump": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "file", "format", "release", "buildID", "typesFrom", "pageSize", "kaslrOffset",
            "panic", "crashTime"
          ],
          "properties": {
            "file": {"type": "string"},
            "format": {"type": "string", "minLength": 1},
            "release": {"$ref": "#/$defs/textOrNull"},
            "buildID": {"type": ["string", "null"], "pattern": "^([0-9a-f]{2})+$"},
            "typesFrom": {"enum": ["dwarf", "btf", null]},
            "pageSize": {"type": "integer", "minimum": 1},
            "kaslrOffset": {"$ref": "#/$defs/hexOrNull"},
            "panic": {"$ref": "#/$defs/textOrNull"},
            "crashTime": {"description": "Unix seconds.", "type": ["integer", "null"]}
          }
        },
        "crashKernel": {
          "description": "What the forecast takes the crash kernel to be.",
          "type": "object",
          "additionalProperties": false,
          "required": [
            "variant", "variantFrom", "isAmbiguous", "commandLine", "drivers", "strict",
            "reservations", "kernelText", "gaps"
          ],
          "properties": {
            "variant": {
              "description": "Generation of the code that copies tables.",
              "enum": ["v0", "v1", "v2a", "v2b"]
            },
            "variantFrom": {"enum": ["types", "option"]},
            "isAmbiguous": {"description": "Whether v2a could as well be v2b.", "type": "boolean"},
            "commandLine": {"type": "string"},
            "drivers": {
              "description": "null: those of the crashed kernel.",
              "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]
            },
            "strict": {"type": "boolean"},
            "reservations": {
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["kind", "start", "end", "bytes"],
                "properties": {
                  "kind": {"enum": ["main", "low", "cma", "given"]},
                  "start": {"$ref": "#/$defs/hex"},
                  "end": {"$ref": "#/$defs/hex"},
                  "bytes": {"$ref": "#/$defs/count"}
                }
              }
            },
            "kernelText": {"$ref": "#/$defs/rangeOrNull"},
            "gaps": {"description": "What could not be read.", "type": "array", "items": {"type": "string"}}
          }
        },
        "inheritedContext": {
          "type": "object",
          "additionalProperties": false,
          "required": ["unit", "device", "by"],
          "properties": {
            "unit": {"type": "string"},
            "device": {"$ref": "#/$defs/sourceID"},
            "by": {"enum": ["bitmap", "marker"]}
          }
        },
        "observed": {
          "description": "What a crash kernel whose memory is in the dump as well has really done.",
          "type": "object",
          "additionalProperties": false,
          "required": ["release", "units"],
          "properties": {
            "release": {"$ref": "#/$defs/textOrNull"},
            "units": {
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": [
                  "unit", "rootTable", "tookOver", "copied", "by", "words", "replaced",
                  "differences", "domainIDs", "interrupts"
                ],
                "properties": {
                  "unit": {"type": "string"},
                  "rootTable": {"$ref": "#/$defs/hexOrNull"},
                  "tookOver": {"$ref": "#/$defs/flagOrNull"},
                  "copied": {"type": "array", "items": {"$ref": "#/$defs/sourceID"}},
                  "by": {"enum": ["bitmap", "marker", null]},
                  "words": {
                    "description": "Words compared with the forecast of linux.",
                    "$ref": "#/$defs/count"
                  },
                  "replaced": {"type": "array", "items": {"$ref": "#/$defs/sourceID"}},
                  "differences": {"type": "array", "items": {"type": "string"}},
                  "domainIDs": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/id"}}, {"type": "null"}]},
                  "interrupts": {
                    "anyOf": [
                      {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["same", "different", "added"],
                        "properties": {
                          "same": {"$ref": "#/$defs/count"},
                          "different": {"$ref": "#/$defs/count"},
                          "added": {"$ref": "#/$defs/count"}
                        }
                      },
                      {"type": "null"}
                    ]
                  }
                }
              }
            }
          }
        },
        "memoryCost": {
          "type": "object",
          "additionalProperties": false,
          "required": ["bytes", "pages", "levels"],
          "properties": {
            "bytes": {"$ref": "#/$defs/count"},
            "pages": {"$ref": "#/$defs/count"},
            "levels": {
              "description": "By table level.",
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["kind", "pages"],
                "properties": {"kind": {"type": "string"}, "pages": {"$ref": "#/$defs/count"}}
              }
            }
          }
        },
        "changedPages": {
          "description": "Whole pages.",
          "type": "object",
          "additionalProperties": false,
          "required": ["pages", "ranges", "anywhere"],
          "properties": {
            "pages": {"$ref": "#/$defs/count"},
            "ranges": {
              "description": "Physical, ascending.",
              "type": "array",
              "items": {"$ref": "#/$defs/range"}
            },
            "anywhere": {
              "description": "Devices that may write to any page.",
              "type": "array",
              "items": {"type": "string"}
            }
          }
        },
        "unit": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "unit", "outcome", "reason", "rootTable", "roots", "contexts", "pasids", "domainIDs",
            "interruptRemapping", "memory", "ambiguity", "problems", "proof"
          ],
          "properties": {
            "unit": {"type": "string"},
            "outcome": {"enum": ["copied", "partial", "refused", "disabled", "isolated", "adopted"]},
            "reason": {"$ref": "#/$defs/textOrNull"},
            "rootTable": {
              "type": "object",
              "additionalProperties": false,
              "required": ["old", "new"],
              "properties": {
                "old": {"$ref": "#/$defs/hexOrNull"},
                "new": {"anyOf": [{"$ref": "#/$defs/word"}, {"type": "null"}]}
              }
            },
            "roots": {
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["bus", "half", "old", "new"],
                "properties": {
                  "bus": {"type": "integer", "minimum": 0, "maximum": 255},
                  "half": {"enum": ["lower", "upper", null]},
                  "old": {"$ref": "#/$defs/hex"},
                  "new": {"$ref": "#/$defs/word"}
                }
              }
            },
            "contexts": {
              "description": "Context entries present in the old or the new table; 2 words in legacy mode, otherwise 4.",
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["device", "old", "new"],
                "properties": {
                  "device": {"$ref": "#/$defs/sourceID"},
                  "old": {"$ref": "#/$defs/oldWords"},
                  "new": {"$ref": "#/$defs/newWords"}
                }
              }
            },
            "pasids": {
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["device", "pasid", "old", "new"],
                "properties": {
                  "device": {"$ref": "#/$defs/sourceID"},
                  "pasid": {"type": "integer", "minimum": 0, "maximum": 1048575},
                  "old": {"$ref": "#/$defs/oldWords"},
                  "new": {"$ref": "#/$defs/newWords"}
                }
              }
            },
            "domainIDs": {
              "type": "object",
              "additionalProperties": false,
              "required": ["reserved", "remaining", "firstFree", "lost"],
              "properties": {
                "reserved": {
                  "description": "Ids that the crash kernel marks as taken.",
                  "type": "array",
                  "items": {"$ref": "#/$defs/id"}
                },
                "remaining": {"$ref": "#/$defs/count"},
                "firstFree": {"$ref": "#/$defs/idOrNull"},
                "lost": {
                  "description": "In use by inherited entries and not reserved.",
                  "type": "array",
                  "items": {"$ref": "#/$defs/id"}
                }
              }
            },
            "interruptRemapping": {
              "type": "object",
              "additionalProperties": false,
              "required": ["outcome", "entries"],
              "properties": {
                "outcome": {"enum": ["copied", "empty", "off"]},
                "entries": {"description": "Present entries that are copied.", "$ref": "#/$defs/count"}
              }
            },
            "memory": {"$ref": "#/$defs/memoryCost"},
            "ambiguity": {"$ref": "#/$defs/textOrNull"},
            "problems": {
              "description": "Sanity checks that failed in the old tables.",
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["check", "outcome", "device", "pasid", "address", "iova", "detail"],
                "properties": {
                  "check": {"type": "string"},
                  "outcome": {"enum": ["copied", "dropped", "kept", "ended"]},
                  "device": {"$ref": "#/$defs/sourceIDOrNull"},
                  "pasid": {"$ref": "#/$defs/idOrNull"},
                  "address": {"$ref": "#/$defs/hexOrNull"},
                  "iova": {"$ref": "#/$defs/hexOrNull"},
                  "detail": {"type": "string"}
                }
              }
            },
            "proof": {
              "description": "The walk of the copy against that of the original.",
              "anyOf": [
                {
                  "type": "object",
                  "additionalProperties": false,
                  "required": ["identical", "contexts", "spaces", "leaves", "runs", "bytes", "differences"],
                  "properties": {
                    "identical": {"type": "boolean"},
                    "contexts": {"$ref": "#/$defs/count"},
                    "spaces": {"$ref": "#/$defs/count"},
                    "leaves": {"$ref": "#/$defs/count"},
                    "runs": {"$ref": "#/$defs/count"},
                    "bytes": {"$ref": "#/$defs/count"},
                    "differences": {
                      "type": "array",
                      "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["device", "pasid", "iova", "what"],
                        "properties": {
                          "device": {"$ref": "#/$defs/sourceIDOrNull"},
                          "pasid": {"$ref": "#/$defs/idOrNull"},
                          "iova": {"$ref": "#/$defs/hexOrNull"},
                          "what": {"type": "string"}
                        }
                      }
                    }
                  }
                },
                {"type": "null"}
              ]
            }
          }
        },
        "device": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "device", "at", "faultReason", "exposure", "verdict", "reason", "unit", "driver",
            "attaches", "inFlight", "firmwareRegions", "iova"
          ],
          "properties": {
            "device": {"type": "string"},
            "at": {
              "type": "object",
              "additionalProperties": false,
              "required": ["T1", "T2", "T3", "T4"],
              "properties": {
                "T1": {"$ref": "#/$defs/fate"},
                "T2": {"$ref": "#/$defs/fate"},
                "T3": {"$ref": "#/$defs/fate"},
                "T4": {"$ref": "#/$defs/fate"}
              }
            },
            "faultReason": {
              "type": "object",
              "additionalProperties": false,
              "required": ["T1", "T2", "T3", "T4"],
              "properties": {
                "T1": {"$ref": "#/$defs/faultReason"},
                "T2": {"$ref": "#/$defs/faultReason"},
                "T3": {"$ref": "#/$defs/faultReason"},
                "T4": {"$ref": "#/$defs/faultReason"}
              }
            },
            "exposure": {
              "description": "Bytes that the device could write into.",
              "type": "object",
              "additionalProperties": false,
              "required": [
                "moment", "crashReservation", "crashLowReservation", "crashCMA", "kernelText",
                "tables", "lowMemory", "otherMemory", "outsideMemory"
              ],
              "properties": {
                "moment": {"enum": ["T1", "T2", "T3", "T4", null]},
                "crashReservation": {"$ref": "#/$defs/count"},
                "crashLowReservation": {"$ref": "#/$defs/count"},
                "crashCMA": {"$ref": "#/$defs/count"},
                "kernelText": {"$ref": "#/$defs/count"},
                "tables": {"$ref": "#/$defs/count"},
                "lowMemory": {"$ref": "#/$defs/count"},
                "otherMemory": {"$ref": "#/$defs/count"},
                "outsideMemory": {"$ref": "#/$defs/count"}
              }
            },
            "verdict": {"$ref": "#/$defs/verdict"},
            "reason": {"type": "string"},
            "unit": {"$ref": "#/$defs/textOrNull"},
            "driver": {"$ref": "#/$defs/textOrNull"},
            "attaches": {"description": "Whether a driver attaches it in the crash kernel.", "type": "boolean"},
            "inFlight": {"type": "boolean"},
            "firmwareRegions": {"enum": ["kept", "rebuilt", "lost", null]},
            "iova": {
              "anyOf": [
                {
                  "type": "object",
                  "additionalProperties": false,
                  "required": ["left", "largestBelow4GiB", "largest", "firstHandedOut", "stillLive"],
                  "properties": {
                    "left": {"$ref": "#/$defs/count"},
                    "largestBelow4GiB": {"$ref": "#/$defs/rangeOrNull"},
                    "largest": {"$ref": "#/$defs/rangeOrNull"},
                    "firstHandedOut": {"$ref": "#/$defs/rangeOrNull"},
                    "stillLive": {
                      "description": "Bytes of firstHandedOut that old transfers can be aimed at.",
                      "$ref": "#/$defs/count"
                    }
                  }
                },
                {"type": "null"}
              ]
            }
          }
        },
        "policy": {
          "type": "object",
          "additionalProperties": false,
          "required": ["policy", "units", "devices", "verdict", "reasons", "memory", "dumpStable", "changing"],
          "properties": {
            "policy": {"$ref": "#/$defs/policyName"},
            "units": {"type": "array", "items": {"$ref": "#/$defs/unit"}},
            "devices": {"type": "array", "items": {"$ref": "#/$defs/device"}},
            "verdict": {"$ref": "#/$defs/verdict"},
            "reasons": {"type": "array", "items": {"type": "string"}},
            "memory": {"$ref": "#/$defs/memoryCost"},
            "dumpStable": {
              "description": "No device can alter memory while the dump is saved.",
              "type": "boolean"
            },
            "changing": {"$ref": "#/$defs/changedPages"}
          }
        },
        "recommendation": {
          "type": "object",
          "additionalProperties": false,
          "required": ["policy", "available", "reasons"],
          "properties": {
            "policy": {"anyOf": [{"$ref": "#/$defs/policyName"}, {"type": "null"}]},
            "available": {
              "description": "Of those that released kernels can follow.",
              "anyOf": [{"$ref": "#/$defs/policyName"}, {"type": "null"}]
            },
            "reasons": {"type": "array", "items": {"type": "string"}}
          }
        }
      }
    }
    """#
}
