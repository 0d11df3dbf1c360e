// SPDX-License-Identifier: Apache-2.0

/// What a page can do where JavaScript is present: tables sort and filter, and a link opens what it
/// leads to. Without it everything is there, in the document's order.
enum PageScript {
  static let text: StaticString = """
    "use strict";
    document.documentElement.classList.add("has-js");
    for (const table of document.querySelectorAll("table.data")) {
      const body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
      const rows = Array.from(body.rows);
      heads.forEach((head, column) => {
        const button = document.createElement("button");
        button.type = "button";
        while (head.firstChild) button.append(head.firstChild);
        head.append(button);
        button.addEventListener("click", () => {
          const down = head.getAttribute("aria-sort") === "ascending";
          for (const other of heads) other.removeAttribute("aria-sort");
          head.setAttribute("aria-sort", down ? "descending" : "ascending");
          const key = (row) => {
            const cell = row.cells[column];
            return cell.dataset.k !== undefined ? Number(cell.dataset.k) : cell.textContent;
          };
          const compare = (a, b) => {
            if (typeof a === "number" && typeof b === "number") return a - b;
            if (typeof a === "number") return -1;
            if (typeof b === "number") return 1;
            return a < b ? -1 : a > b ? 1 : 0;
          };
          const sorted = rows.map((row, place) => [key(row), place, row])
            .sort((a, b) => compare(a[0], b[0]) * (down ? -1 : 1) || a[1] - b[1]);
          body.append(...sorted.map((item) => item[2]));
        });
      });
      const tools = table.closest(".scroll").previousElementSibling;
      const field = tools && tools.querySelector("input"), told = tools && tools.querySelector("output");
      if (field) {
        field.addEventListener("input", () => {
          const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
          let shown = 0;
          for (const row of rows) {
            const text = row.textContent.toLowerCase();
            const fits = words.every((word) => text.includes(word));
            row.hidden = !fits;
            if (fits) shown += 1;
          }
          told.textContent = words.length ? shown + " of " + rows.length : "";
        });
      }
    }
    const reveal = () => {
      const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (!target) return;
      target.hidden = false;
      for (let place = target; place; place = place.parentElement)
        if (place.tagName === "DETAILS") place.open = true;
      target.scrollIntoView();
    };
    addEventListener("hashchange", reveal);
    reveal();
    addEventListener("beforeprint", () => {
      for (const part of document.querySelectorAll("details.print")) part.open = true;
    });
    """

  /// The script's own hash, the one script that a page's policy lets run.
  static let hash: StaticString = "sha256-fv84OeHTmgwPLkz3TmeeMZnLdyWKUiQNlnqAtTVExro="
}
