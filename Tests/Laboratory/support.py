#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the support matrix of Documentation/Kernels.md out of what matrix.py compared.

usage: support.py MATRIX.json [DOCUMENT]

The rows stand in the document between the marks `<!-- rows -->` and `<!-- /rows -->`; without DOCUMENT they are printed. A row is a
kernel in a mode, with the forms of dumps and of types that were compared and the figures of the largest cell. A row with
disagreements says how many.
"""
import json
import re
import sys

FORMS = {"vmcore": "ELF", "vmcore.kdump": "kdump", "crash.elf": "image"}
TYPES = {"dump": "own", "vmlinux": "vmlinux"}
BEGIN, END = "<!-- rows -->\n", "<!-- /rows -->\n"
HEAD = ("Kernel", "Mode", "Dumps", "Types", "Contexts", "Runs", "Traced pages", "Allocator nodes", "Copied words", "Fates", "Disagreements")


def count(cell, name, part, *prefixes):
    rows = cell["compared"].get(name, {}).get(part, {})
    return sum(value for key, value in rows.items() if isinstance(value, int) and key.startswith(prefixes))


def figures(cell):
    traced = sum(sum(part.get(key, 0) for key in ("agreed", "gone", "remapped"))
                 for name, part in cell["compared"].get("trace", {}).items() if name.startswith("trace-"))
    return (count(cell, "tables", "contexts", "agreed"), count(cell, "tables", "runs", "agreed"), traced,
            count(cell, "allocator", "allocator", "agreed"), count(cell, "words", "words", "roots", "contexts"),
            count(cell, "fates", "fate-tables", "agreed") + count(cell, "fates", "fate-trace", "devices"))


def release(text):
    return [int(number) for number in re.findall(r"\d+", text or "")[:3]], text or ""


def mode(label):
    """The matrix's words for a mode, without the policy that says nothing."""
    return " ".join(word for word in label.split() if word != "default")


def names(cells, key, known):
    return ", ".join(known[name] for name in known if any(cell[key] == name for cell in cells))


def rows(document):
    groups = {}
    for cell in document["cells"]:
        what = mode(cell["label"]) + (f"; {cell['planted']}" if cell["planted"] else "")
        groups.setdefault((cell["release"], what), []).append(cell)
    for (kernel, what), cells in sorted(groups.items(), key=lambda item: (release(item[0][0]), item[0][1])):
        best = max(map(figures, cells))
        wrong = sum(len(cell["disagreements"]) for cell in cells)
        yield (kernel or "?", what, names(cells, "container", FORMS), names(cells, "types", TYPES), *map(str, best), str(wrong) if wrong else "none")


def table(document):
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---|---|---|" + "---:|" * (len(HEAD) - 4)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows(document)]
    total = document["totals"]
    lines += ["", f"{total['guests']} guests, {total['cells']} cells, of which {total['clean']} have no disagreement."]
    return "\n".join(lines) + "\n"


def put(text, found):
    before, rest = text.split(BEGIN, 1)
    return before + BEGIN + found + END + rest.split(END, 1)[1]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        found = table(json.load(file))
    if len(sys.argv) == 2:
        print(found, end="")
        return
    with open(sys.argv[2]) as file:
        text = file.read()
    with open(sys.argv[2], "w") as file:
        file.write(put(text, found))


if __name__ == "__main__":
    main()
