// The browser of problems and samples. Everything that a model or a file wrote goes through textContent, nothing else.
(() => {
  "use strict";
  const ROW = 58, AROUND = 8, BATCH = 20;
  const root = document.getElementById("browser");
  const packed = document.getElementById("samples-data");
  const section = document.getElementById("samples");
  const waiting = section.querySelector(".waiting");
  const list = root.querySelector(".list");
  const spacer = root.querySelector(".spacer");
  const detail = root.querySelector(".detail");
  const form = root.querySelector(".filters");
  const count = root.querySelector(".count");
  let problems = [], shown = [], chosen = -1;

  async function unpack(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function outcome(samples, i) {
    if (samples.error[i] !== null) return "error";
    if (samples.correct[i]) return "right";
    return samples.answer[i] === null ? "none" : "wrong";
  }

  function prepare(problem, order) {
    const { samples } = problem;
    const size = samples.index.length;
    const outcomes = samples.index.map((_, i) => outcome(samples, i));
    const drawn = outcomes.filter((_, i) => !samples.greedy[i]);
    const right = (drawn.length ? drawn : outcomes).filter((o) => o === "right").length;
    return {
      ...problem, order, size, outcomes, right, drawn: drawn.length || size,
      tokens: samples.tokens.reduce((sum, t) => sum + t, 0),
      head: [problem.id, problem.question, problem.key || ""].join("\n").toLowerCase(),
      bodies: samples.text.map((t, i) => `${t}\n${samples.answer[i] ?? ""}`.toLowerCase()),
    };
  }

  function truncated(problem, i) { return problem.samples.finish[i] === "length"; }

  function matching(problem, wanted) {
    if (wanted.task && problem.task !== wanted.task) return [];
    if (wanted.engine && problem.engine !== wanted.engine) return [];
    const inHead = !wanted.search || problem.head.includes(wanted.search);
    const found = [];
    for (let i = 0; i < problem.size; i++) {
      if (wanted.outcome && problem.outcomes[i] !== wanted.outcome) continue;
      if (wanted.finish && truncated(problem, i) !== (wanted.finish === "truncated")) continue;
      if (inHead || problem.bodies[i].includes(wanted.search)) found.push(i);
    }
    return found;
  }

  const ORDERS = {
    order: (a, b) => a.order - b.order,
    hard: (a, b) => a.right / a.drawn - b.right / b.drawn || a.order - b.order,
    easy: (a, b) => b.right / b.drawn - a.right / a.drawn || a.order - b.order,
    long: (a, b) => b.tokens / b.size - a.tokens / a.size || a.order - b.order,
    id: (a, b) => a.id.localeCompare(b.id, "en", { numeric: true }),
  };

  function filter() {
    const wanted = Object.fromEntries(new FormData(form));
    wanted.search = wanted.search.trim().toLowerCase();
    const kept = problems.map((problem) => ({ problem, found: matching(problem, wanted) })).filter((e) => e.found.length);
    shown = kept.sort((a, b) => ORDERS[wanted.sort](a.problem, b.problem));
    const samples = shown.reduce((sum, e) => sum + e.found.length, 0);
    count.textContent = `${shown.length.toLocaleString("en")} problems with ${samples.toLocaleString("en")} matching samples`;
    spacer.style.height = `${shown.length * ROW}px`;
    list.scrollTop = 0;
    choose(shown.length ? 0 : -1);
  }

  function row(entry, position) {
    const { problem } = entry;
    const element = make("div", "row");
    element.id = `row-${position}`;
    element.setAttribute("role", "option");
    element.setAttribute("aria-selected", String(position === chosen));
    element.setAttribute("aria-setsize", String(shown.length));
    element.setAttribute("aria-posinset", String(position + 1));
    element.style.top = `${position * ROW}px`;
    const top = make("div", "row-top");
    const meter = make("span", "meter");
    const fill = make("span", "fill");
    fill.style.width = `${(100 * problem.right) / Math.max(problem.drawn, 1)}%`;
    meter.append(fill);
    top.append(make("span", "id", problem.id), meter, make("span", "share", `${problem.right}/${problem.drawn} right`));
    element.append(top, make("div", "question", problem.question.slice(0, 160)));
    element.addEventListener("click", () => choose(position));
    return element;
  }

  function paint() {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - AROUND);
    const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + AROUND);
    const rows = [];
    for (let i = first; i < last; i++) rows.push(row(shown[i], i));
    spacer.replaceChildren(...rows);
  }

  function choose(position) {
    chosen = position;
    if (position >= 0) {
      const top = position * ROW;
      if (top < list.scrollTop) list.scrollTop = top;
      if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
      list.setAttribute("aria-activedescendant", `row-${position}`);
    } else {
      list.removeAttribute("aria-activedescendant");
    }
    paint();
    show();
  }

  function pairs(entries) {
    const dl = make("dl", "pairs");
    for (const [name, value] of entries) {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd", "", value));
      dl.append(pair);
    }
    return dl;
  }

  const MARKS = { right: "✓ right", wrong: "✗ wrong", none: "– no answer", error: "! failed" };

  function sampleCard({ samples, outcomes }, i) {
    const card = make("section", `sample ${outcomes[i]}`);
    const head = make("h5", "");
    head.append(make("span", "", samples.greedy[i] ? "greedy" : `#${samples.index[i]}`), make("span", "mark", MARKS[outcomes[i]]));
    if (samples.answer[i] !== null) head.append(make("code", "answer", samples.answer[i]));
    const logprob = samples.mean_logprob[i];
    const facts = [`finish ${samples.finish[i]}`];
    if (samples.seconds[i] !== null) facts.unshift(`${samples.seconds[i].toFixed(2)} s`);
    if (samples.tokens[i] !== null) facts.unshift(`${samples.tokens[i]} tokens`);
    if (logprob !== null) facts.splice(1, 0, `mean logprob ${logprob.toFixed(3)}`);
    card.append(head, make("p", "facts", facts.join(" · ")));
    if (samples.error[i] !== null) card.append(make("p", "error", samples.error[i]));
    card.append(make("pre", "", samples.text[i] || "(empty)"));
    return card;
  }

  function more(box, problem, indices, from) {
    const button = box.querySelector("button.more");
    if (button) button.remove();
    indices.slice(from, from + BATCH).forEach((i) => box.append(sampleCard(problem, i)));
    const left = indices.length - from - BATCH;
    if (left <= 0) return;
    const next = make("button", "more", `Show ${Math.min(left, BATCH)} more of ${left}`);
    next.type = "button";
    next.addEventListener("click", () => more(box, problem, indices, from + BATCH));
    box.append(next);
  }

  function show() {
    detail.replaceChildren();
    if (chosen < 0) { detail.append(make("p", "empty", "Nothing matches. Loosen a filter.")); return; }
    const { problem, found } = shown[chosen];
    const prompt = make("details", "prompt");
    prompt.append(make("summary", "", "Prompt as sent"), make("pre", "", problem.prompt));
    const box = make("div", "samples");
    detail.append(
      make("h4", "", problem.id), make("p", "asked", problem.question),
      pairs([["Key", problem.key ?? "none"], ["Task", problem.task], ["Engine", problem.engine],
        ["Difficulty", problem.difficulty ?? "not binned"]]),
      prompt, box);
    more(box, problem, found, 0);
    if (found.length < problem.size) {
      const all = make("button", "more", `Show all ${problem.size} samples, ${problem.size - found.length} don't match`);
      all.type = "button";
      all.addEventListener("click", () => { box.replaceChildren(); all.remove(); more(box, problem, [...Array(problem.size).keys()], 0); });
      detail.append(all);
    }
    detail.scrollTop = 0;
  }

  function onKey(event) {
    const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter") { event.preventDefault(); detail.focus(); return; }
    if (!(event.key in steps) || !shown.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(shown.length - 1, chosen + steps[event.key])));
  }

  function fillChoices(field) {
    const values = [...new Set(problems.map((problem) => problem[field]))];
    for (const value of values) {
      const option = make("option", "", value);
      option.value = value;
      form.elements[field].append(option);
    }
    form.elements[field].parentElement.hidden = values.length < 2;
  }

  function listen() {
    let timer = 0, frame = 0;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
    list.addEventListener("keydown", onKey);
    list.addEventListener("scroll", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(paint); });
    detail.addEventListener("keydown", (event) => { if (event.key === "Escape") list.focus(); });
  }

  async function open() {
    const data = await unpack(packed.textContent);
    packed.remove();
    if (!data.problems.length) return;
    problems = data.problems.map(prepare);
    ["task", "engine"].forEach(fillChoices);
    root.hidden = false;
    waiting.hidden = true;
    listen();
    filter();
    root.dataset.ready = String(problems.length);
  }

  function fail(error) { waiting.textContent = `The samples cannot be unpacked in this browser: ${error.message}`; }

  const near = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near.disconnect();
    open().catch(fail);
  }, { rootMargin: "1200px" });
  near.observe(section);
})();
