"use strict";
// Tooltips, theme, sorting and filtering. The page reads well without any of it; text is only ever set as text.
(() => {
  const root = document.documentElement;

  // --- theme: the system's until the reader chooses ---
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => { try { return localStorage.getItem("charm-theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("charm-theme", theme); } catch { /* private window */ } };
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const name = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} theme`);
  };
  if (["dark", "light"].includes(remembered())) root.dataset.theme = remembered();
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    name();
  });
  system.addEventListener("change", name);
  name();

  // --- tooltips: the first line is the name ---
  const tip = document.getElementById("tip");
  const shown = { mark: null, left: 0, top: 0 };
  const hide = () => { tip.hidden = true; };
  const show = (event) => {
    const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
    tip.hidden = !mark;
    if (!mark) return;
    const box = mark.getBoundingClientRect();
    Object.assign(shown, { mark, left: box.left, top: box.top });
    const [title, ...lines] = mark.getAttribute("data-tip").split("\n");
    const strong = document.createElement("strong");
    strong.textContent = title;
    tip.replaceChildren(strong, ...lines.map((line) => {
      const row = document.createElement("span");
      row.textContent = line;
      return row;
    }));
    const { offsetWidth: width, offsetHeight: height } = tip;
    const right = event.clientX + 14 + width < innerWidth - 8;
    const left = right ? event.clientX + 14 : event.clientX - 14 - width;
    const below = event.clientY + 14 + height < innerHeight - 8;
    tip.style.left = `${Math.min(Math.max(8, left), Math.max(8, innerWidth - width - 8))}px`;
    tip.style.top = `${Math.max(8, below ? event.clientY + 14 : event.clientY - 14 - height)}px`;
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  // A scroll is told of a frame later, when the pointer may already rest on another mark: hide only what moved away.
  document.addEventListener("scroll", () => {
    const box = shown.mark?.getBoundingClientRect();
    if (box?.left !== shown.left || box?.top !== shown.top) hide();
  }, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // --- tables: sort by a column, filter by a word ---
  const value = (text) => Number.parseFloat(text.replaceAll("\u2212", "-").replace(/[[,+]/g, ""));
  const sort = (table, column, descending) => {
    const numeric = table.tHead.rows[0].cells[column].classList.contains("n");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => {
      const text = row.cells[column].textContent;
      return [numeric ? value(text) : text.toLowerCase(), row];
    });
    const missing = (key) => numeric && Number.isNaN(key);
    keyed.sort(([a], [b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      return (a < b ? -1 : a > b ? 1 : 0) * (descending ? -1 : 1);
    });
    body.append(...keyed.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("details.data table")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.firstElementChild.addEventListener("click", () => {
        const first = head.classList.contains("n") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const direction = head.getAttribute("aria-sort") === first ? other : first;
        for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", direction);
        sort(table, column, direction === "descending");
      });
    });
  }
  for (const input of document.querySelectorAll(".filter input")) {
    const rows = input.closest("details").querySelector("tbody").rows;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
  }
})();
