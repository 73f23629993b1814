"use strict";
// What the cells of the explorer are made of. Texts become nodes, never HTML, whatever a label is called.
const cells = (() => {
  const node = (tag, content, className) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (content !== undefined) made.append(...[content].flat());
    return made;
  };
  const titled = (made, text) => { made.title = text; return made; };
  const bdi = (text) => node("bdi", text);
  const count = (value) => value == null ? "–" : value.toLocaleString("en");
  const percent = (share) => {
    if (share == null) return "–";
    const value = 100 * share;
    return value !== 0 && value < 0.0005 ? "<0.001%" : `${value.toFixed(value === 0 || value >= 0.95 ? 1 : value >= 0.095 ? 2 : 3)}%`;
  };
  const factor = (weight) => {
    if (weight == null) return "–";
    if (weight !== 0 && weight < 0.095) return "<0.1×";
    return `${weight >= 9.95 ? Math.round(weight).toLocaleString("en") : weight.toFixed(1)}×`;
  };
  const fold = (text) => text.normalize("NFKC").toLowerCase();

  const kinds = [
    ["source", "Of the source", percent, "P_s: share of the source's train images"],
    ["target", "Of the target", percent, "P_t: share of the target's images, as the source classifier sees them"],
    ["weight", "Weight", factor, "w: share of the target / share of the source"],
    ["count", "Images", count, "N: images in the source"],
    ["drawn", "Drawn", count, "n: images in the sample"],
    ["unique", "Different", count, "different images among those drawn"],
    ["repeats", "Repeats", count, "images drawn again"],
  ];

  const code = (row) => {
    const made = node("span", row.code, "qualifier");
    made.title = row.unicode;
    return made;
  };
  const doubt = () => {
    const made = node("span", [node("span", "⚠"), node("span", "doubtful resemblance", "hidden")], "doubt");
    made.title = "The target's images that are taken for this label are unlike the source's images of it";
    made.firstChild.setAttribute("aria-hidden", "true");
    return made;
  };
  // The group stands below the name where its column has no room.
  const name = (row) => {
    const pick = node("button", bdi(row.name), "pick");
    pick.type = "button";
    pick.title = row.name;
    pick.dataset.key = String(row.id);
    const line = node("span", [pick, ...(row.code ? [code(row)] : []), ...(row.flagged ? [doubt()] : [])], "named");
    return row.parent ? node("div", [line, titled(node("span", bdi(row.parent), "of-group"), row.parent)]) : line;
  };
  const share = (value, most) => {
    const bar = node("i");
    bar.style.width = `${(40 * (value ?? 0)) / most}px`;
    return node("span", [bar, percent(value)], "share");
  };
  // The head of a group, with what its labels have in total.
  const group = (value, total, isOpen) => {
    const add = (field, text, words) => node("span", [text, node("i", ` ${words}`)], `total of-${field}`);
    const name = value || "without a group";
    const made = node("button", [
      titled(bdi(name), name), add("labels", count(total.labels), total.labels === 1 ? "label" : "labels"), add("target", percent(total.target), "of the target"),
      add("source", percent(total.source), "of the source"), add("weight", total.source ? factor(total.weight) : "–", "as frequent"),
      ...["count", "drawn", "unique", "repeats"].filter((field) => total[field] !== undefined)
        .map((field) => add(field, count(total[field]), kinds.find(([kind]) => kind === field)[1].toLowerCase())),
    ], "group");
    made.type = "button";
    made.setAttribute("aria-expanded", String(isOpen));
    return made;
  };

  return { node, bdi, count, percent, factor, fold, kinds, name, share, group, titled };
})();
