/* The two pages that a reader can move. Loaded by those pages only; asks for nothing from anywhere.

   1. Drawing: SVG in pixels, so that letters keep their size on a phone.
   2. Statistics, for cohorts that the browser itself draws: held against the module by tests.
   3. "cut": a cut-point that moves. Every number of it was computed in Python and stands in the page.
   4. "nulls": cohorts in which nothing matters, drawn at a button. */
"use strict";
(() => {

// ------------------------------------------------------------------ 1. drawing

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; children are elements or text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** What a reader sets. Without autocomplete="off", a browser that comes back would set it as it was left, and tell nobody. */
const control = (name, attributes, ...children) => make(name, {autocomplete: "off", ...attributes}, ...children);

/** Add an SVG element to another one. */
function draw(parent, name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

/** About `count` round numbers from 0 to at most `most`. */
function roundTicks(most, count) {
  const rough = most / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(digit => digit * power).find(candidate => candidate >= rough);
  return Array.from({length: Math.floor(most / step + 1e-9) + 1}, (_, i) => Number((i * step).toPrecision(6)));
}

/** An empty pair of axes that says its kind, with the frame of it; across SYNTHETIC ones goes the word. */
function panel({width, height, below = 0, title, x, y, kind, frame = "", inks, label}) {
  const root = document.createElementNS(SVG, "svg");
  const total = height + below;
  for (const [key, value] of Object.entries({
    width, height: total, viewBox: `0 0 ${width} ${total}`, role: "img", "aria-label": `${kind}. ${label}`,
  })) root.setAttribute(key, value);
  const left = 46, right = width - 12, top = 28, base = height - 40;
  const scale = ([low, high], from, to) => value => from + (value - low) / (high - low) * (to - from);
  const own = {root, left, right, top, base, x: scale(x.domain, left, right), y: scale(y.domain, base, top)};
  draw(root, "text", {x: 4, y: 16, "font-weight": "bold", fill: frame || inks.ink}, `${kind}: ${title}`);
  for (const tick of x.ticks) {
    draw(root, "line", {x1: own.x(tick), x2: own.x(tick), y1: base, y2: base + 4, stroke: inks.quiet});
    draw(root, "text", {x: own.x(tick), y: base + 17, "text-anchor": "middle", fill: inks.ink}, tick);
  }
  for (const tick of y.ticks) {
    draw(root, "line", {x1: left - 4, x2: left, y1: own.y(tick), y2: own.y(tick), stroke: inks.quiet});
    draw(root, "text", {x: left - 7, y: own.y(tick) + 4, "text-anchor": "end", fill: inks.ink}, tick);
  }
  draw(root, "text", {x: (left + right) / 2, y: base + 34, "text-anchor": "middle", fill: inks.ink}, x.label);
  const middle = (top + base) / 2;
  draw(root, "text", {
    x: 12, y: middle, "text-anchor": "middle", fill: inks.ink, transform: `rotate(-90 12 ${middle})`,
  }, y.label);
  if (kind === "SYNTHETIC") {
    const centre = (left + right) / 2, size = Math.min(44, (right - left) / 6.5);
    draw(root, "text", {
      x: centre, y: middle + size / 3, "text-anchor": "middle", fill: frame, "fill-opacity": 0.17,
      "font-weight": "bold", style: `font-size: ${size}px`, transform: `rotate(-18 ${centre} ${middle})`,
    }, kind);
  }
  draw(root, "rect", {
    x: left, y: top, width: right - left, height: base - top, fill: "none",
    stroke: frame || inks.quiet, "stroke-width": frame ? 1.8 : 1,
  });
  return own;
}

/** Where a chi-square would have some P: a dashed line, with its name at the end where no spike or the lower one strikes it. */
function limit(axes, value, words, {at, chi2}, inks) {
  const y = axes.y(value), reach = 7 * words.length + 8;
  const tallest = side => Math.max(0, ...chi2.filter((_, i) => side(axes.x(at[i]))));
  const first = tallest(x => x < axes.left + reach) < tallest(x => x > axes.right - reach);
  draw(axes.root, "line", {x1: axes.left, x2: axes.right, y1: y, y2: y, stroke: inks.alert, "stroke-dasharray": "6 4"});
  draw(axes.root, "text", {
    x: first ? axes.left + 5 : axes.right - 5, y: y - 5, "text-anchor": first ? "start" : "end", fill: inks.alert, class: "halo",
  }, words);
}

/** Chi-square at each cut, with the best ringed and the chosen one filled. */
function drawStatistic(axes, {at, chi2, toward, best, chosen}, {styles, inks}) {
  at.forEach((place, i) => {
    const style = toward[i] < 0 ? styles.low : styles.high, x = axes.x(place), y = axes.y(chi2[i]);
    const picked = i === chosen, size = picked ? 5.5 : 2.6, fill = picked ? inks.ink : style.colour;
    draw(axes.root, "line", {x1: x, x2: x, y1: axes.base, y2: y, stroke: fill, "stroke-width": picked ? 2.6 : 1.4});
    if (style === styles.low) draw(axes.root, "circle", {cx: x, cy: y, r: size, fill});
    else draw(axes.root, "rect", {x: x - size, y: y - size, width: 2 * size, height: 2 * size, fill});
  });
  draw(axes.root, "circle", {
    cx: axes.x(at[best]), cy: axes.y(chi2[best]), r: 10, fill: "none", stroke: inks.ink, "stroke-width": 2,
  });
}

/** Two Kaplan-Meier curves with ticks where someone was censored, and the numbers at risk under the axis. */
function drawCurves(axes, curves, months, daysPerMonth, {styles, inks}) {
  draw(axes.root, "text", {x: 4, y: axes.base + 54, fill: inks.ink}, "At risk");
  ["low", "high"].forEach((name, row) => {
    const {day, survival, censored, last, at_risk: atRisk} = curves[row], {colour, dash} = styles[name];
    const x = days => axes.x(days / daysPerMonth);
    let path = `M${x(0)} ${axes.y(1)}`;
    day.forEach((time, i) => { path += `H${x(time)}V${axes.y(survival[i])}`; });
    draw(axes.root, "path", {
      d: `${path}H${x(last)}`, fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash,
    });
    let ticks = "", step = -1;
    for (const time of censored) {
      while (step + 1 < day.length && day[step + 1] <= time) step += 1;
      ticks += `M${x(time)} ${axes.y(step < 0 ? 1 : survival[step]) - 4}v8`;
    }
    if (ticks) draw(axes.root, "path", {d: ticks, stroke: colour, "stroke-width": 1.2});
    const line = axes.base + 70 + 16 * row;
    draw(axes.root, "text", {x: 4, y: line, fill: colour, "font-weight": "bold"}, name);
    months.forEach((month, i) => {
      draw(axes.root, "text", {x: axes.x(month), y: line, "text-anchor": "middle", fill: colour}, atRisk[i]);
    });
  });
}

/** The numbers at risk in words, for those who do not see the drawing. */
const riskWords = (months, curves) => `At risk at ${months.join(", ")} months: ` +
  `${["low", "high"].map((name, row) => `${name} ${curves[row].at_risk.join(", ")}`).join("; ")}.`;

/** A line of a curve, and beside it in words what it stands for. */
function key(root, x, y, {colour, dash}, words) {
  draw(root, "line", {x1: x, x2: x + 26, y1: y - 4, y2: y - 4, stroke: colour, "stroke-width": 2.4, "stroke-dasharray": dash});
  draw(root, "text", {x: x + 32, y, fill: colour, class: "halo"}, words);
}

/** Places for samples with words under a drawing, in as many lines as they need; a letter is taken to be 6.5 px wide. */
function keyLines(width, entries) {
  let x = 4, line = 0;
  const placed = entries.map(entry => {
    const room = 24 + 6.5 * entry.words.length;
    if (x > 4 && x + room > width) { x = 4; line += 1; }
    x += room + 10;
    return {...entry, x: x - room - 10, line};
  });
  return {placed, below: 18 * (line + 1) + 2};
}

/** Draw them below the name of the axis. */
function drawKey(axes, {placed}) {
  for (const {x, line, sample, colour, words} of placed) {
    const y = axes.base + 52 + 18 * line;
    sample(axes.root, x + 8, y - 4);
    draw(axes.root, "text", {x: x + 20, y, fill: colour}, words);
  }
}

/** What the marks of `drawStatistic` stand for; `picked` if the chosen cut may be another than the best. */
function statisticKey(width, {styles, inks}, picked) {
  const dot = (r, fill) => (root, cx, cy) => draw(root, "circle", {cx, cy, r, fill});
  const square = (root, x, y) => draw(root, "rect", {x: x - 3, y: y - 3, width: 6, height: 6, fill: styles.high.colour});
  const ring = (root, cx, cy) => {
    draw(root, "circle", {cx, cy, r: 7, fill: "none", stroke: inks.ink, "stroke-width": 2});
    if (!picked) dot(3.5, inks.ink)(root, cx, cy);   // the best is the chosen one
  };
  return keyLines(width, [
    {sample: dot(3, styles.low.colour), colour: styles.low.colour, words: "more events in low than expected"},
    {sample: square, colour: styles.high.colour, words: "more events in high than expected"},
    {sample: ring, colour: inks.ink, words: "best cut"},
    ...(picked ? [{sample: dot(5.5, inks.ink), colour: inks.ink, words: "chosen cut"}] : []),
  ]);
}

// ------------------------------------------------------------------ 2. statistics

/** Uniform numbers from 0 to below 1 from a seed (Tommy Ettinger's mulberry32). */
function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Patients whose covariate, time and censoring have nothing to do with one another. */
function nullCohort(random, n, censoring) {
  const cohort = {x: [], time: [], event: []};
  for (let i = 0; i < n; i += 1) {
    cohort.x.push(random());
    cohort.time.push(-365.25 * Math.log(1 - random()));
    cohort.event.push(random() >= censoring ? 1 : 0);
  }
  return cohort;
}

/** The log-rank statistic (hypergeometric variance) of high against low, x > cut against x <= cut, at each cut. */
function scanOne({x, time, event}, minGroup = 1) {
  const n = x.length, patients = x.map((_, i) => i);
  const days = [...new Set(time.filter((_, i) => event[i]))].sort((a, b) => a - b);
  const dead = days.map(day => patients.filter(i => event[i] && time[i] === day));
  const alive = days.map(day => patients.filter(i => time[i] >= day));
  const rows = [];
  for (const cut of [...new Set(x)].sort((a, b) => a - b).slice(0, -1)) {
    const nLow = x.filter(value => value <= cut).length;
    if (Math.min(nLow, n - nLow) < minGroup) continue;
    const high = i => x[i] > cut;
    let difference = 0, variance = 0;
    days.forEach((_, t) => {
      const d = dead[t].length, all = alive[t].length, ours = alive[t].filter(high).length;
      difference += dead[t].filter(high).length - d * ours / all;
      if (all > 1) variance += d * ours * (all - ours) * (all - d) / (all * all * (all - 1));
    });
    const statistic = variance > 0 ? difference / Math.sqrt(variance) : 0;
    rows.push({cut, nLow, statistic, chi2: statistic ** 2});
  }
  return rows;
}

const TIE = 1e-9;   // values closer than this are equal on paper

/** The place of the largest chi-square, the smallest cut among equals. */
function bestOf(rows) {
  const top = Math.max(...rows.map(row => row.chi2));
  return rows.findIndex(row => row.chi2 >= top * (1 - TIE));
}

/** Kaplan and Meier's curve of some patients, with the numbers at risk just before some days. */
function kaplanMeier({time, event}, patients, asked) {
  const days = [...new Set(patients.filter(i => event[i]).map(i => time[i]))].sort((a, b) => a - b);
  const atRisk = day => patients.filter(i => time[i] >= day).length;
  let level = 1;
  const survival = days.map(day => {
    level *= 1 - patients.filter(i => event[i] && time[i] === day).length / atRisk(day);
    return level;
  });
  return {
    day: days, survival, at_risk: asked.map(atRisk), last: Math.max(...patients.map(i => time[i])),
    censored: patients.filter(i => !event[i]).map(i => time[i]).sort((a, b) => a - b),
  };
}

// ------------------------------------------------------------------ what both pages share

const showP = p => p < 0.001 ? "below 0.001" : p.toPrecision(2);
const thousands = count => count.toLocaleString("en");
const showShare = share => `${(100 * share).toFixed(1)}%`;
const button = (words, onclick) => make("button", {type: "button", class: "explore-button", onclick}, words);

function card(words, number, meaning) {
  return make("div", {class: "explore-card"}, make("dt", {}, words),
    make("dd", {}, make("strong", {}, number), make("span", {}, meaning)));
}

/** Draw again whenever the place has another width: the window is not the only thing that changes it. */
function redrawWhenResized(place, redraw) {
  let width = place.clientWidth;
  const check = () => {
    if (place.clientWidth !== width && place.clientWidth > 0) { width = place.clientWidth; redraw(); }
  };
  // In a frame of its own, since a drawing changes the height of what is observed.
  new ResizeObserver(() => requestAnimationFrame(check)).observe(place);
}

/** A paragraph to see at once, and one to hear after half a second of rest: not at every step of a slider on its way. */
function speaker() {
  const said = make("p", {class: "explore-said"}), heard = make("p", {class: "explore-heard", "aria-live": "polite"});
  let rest;
  return {said, heard, say(words) {
    const opening = !said.textContent;   // nobody has done anything yet
    said.textContent = words;
    clearTimeout(rest);
    if (!opening) rest = setTimeout(() => { if (heard.textContent !== words) heard.textContent = words; }, 500);
  }};
}

/** How wide each of two panels is: side by side, or one under the other on a narrow page. */
const widths = (whole, share) => whole < 600 ? [whole, whole] : [share * whole - 8, (1 - share) * whole - 8].map(Math.floor);

// ------------------------------------------------------------------ 3. a cut that moves

function exploreCut(home, data) {
  let cohort = data.cohorts[0], chosen = cohort.best, held = chosen;
  const slider = control("input", {
    type: "range", id: "explore-cut", min: 0, step: 1, oninput: () => choose(Number(slider.value)),
    // A finger that begins on the slider and goes on to scroll the page has moved it: the browser cancels, and so do we.
    onpointerdown: () => { held = chosen; }, onpointercancel: () => choose(held),
  });
  const label = make("label", {for: "explore-cut"}), value = make("span", {"aria-hidden": "true"});
  const {said, heard, say} = speaker();
  const cards = make("dl", {class: "explore-cards"});
  const kind = make("p", {class: "explore-kind"});
  const above = make("div", {class: "explore-panels"}), panels = make("div", {class: "explore-panels"});
  const switches = data.cohorts.map((own, i) => make("label", {class: "explore-choice"},
    control("input", {type: "radio", name: "explore-cohort", checked: i === 0, onchange: () => take(own)}),
    `${own.title} (${own.kind})`));
  home.append(
    make("fieldset", {class: "explore-row"}, make("legend", {}, "Cohort"), ...switches), kind,
    make("div", {class: "explore-slider"}, label, value, slider),
    make("div", {class: "explore-row"}, button("Lower cut", () => choose(chosen - 1)),
      button("Higher cut", () => choose(chosen + 1)), button("Best cut", () => choose(cohort.best))),
    above, said, heard, cards, panels);

  const named = cut => `${cut}${cohort.unit}`;

  function take(own) {
    cohort = own;
    home.className = `explore explore-${own.kind.toLowerCase().replace(" ", "-")}`;
    kind.replaceChildren(make("strong", {}, own.kind), ` ${own.about} ${own.outcome} of ${own.n} patients, ${own.events} events. ` +
      `Required on either side of a cut: at least ${own.least}.`);
    label.textContent = `Cut of ${own.covariate}`;
    slider.max = own.cut.length - 1;
    choose(own.best);
  }

  function choose(place) {
    chosen = Math.max(0, Math.min(cohort.cut.length - 1, place));
    const at = name => cohort[name][chosen];
    slider.value = chosen;
    slider.setAttribute("aria-valuetext", named(at("cut")));
    value.textContent = `${named(at("cut"))}, cut ${chosen + 1} of ${cohort.cut.length}`;
    say(`Cut ${named(at("cut"))}, ${at("n_low")} against ${at("n_high")} patients with ` +
      `${at("events_low")} against ${at("events_high")} events: chi-square ${at("chi2").toFixed(2)}, ` +
      `naive P ${showP(at("p"))}, corrected P ${showP(at("corrected"))}.` +
      (chosen === cohort.best ? " This is the best cut of all." : ""));
    cards.replaceChildren(
      card("Naive P", showP(at("p")), "By the chi-square distribution, for a cut fixed before anyone saw the data; " +
        "too small when a side has few patients."),
      card("Corrected P", showP(at("corrected")), `If ${cohort.covariate} means nothing: the chance that the best of all ` +
        `${cohort.cut.length} cuts reaches it, by ${thousands(cohort.replicates)} shuffles of ${cohort.covariate}.`));
    redraw();
  }

  function redraw() {
    const whole = panels.clientWidth;
    if (!whole) return;
    const [narrow, wide] = widths(whole, 0.42);
    above.replaceChildren(statistic(whole));
    panels.replaceChildren(split(narrow), survival(wide));
  }

  const common = () => ({kind: cohort.kind, frame: cohort.frame, inks: data.inks});
  const elsewhere = "The numbers are in the text above and in the table below.";

  /** The axis of the covariate, the same in both panels that have it. */
  function covariate(count) {
    const [first, last] = cohort.range, room = 0.03 * (last - first);
    const ticks = roundTicks(last, count).filter(tick => tick >= first - room);
    const label = `${cohort.covariate} (${cohort.unit.trim()})`;
    return {domain: [first - room, last + room], ticks, label: label[0].toUpperCase() + label.slice(1)};
  }

  function statistic(width) {
    const most = 1.15 * Math.max(...cohort.chi2, ...cohort.limits);
    const lines = statisticKey(width, data, true);
    const axes = panel({
      ...common(), width, height: 260, below: lines.below, title: "every cut", x: covariate(width < 500 ? 5 : 10),
      y: {domain: [0, most], ticks: roundTicks(most, 5), label: "Log-rank chi-square"},
      label: `A spike for the chi-square at every cut; the best is ringed, the chosen one is filled. ${elsewhere}`,
    });
    drawStatistic(axes, {at: cohort.cut, chi2: cohort.chi2, toward: cohort.toward, best: cohort.best, chosen}, data);
    ["naive P = 0.05", "corrected P = 0.05"].forEach((words, i) =>
      limit(axes, cohort.limits[i], words, {at: cohort.cut, chi2: cohort.chi2}, data.inks));
    drawKey(axes, lines);
    const nearest = event => {
      const box = axes.root.getBoundingClientRect(), x = (event.clientX - box.left) * width / box.width;
      const far = cohort.cut.map(cut => Math.abs(axes.x(cut) - x));
      choose(far.indexOf(Math.min(...far)));
    };
    axes.root.addEventListener("click", nearest);
    axes.root.classList.add("explore-click");
    return axes.root;
  }

  function split(width) {
    const most = 1.1 * cohort.most, {styles, inks} = data, cut = named(cohort.cut[chosen]);
    const swatch = fill => (root, x, y) => draw(root, "rect", {x: x - 8, y: y - 6, width: 16, height: 12, fill});
    const entry = (name, words, fill) => ({
      sample: swatch(fill), colour: styles[name].colour, words: `${name} (${words} ${cut}), n = ${cohort[`n_${name}`][chosen]}`,
    });
    const lines = keyLines(width, [entry("low", "at most", styles.low.colour), entry("high", "above", "url(#explore-hatch)")]);
    const axes = panel({
      ...common(), width, height: 280, below: lines.below, title: "the cohort, split", x: covariate(5),
      y: {domain: [0, most], ticks: roundTicks(most, 5), label: "Patients"},
      label: "A histogram of the whole cohort, split at the chosen cut: " +
        `${lines.placed.map(({words}) => words).join("; ")}.`,
    });
    const hatch = draw(draw(axes.root, "defs"), "pattern", {
      id: "explore-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    draw(hatch, "rect", {width: 6, height: 6, fill: styles.high.colour});
    draw(hatch, "line", {x1: 0, x2: 0, y1: 0, y2: 6, stroke: "white", "stroke-width": 2});
    // The bins of each cut have an edge at it, so that a bar is of one group.
    const {edges, low, high} = cohort.bins[chosen];
    const bars = (counts, fill) => counts.forEach((count, bin) => {
      const x = axes.x(edges[bin]), width = axes.x(edges[bin + 1]) - x - 1;
      if (count) draw(axes.root, "rect", {x: x + 0.5, width, y: axes.y(count), height: axes.base - axes.y(count), fill});
    });
    bars(low, styles.low.colour);
    bars(high, "url(#explore-hatch)");
    const x = axes.x(cohort.cut[chosen]);
    draw(axes.root, "line", {x1: x, x2: x, y1: axes.base, y2: axes.top, stroke: inks.ink, "stroke-width": 1.6, "stroke-dasharray": "5 4"});
    drawKey(axes, lines);
    return axes.root;
  }

  function survival(width) {
    const axes = panel({
      ...common(), width, height: 280, below: 52, title: cohort.outcome.toLowerCase(),
      x: {domain: [-0.03 * cohort.last, 1.02 * cohort.last], ticks: cohort.months, label: "Months"},
      y: {domain: [-0.02, 1.04], ticks: [0, 0.25, 0.5, 0.75, 1], label: "Survival"},
      label: "Kaplan-Meier curves of the low and the high group, with ticks where someone was censored. " +
        riskWords(cohort.months, cohort.curves[chosen]),
    });
    drawCurves(axes, cohort.curves[chosen], cohort.months, data.days_per_month, data);
    ["low", "high"].forEach((name, row) => key(axes.root, axes.right - 150, axes.top + 18 + 18 * row, data.styles[name],
      `${name}, events ${cohort[`events_${name}`][chosen]}`));
    return axes.root;
  }

  home.hidden = false;
  take(cohort);
  redrawWhenResized(panels, redraw);
}

// ------------------------------------------------------------------ 4. cohorts without effect

function exploreNulls(home, data) {
  const {printed, level} = data.chi2;
  let random, bests, last, frame = 0;
  const options = (values, words) => values.map(value => make("option", {value}, words(value)));
  const distinct = name => [...new Set(data.shares.map(row => row[name]))];
  const least = control("select", {id: "explore-least", onchange: begin}, ...options(distinct("min_group"), String));
  const censoring = control("select", {id: "explore-censoring", onchange: begin},
    ...options(distinct("censoring"), share => `${Math.round(100 * share)}%`));
  const seed = control("input", {type: "number", id: "explore-seed", min: 0, max: 4294967295, step: 1, value: 1, onchange: begin});
  const field = (input, words) => make("div", {class: "explore-field"}, make("label", {for: input.id}, words), input);
  const {said, heard, say} = speaker();
  const cards = make("dl", {class: "explore-cards"});
  const panels = make("div", {class: "explore-panels"});
  const draws = [["Draw a cohort", 1], ["Draw to the next 100", 100], ["Draw to the next 1,000", 1000]].map(([words, step]) =>
    button(words, () => { if (!frame) drawTo((Math.floor(bests.length / step) + 1) * step); }));
  home.classList.add("explore-simulated");
  home.append(
    make("p", {class: "explore-kind"}, make("strong", {}, "SIMULATED"),
      ` ${data.n} invented patients a cohort, in which the covariate has nothing to do with survival.`),
    make("div", {class: "explore-row"}, field(least, "Least patients a side"), field(censoring, "Censored"), field(seed, "Seed")),
    make("div", {class: "explore-row"}, ...draws, button("Start again", begin)),
    said, heard, cards, panels);

  function begin() {
    cancelAnimationFrame(frame);
    seed.value = Number(seed.value) >>> 0;   // what the generator makes of it
    random = mulberry32(Number(seed.value));
    bests = [];
    drawTo(1);
  }

  /** Draw cohorts until there are so many, and let the page breathe in between. */
  function drawTo(goal) {
    const pause = performance.now() + 30;
    do {
      const cohort = nullCohort(random, data.n, Number(censoring.value)), rows = scanOne(cohort, Number(least.value));
      last = {cohort, rows, best: bestOf(rows)};
      bests.push(rows[last.best].chi2);
    } while (bests.length < goal && performance.now() < pause);
    frame = bests.length < goal ? requestAnimationFrame(() => drawTo(goal)) : 0;
    // Not "disabled", which would take the focus from the button that was pressed.
    for (const own of draws) own.setAttribute("aria-disabled", frame > 0);
    tell();
    redraw();
  }

  function tell() {
    const expected = data.shares.find(row => row.min_group === Number(least.value) && row.censoring === Number(censoring.value));
    const best = last.rows[last.best], total = bests.length;
    const reached = limit => bests.filter(chi2 => chi2 >= limit * (1 - TIE)).length;
    const counted = (limit, words, share) => {
      const many = reached(limit);
      // From the share to be expected: from a count of 0 it would be 0.
      const error = total < 30 ? "" : `; among ${thousands(total)} with a standard error of ${showShare(Math.sqrt(share * (1 - share) / total))}`;
      return card(words, `${thousands(many)} of ${thousands(total)}`, `${showShare(many / total)}. ` +
        `Expected: ${showShare(share)}, from ${thousands(expected.replicates)} cohorts drawn in Python${error}.`);
    };
    say(`Cohort ${thousands(total)}: the best of ${last.rows.length} cuts sets ${best.nLow} against ` +
      `${data.n - best.nLow} patients and has a chi-square of ${best.chi2.toFixed(2)}. So far ${thousands(reached(printed))} of ` +
      `${thousands(total)} reach ${printed}, and ${thousands(reached(level))} have P below 0.05.`);
    cards.replaceChildren(counted(printed, `Best cut reaches ${printed}`, expected.printed),
      counted(level, "Best cut has P < 0.05", expected.level));
  }

  const common = {kind: "SIMULATED", inks: data.inks};

  function redraw() {
    const whole = panels.clientWidth;
    if (!whole) return;
    const [one, two] = widths(whole, 0.5);
    panels.replaceChildren(statistic(one), survival(two), histogram(whole));
  }

  function statistic(width) {
    const {rows, best} = last, chi2 = rows.map(row => row.chi2), most = 1.2 * Math.max(printed, ...chi2);
    const lines = statisticKey(width, data, false);
    const axes = panel({
      ...common, width, height: 280, below: lines.below, title: "last cohort, every cut",
      x: {domain: [0, data.n], ticks: roundTicks(data.n, 6), label: "Patients in the low group"},
      y: {domain: [0, most], ticks: roundTicks(most, 5), label: "Log-rank chi-square"},
      label: "A spike for the chi-square at every cut of the last cohort; the best is ringed. It is described in the text above.",
    });
    const toward = rows.map(row => Math.sign(row.statistic));
    drawStatistic(axes, {at: rows.map(row => row.nLow), chi2, toward, best, chosen: best}, data);
    limit(axes, printed, String(printed), {at: rows.map(row => row.nLow), chi2}, data.inks);
    drawKey(axes, lines);
    return axes.root;
  }

  function survival(width) {
    const {cohort, rows, best} = last, {cut} = rows[best];
    const end = Math.max(...cohort.time) / data.days_per_month, months = roundTicks(end, 5);
    const sides = [value => value <= cut, value => value > cut].map(side => cohort.x.flatMap((value, i) => side(value) ? [i] : []));
    const asked = months.map(month => month * data.days_per_month), curves = sides.map(side => kaplanMeier(cohort, side, asked));
    const axes = panel({
      ...common, width, height: 280, below: 52, title: "split at its best cut",
      x: {domain: [-0.03 * end, 1.02 * end], ticks: months, label: "Months"},
      y: {domain: [-0.02, 1.04], ticks: [0, 0.25, 0.5, 0.75, 1], label: "Survival"},
      label: `Kaplan-Meier curves of the two sides of the best cut. ${riskWords(months, curves)}`,
    });
    drawCurves(axes, curves, months, data.days_per_month, data);
    ["low", "high"].forEach((name, row) =>
      key(axes.root, axes.right - 118, axes.top + 18 + 18 * row, data.styles[name], `${name}, n = ${sides[row].length}`));
    return axes.root;
  }

  function histogram(width) {
    const step = 0.5, bins = new Array(Math.ceil(bests.reduce((most, chi2) => Math.max(most, chi2), 12) / step) + 1).fill(0);
    for (const chi2 of bests) bins[Math.floor(chi2 / step)] += 1;
    const most = 1.25 * Math.max(4, ...bins);
    const axes = panel({
      ...common, width, height: 260, title: "the best cuts so far",
      x: {domain: [0, bins.length * step], ticks: roundTicks(bins.length * step, 8), label: "Chi-square of the best cut"},
      y: {domain: [0, most], ticks: roundTicks(most, 4), label: "Cohorts"},
      label: "A histogram of the chi-squares of the best cuts. The counts are in the text above.",
    });
    bins.forEach((count, bin) => draw(axes.root, "rect", {
      x: axes.x(bin * step) + 0.5, width: axes.x(step) - axes.x(0) - 1, fill: data.inks.bar,
      y: axes.y(count), height: axes.base - axes.y(count),
    }));
    // The two lines are close: the second begins under the name of the first, and both names stand above the bars.
    [[level, "P = 0.05"], [printed, String(printed)]].forEach(([chi2, words], row) => {
      const x = axes.x(chi2), y2 = axes.top + 17 * row;
      draw(axes.root, "line", {x1: x, x2: x, y1: axes.base, y2, stroke: data.inks.alert, "stroke-dasharray": "6 4"});
      draw(axes.root, "text", {x: x + 5, y: y2 + 13, fill: data.inks.alert, class: "halo"}, words);
    });
    return axes.root;
  }

  home.hidden = false;
  begin();
  redrawWhenResized(panels, redraw);
}

// ------------------------------------------------------------------ start

// For the tests, and for whoever would check it in the browser's console.
window.survaudit = {mulberry32, nullCohort, scanOne, bestOf, kaplanMeier};
for (const home of document.querySelectorAll(".explore[data-explore]")) {
  const page = home.dataset.explore;
  const data = JSON.parse(document.getElementById(`explore-${page}-data`).textContent);
  ({cut: exploreCut, nulls: exploreNulls})[page](home, data);
  home.parentElement.querySelectorAll(".explore-note").forEach(note => { note.hidden = true; });
}
})();
