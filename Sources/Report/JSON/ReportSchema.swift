// SPDX-License-Identifier: Apache-2.0

extension ReportDocument {
  /// The JSON Schema (draft 2020-12) that every report validates against.
  ///
  /// Written by hand, because it says more than the types do: patterns, ranges and which values may
  /// be `null`. `Tests/ReportTests` holds it against what the encoder writes.
  public static let jsonSchema = #"""
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "$id": "urn:iommuscope:report:1",
      "title": "iommuscope-report/1",
      "description": "The state of the DMA remapping units in a crash dump, as `iommuscope report` found it. Keys are never missing; null is unknown or not applicable; every end is inclusive.",
      "type": "object",
      "additionalProperties": false,
      "required": [
        "schema", "tool", "dump", "units", "contexts", "domains", "devices", "reservedRegions",
        "findings", "observations", "memoryMap"
      ],
      "properties": {
        "schema": {"const": "iommuscope-report/1"},
        "tool": {"$ref": "#/$defs/tool"},
        "dump": {"$ref": "#/$defs/dump"},
        "units": {
          "description": "Remapping units, by segment and register base.",
          "type": "array", "items": {"$ref": "#/$defs/unit"}
        },
        "contexts": {
          "description": "What the hardware would see; by unit, device and PASID.",
          "type": "array", "items": {"$ref": "#/$defs/context"}
        },
        "domains": {
          "description": "Address spaces, by unit, domain-id and table; unknown ones last.",
          "type": "array", "items": {"$ref": "#/$defs/domain"}
        },
        "devices": {
          "description": "What the kernel believed; by device.",
          "type": "array", "items": {"$ref": "#/$defs/device"}
        },
        "reservedRegions": {
          "description": "Fixed regions, by segment and base.",
          "type": "array", "items": {"$ref": "#/$defs/reservedRegion"}
        },
        "findings": {
          "description": "What the audit's rules say about the state.",
          "type": "array", "items": {"$ref": "#/$defs/finding"}
        },
        "observations": {
          "description": "What the readers and the table walk met and could not, or need not, resolve.",
          "type": "array", "items": {"$ref": "#/$defs/observation"}
        },
        "memoryMap": {
          "description": "What lies where in physical memory, as far as it matters to DMA; by address.",
          "type": "array", "items": {"$ref": "#/$defs/memoryRegion"}
        }
      },
      "$defs": {
        "hex": {
          "description": "An address, a length, a table word or a register value.",
          "type": "string", "pattern": "^0x(0|[1-9a-f][0-9a-f]{0,15})$"
        },
        "hexOrNull": {"anyOf": [{"$ref": "#/$defs/hex"}, {"type": "null"}]},
        "page": {
          "description": "A page-aligned address without mode bits.",
          "type": "string", "pattern": "^0x(0|[1-9a-f][0-9a-f]{0,12}000)$"
        },
        "pageOrNull": {"anyOf": [{"$ref": "#/$defs/page"}, {"type": "null"}]},
        "count": {"type": "integer", "minimum": 0},
        "countOrNull": {"type": ["integer", "null"], "minimum": 0},
        "textOrNull": {"type": ["string", "null"]},
        "flagOrNull": {"type": ["boolean", "null"]},
        "id": {"type": "integer", "minimum": 0, "maximum": 4294967295},
        "idOrNull": {"type": ["integer", "null"], "minimum": 0, "maximum": 4294967295},
        "numberOrNull": {"type": ["integer", "null"]},
        "sourceID": {
          "description": "A PCI function, ssss:bb:dd.f.",
          "type": "string", "pattern": "^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]$"
        },
        "deviceName": {
          "description": "A PCI function, or the Linux name of anything else.",
          "type": "string"
        },
        "deviceOrNull": {"type": ["string", "null"]},
        "deviceNames": {"type": "array", "items": {"$ref": "#/$defs/deviceName"}},
        "words": {
          "description": "64-bit words as read, lowest first.",
          "type": "array", "items": {"$ref": "#/$defs/hex"}
        },
        "domainType": {
          "enum": [
            "dma", "dma-fq", "identity", "unmanaged", "blocked", "sva", "nested", "unknown"
          ]
        },
        "regionKind": {"enum": ["rmrr", "isa", "msi", "other"]},
        "coverage": {
          "description": "How tables map a fixed region, from best to worst.",
          "enum": ["identity", "partial", "other", "absent", null]
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
            "file", "format", "release", "buildID", "typesFrom", "pageSize", "kaslrOffset", "panic",
            "crashTime"
          ],
          "properties": {
            "file": {"description": "The file's name as it was given.", "type": "string"},
            "format": {"type": "string", "minLength": 1},
            "release": {"description": "uname -r.", "$ref": "#/$defs/textOrNull"},
            "buildID": {"type": ["string", "null"], "pattern": "^([0-9a-f]{2})+$"},
            "typesFrom": {"enum": ["dwarf", "btf", null]},
            "pageSize": {"description": "Bytes.", "type": "integer", "minimum": 1},
            "kaslrOffset": {"$ref": "#/$defs/hexOrNull"},
            "panic": {"description": "The last panic message.", "$ref": "#/$defs/textOrNull"},
            "crashTime": {"description": "Unix seconds.", "type": ["integer", "null"]}
          }
        },
        "unit": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "name", "segment", "registerBase", "capability", "extendedCapability", "tableMode",
            "translationEnabled", "interruptRemappingEnabled", "rootTable", "rootFrom", "domainIDs",
            "kernelObject", "sequence", "globalCommand", "levels", "ignored", "includeAll", "scope",
            "inherited", "copiedContexts", "interruptRemapping", "invalidationQueue"
          ],
          "properties": {
            "name": {"type": "string"},
            "segment": {"$ref": "#/$defs/id"},
            "registerBase": {"$ref": "#/$defs/hex"},
            "capability": {"$ref": "#/$defs/hex"},
            "extendedCapability": {"$ref": "#/$defs/hex"},
            "tableMode": {"enum": ["legacy", "extended", "scalable"]},
            "translationEnabled": {"$ref": "#/$defs/flagOrNull"},
            "interruptRemappingEnabled": {"$ref": "#/$defs/flagOrNull"},
            "rootTable": {"$ref": "#/$defs/pageOrNull"},
            "rootFrom": {"enum": ["kernel", "carved", "given", null]},
            "domainIDs": {
              "type": "object",
              "additionalProperties": false,
              "required": ["supported", "used"],
              "properties": {
                "supported": {"$ref": "#/$defs/count"},
                "used": {
                  "description": "Ids that the kernel marks as taken, ascending.",
                  "type": ["array", "null"], "items": {"$ref": "#/$defs/id"}
                }
              }
            },
            "kernelObject": {"description": "struct intel_iommu.", "$ref": "#/$defs/hexOrNull"},
            "sequence": {"$ref": "#/$defs/numberOrNull"},
            "globalCommand": {
              "description": "The shadow of the global command register.",
              "$ref": "#/$defs/hexOrNull"
            },
            "levels": {
              "description": "Of the second-stage tables that the kernel chose for the unit.",
              "$ref": "#/$defs/numberOrNull"
            },
            "ignored": {"$ref": "#/$defs/flagOrNull"},
            "includeAll": {"$ref": "#/$defs/flagOrNull"},
            "scope": {
              "description": "Devices of the unit's ACPI scope; null for one that Linux had not found.",
              "type": "array", "items": {"$ref": "#/$defs/deviceOrNull"}
            },
            "inherited": {
              "description": "Whether this kernel took the unit over with translation enabled.",
              "$ref": "#/$defs/flagOrNull"
            },
            "copiedContexts": {
              "description": "Source ids whose context entry is still the previous kernel's.",
              "$ref": "#/$defs/deviceNames"
            },
            "interruptRemapping": {
              "anyOf": [{"$ref": "#/$defs/interruptRemapping"}, {"type": "null"}]
            },
            "invalidationQueue": {
              "anyOf": [{"$ref": "#/$defs/invalidationQueue"}, {"type": "null"}]
            }
          }
        },
        "interruptRemapping": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "table", "entries", "present", "posted", "allocated", "presentButFree",
            "unreadablePages"
          ],
          "properties": {
            "table": {"$ref": "#/$defs/hexOrNull"},
            "entries": {"description": "Of the table, present or not.", "$ref": "#/$defs/count"},
            "present": {"$ref": "#/$defs/count"},
            "posted": {"$ref": "#/$defs/count"},
            "allocated": {
              "description": "Entries that the kernel's bitmap marks.", "$ref": "#/$defs/countOrNull"
            },
            "presentButFree": {
              "description": "Indices of present entries that the bitmap does not mark.",
              "type": "array", "items": {"$ref": "#/$defs/count"}, "maxItems": 64
            },
            "unreadablePages": {"$ref": "#/$defs/count"}
          }
        },
        "invalidationQueue": {
          "type": "object",
          "additionalProperties": false,
          "required": ["base", "entries", "descriptorSize", "freeHead", "freeTail", "pending"],
          "properties": {
            "base": {"$ref": "#/$defs/hexOrNull"},
            "entries": {"$ref": "#/$defs/count"},
            "descriptorSize": {"description": "Bytes.", "enum": [16, 32]},
            "freeHead": {"type": "integer"},
            "freeTail": {"type": "integer"},
            "pending": {"$ref": "#/$defs/count"}
          }
        },
        "context": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "unit", "device", "pasid", "translation", "domainID", "levels", "table",
            "faultProcessingDisabled", "raw", "entry", "secondStage", "servesRequestsWithoutPASID"
          ],
          "properties": {
            "unit": {"type": "string"},
            "device": {"$ref": "#/$defs/sourceID"},
            "pasid": {
              "description": "null in legacy mode and without any present PASID entry.",
              "type": ["integer", "null"], "minimum": 0, "maximum": 1048575
            },
            "translation": {
              "enum": ["second-stage", "first-stage", "nested", "pass-through", "none"]
            },
            "domainID": {"$ref": "#/$defs/idOrNull"},
            "levels": {"$ref": "#/$defs/numberOrNull"},
            "table": {"$ref": "#/$defs/pageOrNull"},
            "faultProcessingDisabled": {"type": "boolean"},
            "raw": {"$ref": "#/$defs/words", "minItems": 2, "maxItems": 8},
            "entry": {"description": "Physical address of the entry.", "$ref": "#/$defs/hex"},
            "secondStage": {
              "description": "Of nested translation.",
              "anyOf": [
                {
                  "type": "object",
                  "additionalProperties": false,
                  "required": ["table", "levels"],
                  "properties": {
                    "table": {"$ref": "#/$defs/page"},
                    "levels": {"type": "integer"}
                  }
                },
                {"type": "null"}
              ]
            },
            "servesRequestsWithoutPASID": {"type": "boolean"}
          }
        },
        "domain": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "unit", "domainID", "type", "kernelObject", "stage", "table", "levels", "devices",
            "inFlight", "mapping", "iova", "walk", "references"
          ],
          "properties": {
            "unit": {"$ref": "#/$defs/textOrNull"},
            "domainID": {"$ref": "#/$defs/idOrNull"},
            "type": {"$ref": "#/$defs/domainType"},
            "kernelObject": {"$ref": "#/$defs/hexOrNull"},
            "stage": {"enum": ["first", "second", null]},
            "table": {"$ref": "#/$defs/pageOrNull"},
            "levels": {"$ref": "#/$defs/numberOrNull"},
            "devices": {
              "description": "Source ids whose contexts reach the domain, each once.",
              "$ref": "#/$defs/deviceNames"
            },
            "inFlight": {"type": "boolean"},
            "mapping": {
              "description": "What the tables map; null for pass-through and blocked.",
              "anyOf": [{"$ref": "#/$defs/mapping"}, {"type": "null"}]
            },
            "iova": {
              "description": "The kernel's allocator; null where the domain has none.",
              "anyOf": [{"$ref": "#/$defs/iovaSpace"}, {"type": "null"}]
            },
            "walk": {
              "description": "What the walk of the table met; null where nothing was walked.",
              "anyOf": [{"$ref": "#/$defs/walk"}, {"type": "null"}]
            },
            "references": {
              "description": "How often the kernel has attached the domain to the unit.",
              "$ref": "#/$defs/numberOrNull"
            }
          }
        },
        "mapping": {
          "type": "object",
          "additionalProperties": false,
          "required": ["leaves", "bytes", "runs"],
          "properties": {
            "leaves": {
              "description": "Present entries that map a page of any size.", "$ref": "#/$defs/count"
            },
            "bytes": {"description": "Sum over the runs.", "$ref": "#/$defs/count"},
            "runs": {
              "description": "By IOVA, disjoint.",
              "type": "array", "items": {"$ref": "#/$defs/run"}
            }
          }
        },
        "run": {
          "type": "object",
          "additionalProperties": false,
          "required": ["iova", "length", "physical", "access"],
          "properties": {
            "iova": {"$ref": "#/$defs/hex"},
            "length": {"description": "Bytes.", "$ref": "#/$defs/hex"},
            "physical": {"$ref": "#/$defs/hex"},
            "access": {"enum": ["r", "w", "rw"]}
          }
        },
        "iovaSpace": {
          "type": "object",
          "additionalProperties": false,
          "required": ["allocated", "unallocated"],
          "properties": {
            "allocated": {
              "description": "Every node of the allocator's tree but its anchor, by address.",
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["start", "end", "state"],
                "properties": {
                  "start": {"$ref": "#/$defs/hex"},
                  "end": {"$ref": "#/$defs/hex"},
                  "state": {
                    "enum": ["live", "unmapped", "cached", "pending", "flushed", "reserved"]
                  }
                }
              }
            },
            "unallocated": {
              "description": "Mapped ranges that lie in no node, by address.",
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["start", "end"],
                "properties": {
                  "start": {"$ref": "#/$defs/hex"},
                  "end": {"$ref": "#/$defs/hex"}
                }
              }
            }
          }
        },
        "walk": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "tables", "unreadable", "assumedEmpty", "cycles", "aliases", "reservedBits",
            "bytesOutsideMemory", "budgetExhausted"
          ],
          "properties": {
            "tables": {"$ref": "#/$defs/count"},
            "unreadable": {"$ref": "#/$defs/count"},
            "assumedEmpty": {"$ref": "#/$defs/count"},
            "cycles": {"$ref": "#/$defs/count"},
            "aliases": {"$ref": "#/$defs/count"},
            "reservedBits": {"$ref": "#/$defs/count"},
            "bytesOutsideMemory": {
              "description": "Mapped bytes whose target is not memory that the dump describes.",
              "$ref": "#/$defs/count"
            },
            "budgetExhausted": {"type": "boolean"}
          }
        },
        "device": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "device", "unit", "domainID", "aliases", "reservedRegions", "group", "driver",
            "kernelObject", "domain", "defaultDomainType", "pciID"
          ],
          "properties": {
            "device": {"$ref": "#/$defs/deviceName"},
            "unit": {"$ref": "#/$defs/textOrNull"},
            "domainID": {
              "description": "Of requests without PASID.", "$ref": "#/$defs/idOrNull"
            },
            "aliases": {
              "description": "Other source ids that the device's requests may carry.",
              "$ref": "#/$defs/deviceNames"
            },
            "reservedRegions": {
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["kind", "base", "end", "mapped"],
                "properties": {
                  "kind": {"$ref": "#/$defs/regionKind"},
                  "base": {"$ref": "#/$defs/hex"},
                  "end": {"$ref": "#/$defs/hex"},
                  "mapped": {"$ref": "#/$defs/coverage"}
                }
              }
            },
            "group": {"$ref": "#/$defs/numberOrNull"},
            "driver": {"$ref": "#/$defs/textOrNull"},
            "kernelObject": {
              "description": "struct device_domain_info, or the group's domain.",
              "$ref": "#/$defs/hexOrNull"
            },
            "domain": {
              "description": "The kernel's domain of requests without PASID.",
              "$ref": "#/$defs/hexOrNull"
            },
            "defaultDomainType": {
              "anyOf": [{"$ref": "#/$defs/domainType"}, {"type": "null"}]
            },
            "pciID": {"type": ["string", "null"], "pattern": "^[0-9a-f]{4}:[0-9a-f]{4}$"}
          }
        },
        "reservedRegion": {
          "type": "object",
          "additionalProperties": false,
          "required": ["kind", "segment", "base", "end", "devices", "mapped"],
          "properties": {
            "kind": {"$ref": "#/$defs/regionKind"},
            "segment": {"$ref": "#/$defs/idOrNull"},
            "base": {"$ref": "#/$defs/hex"},
            "end": {"$ref": "#/$defs/hex"},
            "devices": {"$ref": "#/$defs/deviceNames"},
            "mapped": {
              "description": "The worst over the devices; null for MSI.",
              "$ref": "#/$defs/coverage"
            }
          }
        },
        "finding": {
          "type": "object",
          "additionalProperties": false,
          "required": ["rule", "severity", "unit", "device", "message", "evidence"],
          "properties": {
            "rule": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*\\.[a-z]+(-[a-z]+)*$"},
            "severity": {"enum": ["error", "warning", "info"]},
            "unit": {"$ref": "#/$defs/textOrNull"},
            "device": {"$ref": "#/$defs/deviceOrNull"},
            "message": {"type": "string", "minLength": 1},
            "evidence": {
              "type": "array",
              "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["what", "address", "words"],
                "properties": {
                  "what": {"type": "string"},
                  "address": {"$ref": "#/$defs/hexOrNull"},
                  "words": {"$ref": "#/$defs/words"}
                }
              }
            }
          }
        },
        "memoryRegion": {
          "type": "object",
          "additionalProperties": false,
          "required": ["kind", "start", "end"],
          "properties": {
            "kind": {
              "enum": [
                "memory", "firmware", "acpi", "kernel-text", "kernel-data", "crash-kernel"
              ]
            },
            "start": {"$ref": "#/$defs/hex"},
            "end": {"$ref": "#/$defs/hex"}
          }
        },
        "observation": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "kind", "unit", "device", "domainID", "subject", "address", "word", "detail", "count",
            "cause"
          ],
          "properties": {
            "kind": {
              "enum": [
                "unreadable", "assumed-zero", "reserved-bits", "cycle", "alias", "budget",
                "malformed", "outside-memory", "shared-table", "maps-table", "free-page",
                "interrupt-entry"
              ]
            },
            "unit": {"$ref": "#/$defs/textOrNull"},
            "device": {"$ref": "#/$defs/deviceOrNull"},
            "domainID": {"$ref": "#/$defs/idOrNull"},
            "subject": {"type": "string"},
            "address": {"$ref": "#/$defs/hexOrNull"},
            "word": {"$ref": "#/$defs/hexOrNull"},
            "detail": {"type": "string"},
            "count": {"$ref": "#/$defs/count"},
            "cause": {
              "enum": [
                "excluded", "zero-or-excluded", "not-in-dump", "truncated", "corrupt",
                "unsupported", "system", "unmapped", "null-pointer", "unknown-shape",
                "contradiction", "reserved-bits", "impossible-field", "misaligned",
                "beyond-host-address-width", "second-stage", null
              ]
            }
          }
        }
      }
    }

    """#
}
