#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""picture.py PROGRAM SAMPLE PICTURE.png

The README's picture: parts of the page that `report --format html` writes of a sample, photographed in a
headless Chromium. Parts that are lists are left out, so that a screen has room for the pictures.
"""

import base64
import pathlib
import sys
import tempfile

from test_pages import browser, write

KEEP = """
for (const part of document.querySelectorAll("nav, footer, .skip, .tools, details, table, .scroll:has(table)"))
  part.style.display = "none";
for (const part of document.querySelectorAll("#summary dl, #summary p, #domains > .legend, #domains > p, #domains > h3"))
  part.style.display = "none";
for (const section of document.querySelectorAll("main > section"))
  if (!["summary", "topology", "domains", "memory"].includes(section.id)) section.style.display = "none";
const spaces = document.querySelectorAll("#domains article");
spaces.forEach((part, place) => { if (place > 0) part.style.display = "none"; });
return [document.querySelectorAll("main > section").length, spaces.length];
"""


def main(program, sample, picture):
    with tempfile.TemporaryDirectory() as folder:
        page = write(program, pathlib.Path(folder) / "page.html", "report", sample)
        driver = browser(1200)
        try:
            driver.get(page.resolve().as_uri())
            sections, spaces = driver.execute_script(KEEP)
            assert sections >= 4 and spaces >= 2, "the page is another one than this script knows"
            size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
            shot = driver.execute_cdp_cmd(
                "Page.captureScreenshot",
                {
                    "captureBeyondViewport": True,
                    "clip": {"x": 0, "y": 0, "width": 1200, "height": size["height"], "scale": 1},
                },
            )
            pathlib.Path(picture).write_bytes(base64.b64decode(shot["data"]))
        finally:
            driver.quit()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
