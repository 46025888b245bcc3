"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // Light and dark: the choice of the system until the reader makes another one.
  const theme = one("#theme");
  if (theme) {
    theme.hidden = false;
    theme.addEventListener("click", () => {
      const root = document.documentElement;
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    });
  }

  // Tables: a click on a heading sorts by it, a second one the other way round.
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      const inner = head.querySelector("span");
      const button = document.createElement("button");
      button.type = "button";
      if (inner) {
        button.title = inner.title;
      }
      button.append(...head.childNodes);
      head.append(button);
      const sort = () => {
        // Numbers of flags are first wanted with the worst on top.
        const worstFirst = head.classList.contains("me") || ["Status", "Flag"].includes(button.textContent.trim());
        const before = head.getAttribute("aria-sort");
        const descending = before ? before === "ascending" : worstFirst;
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const numeric = head.dataset.type === "number";
        const key = (row) => {
          const cell = row.cells[column];
          if (!cell) return numeric ? -Infinity : "";
          return numeric ? Number(cell.dataset.v ?? cell.textContent) : cell.textContent.trim();
        };
        const body = table.tBodies[0];
        const rows = all(":scope > tr", body).map((row) => [key(row), row]);
        rows.sort(([a], [b]) => {
          const order = numeric ? a - b : a.localeCompare(b, undefined, { numeric: true });
          return descending ? -order : order;
        });
        body.append(...rows.map(([, row]) => row));
      };
      button.addEventListener("click", sort);
    });
  }

  // Filters of the table of images; they also hide the sections of elements without warnings.
  const matrix = one("#matrix");
  const filter = one("#filter");
  if (matrix && filter) {
    one(".filters").hidden = false;
    const search = one("#search");
    const badColumns = one("#bad-columns");
    const heads = all("thead th", matrix);
    const apply = () => {
      const least = Number(filter.value);
      const text = search.value.trim().toLowerCase();
      const rows = all("tbody tr", matrix);
      let shown = 0;
      for (const row of rows) {
        const fits = Number(row.dataset.worst) >= least && row.dataset.file.toLowerCase().includes(text);
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      one("#shown").textContent = `${shown} of ${rows.length} images`;
      heads.forEach((head, column) => {
        const hide = badColumns.checked && head.dataset.worst !== undefined && Number(head.dataset.worst) < 2;
        for (const row of matrix.rows) {
          if (row.cells[column]) row.cells[column].hidden = hide;
        }
      });
      for (const section of all("section.element")) {
        const flag = section.querySelector("h3 .flag");
        section.hidden = badColumns.checked && flag !== null && !/warn|fail/.test(flag.textContent);
      }
    };
    filter.addEventListener("change", apply);
    search.addEventListener("input", apply);
    badColumns.addEventListener("change", apply);
    apply();
  }

  // A link into folded values unfolds them.
  const unfold = () => {
    if (location.hash.length < 2) return;
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.closest("section.element")?.removeAttribute("hidden");
    const folded = target.closest("details");
    if (folded && !folded.open) folded.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  // A second click on the same link changes no address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) unfold();
  });
  unfold();

  // Plots enlarge in place; the arrow keys walk through those that are not folded away.
  const viewer = one("#viewer");
  if (viewer && viewer.showModal) {
    const image = one("#viewer-image");
    let plots = [];
    let at = 0;
    const show = (index) => {
      at = (index + plots.length) % plots.length;
      const small = plots[at].querySelector("img");
      image.src = small.src;
      image.alt = small.alt;
      one("#viewer-text").textContent = small.alt;
      one("#viewer-file").setAttribute("href", plots[at].getAttribute("href"));
    };
    document.addEventListener("click", (event) => {
      const plot = event.target.closest("a.plot");
      if (!plot || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      plots = all("a.plot").filter((p) => p.checkVisibility());
      show(Math.max(0, plots.indexOf(plot)));
      viewer.showModal();
    });
    one("#viewer-back").addEventListener("click", () => show(at - 1));
    one("#viewer-next").addEventListener("click", () => show(at + 1));
    one("#viewer-close").addEventListener("click", () => viewer.close());
    image.addEventListener("click", () => viewer.close());
    viewer.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") show(at - 1);
      if (event.key === "ArrowRight") show(at + 1);
    });
  }
})();
