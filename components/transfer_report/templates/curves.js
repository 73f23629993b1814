"use strict";
// The live chart of the training curves. The expressions are interpreted, so that the policy needs no 'unsafe-eval'.
for (const part of document.querySelectorAll("[data-curves]")) {
  const holder = part.querySelector(".live");
  const metric = part.querySelector("[name=metric]");
  const training = part.querySelector("[name=training]");
  let made = null;

  const draw = async () => {
    const data = page.data();
    const reports = data.targets[Number(part.dataset.number)].reports;
    const [ink, quiet, line] = ["ink", "quiet", "line"].map(page.color);
    const spec = structuredClone(data.curves[metric.value]);
    spec.data.values = reports.filter((report) => report[metric.value] != null);
    spec.config = {
      background: "transparent", font: getComputedStyle(document.body).fontFamily, view: { stroke: null },
      axis: { labelColor: ink, titleColor: quiet, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
      // Told apart by all kinds of colour vision, on light and on dark (Okabe and Ito 2008, the darkest and lightest left out).
      range: { category: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"] },
    };
    const trainings = new Set(reports.map((report) => report.training));
    if (trainings.size <= 8) {
      const legend = { title: null, orient: "bottom", columns: holder.clientWidth < 500 ? 1 : 2, labelLimit: 0, labelColor: ink, labelFontSize: 12, symbolType: "stroke" };
      for (const layer of spec.layer) layer.encoding.color.legend = legend;
    }
    made?.finalize();
    made = await vegaEmbed(holder, spec, {
      ast: true, actions: false, defaultStyle: false, renderer: "canvas", tooltip: { disableDefaultStyle: true },
    });
    made.view.signal("picked", training.value).runAsync();
    part.classList.add("ready");
  };

  metric.addEventListener("change", draw);
  training.addEventListener("change", () => made?.view.signal("picked", training.value).runAsync());
  document.addEventListener("themechange", () => { if (made) draw(); });
  page.whenNear(part, draw);
}
