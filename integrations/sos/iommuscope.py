# SPDX-License-Identifier: Apache-2.0
"""What iommuscope says about the newest crash dumps, in an sos report (sos 4.0 and later).

Goes to ``sos/report/plugins/`` of the installed sos. Dumps themselves are not collected: the reports hold
addresses and names, nothing of what was in memory but the kernel's messages about remapping units.
"""

import os
import re
import shlex

from sos.report.plugins import (
    DebianPlugin,
    IndependentPlugin,
    Plugin,
    RedHatPlugin,
    UbuntuPlugin,
)

try:
    from sos.report.plugins import PluginOpt
except ImportError:
    # sos 4.0: name, description, speed, default.
    def PluginOpt(name, default, desc):  # noqa: N802 - stands in for a class
        return (name, desc, "fast", default)


# Names that kdump-tools, kdump-utils and kdump-save give, packed or not.
NAMES = re.compile(
    r"^(vmcore(\.flat|-incomplete)?|dump\.\d+|dump-incomplete|.*\.(vmcore|kdump))"
    r"(\.(gz|bz2|xz|zst|lz4))?$"
)
# Where a configuration says that dumps are kept: kdump.conf, kdump-tools.
CONFIGURED = (
    ("/etc/kdump.conf", re.compile(r"^path\s+(\S+)")),
    ("/etc/default/kdump-tools", re.compile(r"^KDUMP_COREDIR=[\"']?([^\"'\s]+)")),
)


# The first policies of sos 4 ask for a distribution's own kind.
class Iommuscope(Plugin, RedHatPlugin, DebianPlugin, UbuntuPlugin, IndependentPlugin):
    """State of the IOMMU at the last crashes."""

    short_desc = "State of the Intel IOMMU at the last crashes"
    plugin_name = "iommuscope"
    profiles = ("system", "debug", "hardware", "kernel")
    commands = ("iommuscope",)
    option_list = [
        PluginOpt("dumps", default=1, desc="how many dumps, the newest"),
        PluginOpt("folder", default="", desc="where dumps are kept; as kdump is configured"),
    ]

    def folder(self):
        """Return the folder that kdump saves to."""
        given = self.get_option("folder")
        if given:
            return str(given)
        for path, pattern in CONFIGURED:
            try:
                with open(self.path_join_root(path), encoding="utf-8") as lines:
                    found = [match.group(1) for match in map(pattern.match, lines) if match]
            except OSError:
                continue
            if found:
                return found[-1]
        return "/var/crash"

    def path_join_root(self, path):
        """Return a path below the system that is looked at."""
        return os.path.join(self.sysroot, path.lstrip("/"))

    def dumps(self, folder):
        """Return the newest dumps below the folder, newest first."""
        found = []
        for place, _, names in os.walk(self.path_join_root(folder)):
            for name in names:
                path = os.path.join(place, name)
                if NAMES.match(name) and os.path.isfile(path) and not os.path.islink(path):
                    found.append((os.path.getmtime(path), path))
        try:
            count = max(0, int(self.get_option("dumps")))
        except (TypeError, ValueError):
            count = 1
        return [path for _, path in sorted(found, reverse=True)[:count]]

    def setup(self):
        """Collect a report, a forecast and the faults of each dump."""
        for number, path in enumerate(self.dumps(self.folder()), 1):
            dump = shlex.quote(path)
            for verb, words in (
                ("report", ""),
                ("report", " --format json"),
                ("inherit", ""),
                ("faults", ""),
            ):
                kind = "json" if words else "txt"
                self.add_cmd_output(
                    "iommuscope {} {}{}".format(verb, dump, words),
                    suggest_filename="dump{}-{}.{}".format(number, verb, kind),
                    # The program confines itself; below another root its libraries are not.
                    chroot=False,
                )
