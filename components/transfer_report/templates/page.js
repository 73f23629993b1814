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

  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.classList.remove("here");
      links.get(entry.target.id)?.classList.add("here");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const id of links.keys()) { const part = document.getElementById(id); if (part) seen.observe(part); }

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
