"use strict";
// The table of the source's labels. Texts become nodes, never HTML, whatever a label is called.
const explorer = (() => {
  const tables = new Map(); // id of a target → its explorer
  const { node, bdi, titled, count, percent, fold, kinds } = cells;
  const numberOf = (part) => Number(part.dataset.labels);
  const heightOf = (labels) => Math.min(480, 56 + 38 * Math.max(2, labels));
  // What the choices of “Show” say of a label.
  const meanings = {
    up: "a weight over 1", down: "a weight under 1", none: "no source images", drawn: "drawn images", pictures: "pictures",
    flagged: "a doubtful resemblance",
  };
  // One character that looks like another in many fonts.
  const alike = { I: "l", 1: "l", "|": "l", 0: "o", O: "o", "З": "3", "з": "3", "Ʒ": "3", "ʒ": "3" };
  const look = (text) => fold(alike[text.normalize("NFKC")] ?? text);
  // The code points of a name of one character, as it is searched for.
  const codeOf = (name) => [...name].length === 1 ? `u+${name.codePointAt(0).toString(16).padStart(4, "0")}` : "";

  class Explorer {
    constructor(part) {
      const data = page.data();
      this.part = part;
      this.target = data.targets[Number(part.dataset.number)];
      this.vocabulary = data.vocabularies[this.target.vocabulary];
      this.columns = this.target.columns;
      this.detail = part.querySelector(".detail");
      this.output = part.querySelector("output");
      this.grouped = part.querySelector("[name=group]");
      this.search = part.querySelector("[type=search]");
      this.filter = part.querySelector("[name=show]");
      this.sort = part.querySelector("[name=sort]");
      this.kinds = kinds.filter(([field]) => this.columns[field]);
      this.grouping = []; // the levels that the table is grouped by
      this.rows = this.makeRows();
      this.levels = ["top", "parent"].filter((level) => new Set(this.rows.map((row) => row[level])).size > 1);
      this.hasGroups = this.levels.includes("parent");
      if (this.levels.length === 2 && this.rows.every((row) => row.top === row.parent)) this.levels.pop();
      if (this.levels.length === 1) this.grouped.textContent = "Show in groups";
      this.totals = new Map();
      this.chosen = null; // the number of the label in the panel
      this.sought = { text: "", look: "" };
      this.kept = this.listChoices();
      for (const option of [...this.filter.options]) if (!this.rows.some(this.kept[option.value])) option.remove();
      this.ready = new Promise((resolve) => { this.table = this.makeTable(resolve); });
      this.connect();
    }

    makeRows() {
      const { names, path, paths } = this.vocabulary;
      const flagged = new Set(this.target.flagged);
      const searched = paths.map(([nodes]) => fold(nodes.join(" ")));
      return names.map((name, index) => {
        const [code, unicode] = this.vocabulary.codes[index] ?? ["", ""];
        const row = { id: index, name, code, unicode, top: paths[path[index]][1], parent: paths[path[index]][2], flagged: flagged.has(index) };
        row.text = `${fold(name)} ${searched[path[index]]}`;
        for (const [field] of this.kinds) row[field] = this.columns[field][index];
        return row;
      });
    }

    // A group is one below its parent, which may have a group of the same name elsewhere.
    keyOf(level, row) { return level === this.levels[0] ? row[level] : JSON.stringify([row.top, row.parent]); }

    // The totals of a level's groups, of the rows that are shown.
    addUp(level, rows) {
      const totals = new Map();
      for (const row of rows) {
        const key = this.keyOf(level, row);
        if (!totals.has(key)) totals.set(key, { name: row[level], labels: 0 });
        const total = totals.get(key);
        total.labels += 1;
        for (const [field] of this.kinds) total[field] = (total[field] ?? 0) + (row[field] ?? 0);
        total.weight = total.source ? total.target / total.source : 0;
      }
      return totals;
    }

    // Where labels are grouped, the groups follow the column, too: by its totals.
    makeSorter(field) {
      const compare = field === "name" || field === "parent" ? (a, b) => a.localeCompare(b) : (a, b) => (a ?? -1) - (b ?? -1);
      return (a, b, one, other, column, direction) => {
        // What was searched for by its name comes first, whatever the order.
        const nearer = this.rank(one.getData()) - this.rank(other.getData());
        if (nearer && !this.grouping.length) return direction === "desc" ? -nearer : nearer;
        for (const level of this.grouping) {
          const [first, second] = [one, other].map((row) => this.totals.get(level).get(this.keyOf(level, row.getData())));
          const difference = first === second ? 0 : compare(first[field] ?? first.name, second[field] ?? second.name);
          if (difference) return difference;
        }
        return compare(a, b);
      };
    }

    // How near a label is to what is searched for: 0 if that is its name, 1 if it looks like it, else 2.
    rank(row) {
      const { raw, look: wanted } = this.sought;
      if (!wanted || row.name === raw) return 0;
      return look(row.name) === wanted ? 1 : 2;
    }

    listChoices() {
      return {
        "": () => true,
        up: (row) => row.weight > 1,
        down: (row) => row.count > 0 && row.weight < 1,
        none: (row) => !row.count,
        drawn: (row) => row.drawn > 0,
        pictures: (row) => this.target.pictures[row.id] !== undefined,
        flagged: (row) => row.flagged,
      };
    }

    makeTable(resolve) {
      const most = this.rows.reduce((max, row) => Math.max(max, row.target ?? 0), 0) || 1;
      const title = (cell) => { const made = node("button", cell.getValue(), "sorter"); made.type = "button"; return made; };
      const order = { target: 0, weight: 0, source: 2, count: 3, drawn: 4, unique: 6, repeats: 7 };
      const least = { target: 140, weight: 88, source: 84, count: 88, drawn: 84, unique: 104, repeats: 96 }; // pixels: the words and an arrow
      const columns = [{ title: "Label", field: "name", formatter: (cell) => cells.name(cell.getData()), titleFormatter: title, widthGrow: 3, minWidth: 120, responsive: 0, sorter: this.makeSorter("name") }];
      if (this.hasGroups) {
        columns.push({ title: "Group", field: "parent", formatter: (cell) => titled(bdi(cell.getValue()), cell.getValue()), titleFormatter: title, minWidth: 110, responsive: 9, sorter: this.makeSorter("parent") });
      }
      for (const [field, words, format, tooltip] of this.kinds) {
        columns.push({
          title: words, field, hozAlign: "right", headerHozAlign: "right", sorter: this.makeSorter(field), headerSortStartingDir: "desc", cssClass: "numeric",
          headerTooltip: tooltip, titleFormatter: title, minWidth: least[field], responsive: order[field],
          formatter: field === "target" ? (cell) => cells.share(cell.getValue(), most) : (cell) => format(cell.getValue()),
        });
      }
      const table = new Tabulator(this.part.querySelector(".grid"), {
        data: this.rows, columns, height: heightOf(this.rows.length), layout: "fitColumns", responsiveLayout: "hide",
        selectableRows: 1, initialSort: [{ column: "target", dir: "desc" }], placeholder: this.nothing = node("div", "", "nothing"),
        groupHeader: (value, number, rows, group) => this.makeGroup(value, group), groupStartOpen: false, groupToggleElement: false,
        columnDefaults: { headerWordWrap: true, resizable: false },
      });
      const place = () => {
        this.part.querySelector(".grid").classList.toggle("no-groups", this.hasGroups && !table.getColumn("parent").isVisible());
        this.align(table);
      };
      for (const kind of ["columnVisibilityChanged", "columnWidth", "tableRedraw", "renderComplete"]) table.on(kind, place);
      // Once columns are hidden, the others get their room.
      table.on("tableBuilt", () => { place(); table.redraw(); this.mendRoles(this.part.querySelector(".grid")); this.tell(); resolve(); });
      table.on("dataFiltered", (filters, found) => {
        const rows = found.map((row) => row.getData());
        this.found = rows.length;
        this.shown = new Set(rows.map((row) => row.id));
        this.totals = new Map(this.levels.map((level) => [level, this.addUp(level, rows)]));
        this.tell();
      });
      table.on("dataSorted", (sorters) => { if (sorters[0]) this.sort.value = sorters[0].field; });
      table.on("rowClick", (event, row) => { if (row.getData) this.show(row.getData().id, false); });
      return table;
    }

    // The numbers of a group stand below the heads of their columns: report.css reads where these end.
    align(table) {
      const grid = this.part.querySelector(".grid");
      const heads = grid.querySelector(".tabulator-headers")?.getBoundingClientRect();
      if (!heads) return;
      let first = 0;
      for (const [field] of this.kinds) {
        const column = table.getColumn(field);
        const isThere = column.isVisible();
        grid.classList.toggle(`has-${field}`, isThere);
        if (!isThere) continue;
        const box = column.getElement().getBoundingClientRect();
        grid.style.setProperty(`--end-${field}`, `${box.right - heads.left}px`);
        first = first ? Math.min(first, box.left) : box.left;
      }
      if (first) grid.style.setProperty("--names", `${first - heads.left}px`);
    }

    makeGroup(value, group) {
      const above = group.getParentGroup();
      const level = this.levels[above ? 1 : 0];
      const key = above ? JSON.stringify([above.getKey(), value]) : value;
      const made = cells.group(value, this.totals.get(level).get(key), group.isVisible());
      made.dataset.key = JSON.stringify([above ? above.getKey() : null, value]);
      const cell = node("div", made);
      cell.setAttribute("role", "gridcell");
      return cell;
    }

    // What screen readers hear: groups are rows, and what scrolls is no part of the grid that could be chosen.
    mendRoles(grid) {
      const holder = grid.querySelector(".tabulator-tableholder");
      holder.removeAttribute("tabindex");
      holder.setAttribute("role", "presentation");
      const mend = () => {
        for (const header of holder.querySelectorAll(".tabulator-group[role=rowgroup]")) header.setAttribute("role", "row");
      };
      new MutationObserver(mend).observe(holder, { childList: true, subtree: true });
    }

    connect() {
      const named = [["name", "Label"], ...(this.hasGroups ? [["parent", "Group"]] : [])];
      this.sort.append(...[...named, ...this.kinds].map(([field, words]) => { const made = node("option", words); made.value = field; return made; }));
      this.sort.value = "target";
      this.sort.addEventListener("change", () => this.table.setSort(this.sort.value, named.some(([field]) => field === this.sort.value) ? "asc" : "desc"));
      let timer = 0;
      this.search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => this.refine(), 150); });
      this.filter.addEventListener("change", () => this.refine());
      this.grouped.hidden = !this.levels.length;
      this.grouped.addEventListener("click", () => {
        const on = this.grouped.getAttribute("aria-pressed") !== "true";
        this.grouped.setAttribute("aria-pressed", String(on));
        this.grouping = on ? this.levels : [];
        this.table.setGroupBy(on ? this.levels : false);
        this.table.setSort(this.table.getSorters().map(({ field, dir }) => ({ column: field, dir })));
      });
      const grid = this.part.querySelector(".grid");
      this.keepFocus(grid);
      grid.addEventListener("click", (event) => {
        const header = event.target.closest(".tabulator-group");
        if (header) this.toggle(header);
      });
      grid.addEventListener("keydown", (event) => this.move(event));
    }

    toggle(header) {
      const find = (groups) => groups.flatMap((group) => [group, ...find(group.getSubGroups())]);
      const group = find(this.table.getGroups()).find((candidate) => candidate.getElement() === header);
      if (!group) return;
      const key = header.querySelector(".group").dataset.key;
      group.toggle();
      const next = this.find(key);
      next?.setAttribute("aria-expanded", String(group.isVisible()));
      next?.focus({ preventScroll: true });
    }

    find(key) {
      return [...this.part.querySelectorAll(".grid [data-key]")].find((part) => part.dataset.key === key);
    }

    // The library makes rows anew, at its own time: what had the focus gets it back.
    keepFocus(grid) {
      let kept = null;
      document.addEventListener("focusin", (event) => { kept = grid.contains(event.target) ? event.target.dataset.key : null; });
      document.addEventListener("pointerdown", (event) => { if (!grid.contains(event.target)) kept = null; });
      this.table.on("renderComplete", () => {
        if (kept != null && document.activeElement === document.body) this.find(kept)?.focus({ preventScroll: true });
      });
    }

    // Arrows lead from row to row.
    move(event) {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      const row = event.target.closest(".tabulator-row");
      if (!step || !row) return;
      const next = row[step]?.querySelector(".pick, .group");
      if (!next) return;
      event.preventDefault();
      next.focus();
    }

    refine() {
      const raw = this.search.value.trim();
      const text = fold(raw);
      const isCode = text.startsWith("u+");
      this.sought = { raw, look: raw && look(raw) };
      const kept = this.kept[this.filter.value];
      const finds = (row) => row.text.includes(text) || look(row.name) === this.sought.look || (isCode && (fold(row.code).includes(text) || codeOf(row.name) === text));
      this.table.setFilter((row) => kept(row) && finds(row));
    }

    // What stands in a table without rows.
    explainNothing() {
      const meaning = meanings[this.filter.value];
      const text = this.sought.raw;
      if (!text) this.nothing.replaceChildren(`No label has ${meaning ?? "that"}.`);
      else this.nothing.replaceChildren("No label has “", bdi(text), `” in its name or group${meaning ? `, and ${meaning}` : ""}.`);
    }

    tell() {
      const found = this.found ?? this.rows.length;
      this.output.textContent = found === this.rows.length ? `${count(found)} labels` : `${count(found)} of ${count(this.rows.length)} labels`;
      this.explainNothing();
      const absent = this.detail.querySelector(".absent");
      if (absent) absent.hidden = !this.shown || this.shown.has(this.chosen);
    }

    async reveal(index) {
      await this.ready;
      this.search.value = "";
      this.filter.value = "";
      this.sought = { raw: "", look: "" };
      this.table.clearFilter(true);
      if (this.grouped.getAttribute("aria-pressed") === "true") this.grouped.click();
      await this.table.scrollToRow(index, "center", false).catch(() => {});
      this.show(index, true);
      this.bring();
    }

    // Scrolls so that table and panel are in the window, and the panel in any case.
    bring() {
      const [whole, panel] = [this.part, this.detail].map((part) => part.getBoundingClientRect());
      const top = panel.bottom - whole.top <= innerHeight - 32 ? whole.top : Math.min(panel.top, panel.bottom - innerHeight + 32);
      scrollBy({ top: top - 16, behavior: "instant" });
    }

    show(index, focused) {
      const row = this.rows[index];
      this.chosen = index;
      const [nodes] = this.vocabulary.paths[this.vocabulary.path[index]];
      this.table.deselectRow();
      this.table.selectRow(index);
      const numbers = node("dl");
      const add = (words, value) => numbers.append(node("div", [node("dt", words), node("dd", value)]));
      for (const [field, words, format] of this.kinds) add(words, format(row[field]));
      if (this.columns.low && this.columns.high) add("Interval of the target's share", `${percent(this.columns.low[index])} to ${percent(this.columns.high[index])}`);
      const parts = [node("h4", bdi(row.name))];
      if (row.code) parts.push(node("p", `${row.code} ${row.unicode}`, "quiet"));
      if (nodes.length) parts.push(node("p", nodes.flatMap((above, i) => i ? [" › ", bdi(above)] : [bdi(above)]), "quiet"));
      if (row.flagged) parts.push(node("p", "⚠ Doubtful: the target's images that are taken for it are unlike these.", "doubt"));
      const shown = this.target.pictures[index];
      if (shown) parts.push(node("div", shown.map((picture) => this.makePicture(picture)), "pictures"));
      else parts.push(node("p", "No picture of it is in this report.", "quiet"));
      const absent = node("p", "This label is not in the list now: the search or “Show” leaves it out.", "absent quiet");
      absent.hidden = true;
      this.detail.replaceChildren(absent, ...parts, numbers);
      this.tell();
      if (focused) this.detail.focus({ preventScroll: true });
      else this.detail.scrollIntoView({ block: "nearest" });
    }

    makePicture([number, caption]) {
      const image = node("img");
      image.src = page.data().pictures[number];
      image.alt = caption;
      return node("figure", [image, node("figcaption", bdi(caption))], "picture");
    }
  }

  const make = (id) => {
    if (!tables.has(id)) tables.set(id, new Explorer(document.querySelector(`[data-explorer="${id}"]`)));
    return tables.get(id);
  };
  for (const part of document.querySelectorAll("[data-explorer]")) {
    // As high as it will be, so that the page does not grow when it is made.
    part.querySelector(".grid").style.height = `${heightOf(numberOf(part))}px`;
    page.whenNear(part, () => make(part.dataset.explorer));
  }
  const reveal = ({ target, label }) => make(target).reveal(label);
  // Where the reader was when a label was followed; "back" leads there.
  const places = [];
  const leave = (link, goal) => {
    places.push({ link, top: link.getBoundingClientRect().top });
    try {
      history.replaceState({ ...history.state, place: places.length - 1 }, "");
      history.scrollRestoration = "manual";
      history.pushState({ goal }, "", link.hash);
    } catch { /* A page in another's frame may have no history. */ }
  };
  addEventListener("popstate", ({ state }) => {
    if (state?.goal) reveal(state.goal);
    const place = places[state?.place];
    if (!place) return;
    scrollBy({ top: place.link.getBoundingClientRect().top - place.top, behavior: "instant" });
    place.link.focus({ preventScroll: true });
  });
  // A label or a thumbnail elsewhere leads to its row.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-label-index]");
    if (!link) return;
    event.preventDefault();
    const goal = { target: link.dataset.in, label: Number(link.dataset.labelIndex) };
    leave(link, goal);
    make(goal.target).part.scrollIntoView({ block: "start", behavior: "instant" });
    reveal(goal);
  });
  return { make };
})();
