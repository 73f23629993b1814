// Returns what a reader could not read: texts out of the screen, on top of each other, or cut off.
() => {
  const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = (element) => {
    const id = element.id ? `#${element.id}` : "";
    const kind = element.getAttribute?.("class");
    return `${element.tagName.toLowerCase()}${id}${kind ? `.${kind.split(" ").join(".")}` : ""}`;
  };
  const hides = (value) => value !== "visible";
  const scrolls = (value) => value === "auto" || value === "scroll";
  const shortens = (style) => style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none";
  const found = { wide: [], outside: [], clipped: [], overlapping: [] };

  if (document.documentElement.scrollWidth > innerWidth) found.wide.push(`${document.documentElement.scrollWidth} > ${innerWidth}`);

  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const element = text.parentElement;
    if (!text.data.trim() || !visible(element) || element.closest("script, style, option, meter, .hidden, .skip")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const rect of range.getClientRects()) {
      if (rect.width < 1 || rect.height < 1) continue;
      let box = { left: rect.left, right: rect.right, top: rect.top, bottom: rect.bottom, element, text: text.data.trim().slice(0, 40) };
      let kept = true;
      for (let above = element; above && above !== document.body; above = above.parentElement) {
        const style = getComputedStyle(above);
        const isPicture = above instanceof SVGSVGElement;
        if (!isPicture && !hides(style.overflowX) && !hides(style.overflowY)) continue;
        const frame = above.getBoundingClientRect();
        const cut = { x: box.left < frame.left - 2 || box.right > frame.right + 2, y: box.top < frame.top - 4 || box.bottom > frame.bottom + 4 };
        const allowed = { x: scrolls(style.overflowX) || shortens(style), y: scrolls(style.overflowY) || shortens(style) };
        if ((cut.x && !allowed.x) || (cut.y && !allowed.y)) found.clipped.push(`${name(element)} in ${name(above)}: ${box.text}`);
        // What a scrolling or a shortening frame hides is not on the screen.
        box = { ...box, left: Math.max(box.left, frame.left), right: Math.min(box.right, frame.right), top: Math.max(box.top, frame.top), bottom: Math.min(box.bottom, frame.bottom) };
        if (box.right - box.left < 1 || box.bottom - box.top < 1) { kept = false; break; }
      }
      if (!kept) continue;
      if (box.left < -1 || box.right > innerWidth + 1) found.outside.push(`${name(element)}: ${box.text}`);
      boxes.push(box);
    }
  }
  boxes.sort((a, b) => a.top - b.top);
  boxes.forEach((a, i) => {
    for (let j = i + 1; j < boxes.length && boxes[j].top < a.bottom - 3; j++) {
      const b = boxes[j];
      if (a.element === b.element || getComputedStyle(a.element).position === "fixed") continue;
      // Lines of text are set closer than their boxes are high.
      const [x, y] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
      const line = Math.min(a.bottom - a.top, b.bottom - b.top);
      if (x > 2 && y > 0.3 * line) found.overlapping.push(`${name(a.element)}: ${a.text} / ${name(b.element)}: ${b.text}`);
    }
  });
  found.texts = boxes.length;
  return found;
}
