"use strict";
// The live chart of the training curves. The expressions are interpreted, so that the policy needs no 'unsafe-eval'.
// Told apart by all kinds of colour vision (Okabe and Ito 2008): of each the shades that stand out from its ground.
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#b8558a", "#3a8fc4", "#a87400"];
const DARK = ["#56b4e9", "#e69f00", "#2fc79b", "#cc79a7", "#f0e442", "#ff8a4c"];
const DASHES = 6; // as many as training_charts has
const isDark = (color) => color.match(/[\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) < 384;
for (const part of document.querySelectorAll("[data-curves]")) {
  const holder = part.querySelector(".live");
  const metric = part.querySelector("[name=metric]");
  const training = part.querySelector("[name=training]");
  let made = null;
  // As high as it will be, so that the page does not grow when it is drawn.
  const height = 350 + 20 * Math.ceil((training.options.length - 1) / (holder.clientWidth < 500 ? 1 : 2));
  holder.style.height = `${height}px`;

  const draw = async () => {
    const data = page.data();
    const reports = data.targets[Number(part.dataset.number)].reports;
    const [ink, quiet, line, ground] = ["ink", "quiet", "line", "page"].map(page.color);
    const spec = structuredClone(data.curves[metric.value]);
    // The axes are those of what is shown, the colours those of all.
    const trainings = [...new Set(reports.map((report) => report.training))];
    spec.data.values = reports
      .filter((report) => report[metric.value] != null && ["", report.training].includes(training.value))
      .map((report) => ({ ...report, dash: report.split === "eval" ? "eval" : String(trainings.indexOf(report.training) % DASHES) }));
    Object.assign(spec, { height, autosize: { type: "fit", contains: "padding", resize: true } });
    spec.config = {
      background: "transparent", font: getComputedStyle(document.body).fontFamily, view: { stroke: null },
      axis: { labelColor: ink, titleColor: quiet, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    };
    const range = isDark(ground) ? DARK : LIGHT;
    for (const layer of spec.layer) layer.encoding.color.scale = { domain: trainings, range: trainings.map((_, i) => range[i % range.length]) };
    if (trainings.length <= 8) {
      const legend = { title: null, orient: "bottom", columns: holder.clientWidth < 500 ? 1 : 2, labelLimit: 0, labelColor: ink, labelFontSize: 12, symbolType: "stroke" };
      for (const layer of spec.layer) layer.encoding.color.legend = legend;
    }
    made?.finalize();
    made = await vegaEmbed(holder, spec, {
      ast: true, actions: false, defaultStyle: false, renderer: "canvas", tooltip: { disableDefaultStyle: true },
    });
    part.classList.add("ready");
  };

  metric.addEventListener("change", draw);
  training.addEventListener("change", draw);
  document.addEventListener("themechange", () => { if (made) draw(); });
  page.whenNear(part, draw);
}
