// The list of runs, which is chosen from without loading pages; and runs that are followed.
"use strict";
document.documentElement.classList.add("scripted");

const SVG = "http://www.w3.org/2000/svg";

/** Make an element of a drawing. */
function draw(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** Put words where they belong. */
function fill(root, texts) {
  for (const place of root.querySelectorAll("[data-text]")) {
    const words = texts[place.dataset.text];
    if (words !== undefined && place.textContent !== words) place.textContent = words;
  }
}

// ---- The list ----

const REFRESH_MILLISECONDS = 4000;

function setUpList(form) {
  let latest = 0;
  let timer = 0;
  const addressOf = () => {
    const query = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...query]) if (!value) query.delete(name);
    if (query.get("sort") === "-date") query.delete("sort");
    return query.size ? `/?${query}` : "/";
  };
  /** Show what is asked for; of several questions, only the last one's answer counts. */
  const load = async (address, remember) => {
    const mine = ++latest;
    const reply = await fetch(address).catch(() => null);
    if (!reply) return; // the server has ended
    if (!reply.ok) return void location.assign(address);
    const text = await reply.text();
    if (mine !== latest) return;
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("list");
    if (!fresh) return void location.assign(address);
    const chosen = new Set(checked());
    document.getElementById("list").replaceWith(fresh);
    for (const box of boxes()) box.checked = chosen.has(box.value);
    form.elements.sort.value = page.querySelector("#choices [name=sort]").value;
    if (remember) history.replaceState(null, "", address);
    count();
  };
  const boxes = () => [...document.querySelectorAll("#list input[name=run]")];
  const checked = () => boxes().filter((box) => box.checked).map((box) => box.value);
  const count = () => {
    const number = checked().length;
    const button = document.getElementById("compare");
    button.disabled = number < 2;
    button.textContent = number ? `Compare the ${number} chosen` : "Choose runs to compare";
  };
  const soon = (milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(() => load(addressOf(), true), milliseconds);
  };
  form.addEventListener("input", () => soon(120));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    soon(0);
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "run") count();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.sort");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    load(link.getAttribute("href"), true);
  });
  // Runs that go on get further, and others begin, which is looked for more rarely. Whoever is about
  // to choose something is left alone.
  let turn = 0;
  setInterval(() => {
    const list = document.getElementById("list");
    const isBusy = document.hidden || list.contains(document.activeElement);
    const isDue = list.querySelector("tr.under-way") || ++turn % 4 === 0;
    if (!isBusy && isDue) load(addressOf(), false);
  }, REFRESH_MILLISECONDS);
  window.addEventListener("pageshow", count);
  count();
}

// ---- A run that goes on ----

const HEIGHT = 240;

/** Empty a drawing, and find where there is room on it: its letters keep their size. */
function clear(svg) {
  const width = Math.max(240, svg.clientWidth || 640);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren();
  return { left: 46, right: width - 12, top: 10, bottom: HEIGHT - 38 };
}

/** A scale from numbers to places on the drawing. */
function scale(low, high, start, end) {
  const span = high - low || 1;
  return (value) => start + ((value - low) / span) * (end - start);
}

/** Round numbers between two, about so many. */
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let each = Math.ceil(low / step - 1e-9); each * step <= high + 1e-9; each++) {
    found.push(each * step + 0);
  }
  return found;
}

function trace(points) {
  return points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

function drawAxes(svg, box, x, y, acrossTicks, upTicks, nameOf, title) {
  for (const tick of upTicks) {
    draw(svg, "line", { class: "grid", x1: box.left, x2: box.right, y1: y(tick), y2: y(tick) });
    draw(svg, "text", { x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" }, nameOf(tick));
  }
  for (const tick of acrossTicks) {
    const words = tick.toLocaleString("en");
    draw(svg, "text", { x: x(tick), y: box.bottom + 16, "text-anchor": "middle" }, words);
  }
  draw(svg, "text", { x: box.right, y: box.bottom + 31, "text-anchor": "end" }, title);
}

/** The accuracy over the questions, with its interval; the first few say too little to be drawn. */
function drawCourse(svg, history) {
  const box = clear(svg);
  if (!history.length) return;
  const last = history[history.length - 1];
  const shown = history.filter(([n]) => n >= Math.min(5, last[0]));
  const low = Math.max(0, Math.min(...shown.map((each) => each[2])) - 0.02);
  const high = Math.min(1, Math.max(...shown.map((each) => each[3])) + 0.02);
  const x = scale(0, last[0], box.left, box.right - 8);
  const y = scale(low, high, box.bottom, box.top);
  const across = ticks(0, last[0], box.right / 100).filter((each) => Number.isInteger(each));
  const percent = (each) => `${Math.round(100 * each)} %`;
  drawAxes(svg, box, x, y, across, ticks(low, high, 5), percent, "questions answered");
  const upper = shown.map(([n, , , top]) => [x(n), y(top)]);
  const lower = shown.map(([n, , bottom]) => [x(n), y(bottom)]).reverse();
  draw(svg, "path", { class: "band", d: `${trace([...upper, ...lower])}Z` });
  draw(svg, "path", { class: "line", d: trace(shown.map(([n, mean]) => [x(n), y(mean)])) });
  draw(svg, "circle", { class: "end", cx: x(last[0]), cy: y(last[1]), r: 5 });
}

const DECADE = Math.log(10);

/** The wealth of both sides of a gate, on a logarithmic scale, and the bounds at which it ends. */
function drawGate(svg, gate) {
  const box = clear(svg);
  const used = Math.max(gate.used, 1);
  const sides = [...gate.pass, ...gate.fail].map((each) => each[1]);
  const top = 1.12 * Math.max(gate.pass_limit, gate.fail_limit, ...sides);
  const bottom = Math.min(-0.7, ...sides);
  const x = scale(0, used, box.left, box.right - 8);
  const y = scale(bottom, top, box.bottom, box.top);
  const across = ticks(0, used, box.right / 100).filter((each) => Number.isInteger(each));
  const powers = ticks(bottom / DECADE, top / DECADE, 5).filter((each) => Number.isInteger(each));
  const name = (each) => String(Number((10 ** Math.round(each / DECADE)).toPrecision(1)));
  drawAxes(svg, box, x, y, across, powers.map((each) => each * DECADE), name, "questions used");
  const bounds = gate.pass_limit === gate.fail_limit
    ? [[gate.pass_limit, "either verdict"]]
    : [[gate.pass_limit, "no regression"], [gate.fail_limit, "regressed"]];
  for (const [limit, words] of bounds) {
    const wealth = Number(Math.exp(limit).toPrecision(4)).toLocaleString("en");
    draw(svg, "line", { class: "bound", x1: box.left, x2: box.right, y1: y(limit), y2: y(limit) });
    draw(svg, "text", { x: box.left + 6, y: y(limit) - 5 }, `bound: ${wealth}, ${words}`);
  }
  for (const side of ["pass", "fail"]) {
    const points = [[0, 0], ...gate[side]].map(([n, value]) => [x(n), y(value)]);
    draw(svg, "path", { class: side, d: trace(points) });
  }
}

function drawBar(svg, outcomes, share) {
  svg.replaceChildren();
  const whole = outcomes.reduce((sum, [, number]) => sum + number, 0) || 1;
  let place = 0;
  for (const [name, number] of outcomes) {
    const width = (1000 * share * number) / whole;
    if (width > 0) draw(svg, "rect", { class: name, x: place, y: 0, width, height: 12 });
    place += width;
  }
}

function showGates(holder, template, gates) {
  for (const gate of gates) {
    let card = [...holder.children].find((each) => each.dataset.gate === gate.id);
    if (!card) {
      card = template.content.firstElementChild.cloneNode(true);
      card.dataset.gate = gate.id;
      holder.append(card);
    }
    card.querySelector(".sentence").textContent = gate.problem || gate.sentence;
    if (gate.problem) continue;
    fill(card, gate.texts);
    drawGate(card.querySelector("svg"), gate);
  }
}

function showFailures(box, failures) {
  box.hidden = !failures.length;
  const lines = failures.map(([kind, message, count]) => {
    const line = document.createElement("li");
    line.textContent = `${count} × ${kind}: ${message}`;
    return line;
  });
  box.querySelector("ul").replaceChildren(...lines);
}

function followRun(root) {
  const problem = document.getElementById("live-problem");
  let source = null;
  let isOver = false;
  const end = () => {
    isOver = true;
    source.close();
  };
  const show = (event) => {
    const facts = JSON.parse(event.data);
    if (facts.problem) {
      end();
      problem.textContent = facts.problem;
      problem.hidden = false;
      return;
    }
    fill(root, facts.texts);
    root.querySelector(".live-head .tag").classList.toggle("open", !facts.over);
    drawBar(document.getElementById("live-bar"), facts.outcomes, facts.share);
    drawCourse(document.getElementById("live-course"), facts.history);
    showFailures(document.getElementById("live-failures"), facts.failures);
    const template = document.getElementById("live-gate");
    showGates(document.getElementById("live-gates"), template, facts.gates);
    if (facts.over) {
      end();
      if (root.dataset.follow) location.replace(root.dataset.report);
    }
  };
  const follow = () => {
    source = new EventSource(root.dataset.events);
    source.onopen = () => { problem.hidden = true; };
    source.onmessage = show;
    source.onerror = () => {
      problem.textContent = "The server does not answer: is `evalkit view` still running?";
      problem.hidden = false;
    };
  };
  // A browser has few connections to one server, and nobody looks at a page behind others.
  document.addEventListener("visibilitychange", () => {
    if (isOver) return;
    source.close();
    if (!document.hidden) follow();
  });
  follow();
}

const choices = document.getElementById("choices");
if (choices) setUpList(choices);
const live = document.getElementById("live");
if (live) followRun(live);
