"use strict";
// What every page has: the theme, the choice of a target, the contents. It also reads the data, once.
const page = (() => {
  const root = document.documentElement;
  root.classList.add("js");
  let read = null;

  const remember = (value) => {
    try { localStorage.setItem("specialist-theme", value); } catch { /* A file may have no storage. */ }
  };
  const recall = () => {
    try { return localStorage.getItem("specialist-theme"); } catch { return null; }
  };

  const themes = ["system", "dark", "light"];
  const button = document.getElementById("theme");
  const setTheme = (theme) => {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    document.dispatchEvent(new Event("themechange"));
  };
  let theme = themes.includes(recall()) ? recall() : "system";
  setTheme(theme);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    remember(theme);
    setTheme(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new Event("themechange"));
  });

  const show = (id) => {
    for (const part of document.querySelectorAll("[data-target]")) part.classList.toggle("off", part.dataset.target !== id);
    for (const choice of document.querySelectorAll("button[data-show]")) {
      choice.setAttribute("aria-pressed", String(choice.dataset.show === id));
    }
    document.dispatchEvent(new Event("targetchange"));
  };
  for (const choice of document.querySelectorAll("[data-show]")) {
    choice.addEventListener("click", () => show(choice.dataset.show));
  }
  const follow = () => {
    const article = document.getElementById(location.hash.slice(1))?.closest("[data-target]");
    if (article?.classList.contains("off")) { show(article.dataset.target); document.getElementById(location.hash.slice(1)).scrollIntoView(); }
  };
  // A link into what is folded opens it.
  const unfold = () => {
    const folds = document.getElementById(location.hash.slice(1))?.closest("details");
    if (folds && !folds.open) { folds.open = true; document.getElementById(location.hash.slice(1)).scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  addEventListener("hashchange", follow);
  follow();

  // A phone has no room for the contents.
  const contents = document.querySelector("details.contents");
  const wide = matchMedia("(min-width: 1060px)");
  const fold = () => { contents.open = wide.matches; };
  wide.addEventListener("change", fold);
  fold();

  // One entry of the contents is current: that of the section at the top of the window.
  const links = [...document.querySelectorAll("nav a")].map((link) => [link, document.getElementById(link.hash.slice(1))]);
  let followed = null; // the section that was asked for last: at the page's end it may not reach the top
  const isAtEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const mark = () => {
    const known = links.filter(([, part]) => part?.getClientRects().length);
    const passed = known.filter(([, part]) => part.getBoundingClientRect().top <= 100);
    let current = (passed.at(-1) ?? known[0])?.[1];
    if (isAtEnd() && followed?.getClientRects().length && followed.getBoundingClientRect().top < innerHeight) current = followed;
    for (const [link, part] of links) {
      link.classList.toggle("here", part === current);
      if (part === current) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  };
  let waiting = false;
  const markSoon = () => {
    if (!waiting) requestAnimationFrame(() => { waiting = false; mark(); });
    waiting = true;
  };
  for (const kind of ["scroll", "resize"]) addEventListener(kind, markSoon, { passive: true });
  document.addEventListener("targetchange", markSoon);
  markSoon();

  // What is made on the way may be higher than was reserved: then the section is scrolled to again, unless the reader
  // has begun to scroll.
  let settling = null;
  const settle = () => {
    if (!settling) return;
    const margin = parseFloat(getComputedStyle(root).scrollPaddingTop) || 0;
    if (Math.abs(settling.getBoundingClientRect().top - margin) > 2 && !isAtEnd()) settling.scrollIntoView({ behavior: "instant" });
  };
  const grown = new ResizeObserver(() => { if (!isScrolling) settle(); });
  grown.observe(document.body);
  let isScrolling = false;
  addEventListener("scroll", () => { isScrolling = true; }, { passive: true });
  addEventListener("scrollend", () => { isScrolling = false; settle(); });
  for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(kind, () => { settling = null; }, { passive: true });
  for (const [link, part] of links) link.addEventListener("click", () => { settling = followed = part; markSoon(); });

  // An image of few pixels keeps its edges.
  const sharpen = (image) => { if (image.naturalWidth && image.naturalWidth <= 48) image.classList.add("small"); };
  document.addEventListener("load", (event) => { if (event.target instanceof HTMLImageElement) sharpen(event.target); }, true);
  for (const image of document.images) sharpen(image);

  // Paper has no buttons: all that is folded is open there.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("main details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of folded) part.open = false; });

  return {
    data: () => (read ??= JSON.parse(document.getElementById("data").textContent)),
    color: (name) => {
      // The computed colour, for libraries that know no variables.
      const probe = document.createElement("i");
      probe.style.color = `var(--${name})`;
      document.body.append(probe);
      const found = getComputedStyle(probe).color;
      probe.remove();
      return found;
    },
    // Runs `make` once `part` comes near to the screen.
    whenNear: (part, make) => {
      const observer = new IntersectionObserver((entries) => {
        if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); make(); }
      }, { rootMargin: "600px" });
      observer.observe(part);
    },
  };
})();
