"use strict";
// Tables that can be sorted, filtered and shown with all their columns; what is folded is printed.
(() => {
  const parseCell = (text) => {
    if (text === "-" || text === "") return null;
    const plain = text.replace(/,/g, "").replace("\u2212", "-").replace(/^</, "");
    return plain !== "" && isFinite(plain) ? Number(plain) : text.toLowerCase();
  };

  const compare = (first, second) => {
    if (typeof first === "number" && typeof second === "number") return first - second;
    if (typeof first === typeof second) return first < second ? -1 : first > second ? 1 : 0;
    return typeof first === "number" ? -1 : 1;
  };

  // What is not defined comes last, whatever the direction.
  const sortRows = (body, place, sign) => {
    const keyed = Array.from(body.rows, (row, number) => ({
      row, number, value: parseCell(row.cells[place].textContent.trim()),
    }));
    keyed.sort((a, b) => {
      if (a.value === null || b.value === null) {
        return (a.value === null) - (b.value === null) || a.number - b.number;
      }
      return sign * compare(a.value, b.value) || a.number - b.number;
    });
    body.append(...keyed.map((each) => each.row));
  };

  const makeSortable = (table) => {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const isNumber = head.classList.contains("number");
        const now = head.getAttribute("aria-sort");
        const next = now === null ? (isNumber ? "descending" : "ascending")
          : now === "ascending" ? "descending" : "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", next);
        sortRows(table.tBodies[0], place, next === "ascending" ? 1 : -1);
      });
    });
  };

  const makeFilterable = (sheet, table) => {
    const rows = Array.from(table.tBodies[0].rows);
    const count = sheet.querySelector(".count");
    const input = sheet.querySelector(".filter");
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    };
    input.addEventListener("input", apply);
    apply();
  };

  for (const sheet of document.querySelectorAll(".sheet")) {
    const table = sheet.querySelector("table");
    makeSortable(table);
    makeFilterable(sheet, table);
    const all = sheet.querySelector(".all-columns");
    if (all) all.addEventListener("change", () => table.classList.toggle("all", all.checked));
    sheet.querySelector(".controls").hidden = false;
  }

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = Array.from(document.querySelectorAll("details.run:not([open])"));
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of folded) each.open = false;
  });
})();
