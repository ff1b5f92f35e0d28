// Draws the figures: the ones in view first, the others when there is time, so that paper gets them all.
(() => {
  "use strict";
  const payload = JSON.parse(document.getElementById("figures-data").textContent);
  const config = {
    background: null,
    font: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    view: { stroke: null },
    axis: {
      labelColor: "var(--ink-2)", titleColor: "var(--ink-2)", gridColor: "var(--grid)", domainColor: "var(--axis)",
      tickColor: "var(--axis)", labelFontSize: 11.5, titleFontSize: 11.5, titleFontWeight: 500, titlePadding: 8,
      labelFlush: false,
    },
    axisY: { titleAngle: 0, titleAlign: "left", titleAnchor: "end", titleX: 0, titleY: -10, domain: false, ticks: false },
    axisX: { grid: false },
  };

  const tooltip = { disableDefaultStyle: true, offsetX: 12, offsetY: 12 };

  function matches(row, variant, hidden) {
    return !hidden.has(row.s) && Object.entries(variant.where).every(([field, value]) => row[field] === value);
  }

  function start(element) {
    const figure = payload.figures[element.id];
    const box = element.querySelector(".chart");
    const hidden = new Set();
    let chosen = 0, latest = 0, drawn = null;

    async function draw() {
      const turn = ++latest;
      const variant = figure.variants[chosen];
      const spec = structuredClone(payload.specs[variant.spec]);
      const rows = figure.rows.filter((row) => matches(row, variant, hidden));
      spec.datasets = { rows };
      spec.height = figure.height;
      spec.description = figure.alt;
      spec.padding = { left: 2, right: 6, top: 6, bottom: 2 };
      spec.autosize = { type: "fit", contains: "padding" };
      const next = document.createElement("div");
      next.className = "canvas";
      box.replaceChildren(next);
      const made = await vegaEmbed(next, spec, { renderer: "svg", actions: false, defaultStyle: false, config, tooltip });
      if (turn !== latest) { made.finalize(); return; }
      if (drawn) drawn.finalize();
      drawn = made;
      element.dataset.drawn = variant.spec;
    }

    element.querySelectorAll(".switch input").forEach((input) =>
      input.addEventListener("change", () => { chosen = Number(input.value); draw(); }));
    element.querySelectorAll(".legend button").forEach((button) =>
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") === "true";
        button.setAttribute("aria-pressed", String(!shown));
        hidden[shown ? "add" : "delete"](button.dataset.series);
        draw();
      }));
    return draw;
  }

  document.querySelectorAll(".ranking").forEach((ranking) => {
    function show(budget) {
      ranking.querySelectorAll("tbody").forEach((body) => { body.hidden = body.dataset.budget !== budget; });
    }
    ranking.querySelectorAll(".switch input").forEach((input) => {
      input.addEventListener("change", () => show(input.value));
      if (input.checked) show(input.value);
    });
  });

  const waiting = new Map();
  for (const id of Object.keys(payload.figures)) {
    const element = document.getElementById(id);
    waiting.set(element, start(element));
  }

  function drawOnce(element) {
    const draw = waiting.get(element);
    waiting.delete(element);
    return draw ? draw() : null;
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); drawOnce(entry.target); }
  }, { rootMargin: "500px" });
  waiting.forEach((_, element) => seen.observe(element));

  const idle = window.requestIdleCallback || ((task) => setTimeout(task, 60));
  async function drawTheRest() {
    const next = waiting.keys().next();
    if (next.done) { document.body.dataset.charts = "drawn"; return; }
    await drawOnce(next.value);
    idle(drawTheRest);
  }
  window.addEventListener("load", () => idle(drawTheRest));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details.budget").forEach((details) => { details.open = true; });
    [...waiting.keys()].forEach(drawOnce);
  });

  const contents = document.querySelector(".contents details");
  if (window.matchMedia("(max-width: 1079px)").matches) contents.open = false;
})();
