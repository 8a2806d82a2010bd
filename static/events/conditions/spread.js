// Threshold advice: how a number is spread over people or events, and how many would match at the cut that is typed.

import { el, hidden } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 64;
const NS = "http://www.w3.org/2000/svg";

const svg = (tag, attributes) => {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

const HOLDS = { gt: "above", gte: "above", lt: "below", lte: "below" };

/** Return the share (0 to 1) beyond `cut`, reckoned from the bins; the bin that the cut divides counts in part. */
export const shareAt = (bins, cut, operator) => {
  const all = bins.reduce((sum, bin) => sum + bin.n, 0);
  if (!all || !HOLDS[operator]) return null;
  const above = bins.reduce((sum, bin) => {
    if (bin.from >= cut) return sum + bin.n;
    return bin.to > cut ? sum + (bin.n * (bin.to - cut)) / (bin.to - bin.from) : sum;
  }, 0);
  return (HOLDS[operator] === "above" ? above : all - above) / all;
};

const percent = (share) => `${share > 0 && share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;
const short = (number) => new Intl.NumberFormat("en", { maximumFractionDigits: Math.abs(number) < 10 ? 2 : 0 }).format(number);

const chart = (bins, cut, operator) => {
  const low = bins[0].from;
  const high = bins.at(-1).to;
  const most = Math.max(...bins.map((bin) => bin.n));
  const x = (value) => ((value - low) / (high - low || 1)) * WIDTH;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "cbb-chart", "aria-hidden": "true", preserveAspectRatio: "none" });
  for (const bin of bins) {
    const height = most ? (bin.n / most) * (HEIGHT - 4) : 0;
    const middle = (bin.from + bin.to) / 2;
    const inside = cut !== null && HOLDS[operator] && (HOLDS[operator] === "above" ? middle >= cut : middle <= cut);
    picture.append(svg("rect", {
      x: x(bin.from) + 0.5, y: HEIGHT - height, width: Math.max(1, x(bin.to) - x(bin.from) - 1), height, class: inside ? "cbb-bar cbb-bar--in" : "cbb-bar",
    }));
  }
  if (cut !== null && cut >= low && cut <= high) picture.append(svg("line", { x1: x(cut), x2: x(cut), y1: 0, y2: HEIGHT, class: "cbb-cut" }));
  return el("div", { class: "cbb-chartbox" }, picture, el("div", { class: "cbb-axis", "aria-hidden": "true" }, el("span", {}, short(low)), el("span", {}, short(high))));
};

const table = (spread) => el("details", { class: "cb-details cb-details--quiet" }, el("summary", {}, "As a table"),
  el("table", { class: "cb-table cbb-table" },
    el("caption", { class: "cb-visually-hidden" }, `How many ${spread.unit} have which number`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "From"), el("th", { scope: "col" }, "to"), el("th", { scope: "col", class: "cb-number" }, spread.unit))),
    el("tbody", {}, spread.bins.map((bin) => el("tr", {}, el("td", {}, short(bin.from)), el("td", {}, bin.open ? "and more" : short(bin.to)), el("td", { class: "cb-number" }, short(bin.n)))))));

const advice = (spread, operator, choose) => (spread.advice?.length && HOLDS[operator] === "above"
  ? el("p", { class: "cbb-advice" }, "To reach the top ", spread.advice.map((each) => el("button", {
    type: "button", class: "cb-button cb-button--small", onclick: () => choose(String(each.at)),
  }, hidden("Cut at "), `${percent(each.share)}: ${short(each.at)}`)))
  : null);

/** Return the panel below a rule that compares a number; it follows the cut while that is typed. */
export const spreadPanel = (ui, node, about) => {
  const panel = el("div", { class: "cbb-spread", role: "group", "aria-label": `How ${about.name || "the numbers"} are spread` }, el("p", { class: "cb-muted" }, "Looking …"));
  const draw = (spread) => {
    const operator = node.compare.op.split(":")[1];
    const typed = String(node.compare.value ?? "").trim();
    const cut = typed && Number.isFinite(Number(typed)) ? Number(typed) : null;
    if (!spread.bins?.length) return panel.replaceChildren(el("p", { class: "cb-muted" }, "No numbers have been seen here yet."));
    const share = cut === null ? null : shareAt(spread.bins, cut, operator);
    const words = share === null
      ? `${short(spread.n)} ${spread.unit}${spread.sampled ? " (a sample)" : ""}. Type a number to see how many would match.`
      : `About ${percent(share)} of ${spread.unit === "people" ? "the people who have one" : "these events"} would match at ${short(cut)}.`;
    const text = el("p", { role: "status" }, words);
    const choose = (value) => ui.set(node, { compare: { ...node.compare, value } }, `${node.id}:value`);
    return panel.replaceChildren(chart(spread.bins, cut, operator), text, el("div", {}, advice(spread, operator, choose), table(spread)));
  };
  if (!about.name) {
    panel.replaceChildren(el("p", { class: "cb-muted" }, "Choose a name first."));
    return panel;
  }
  ui.ask.spread(about).then((spread) => {
    draw(spread);
    ui.whenSet(node.id, () => draw(spread));
  }).catch(() => panel.replaceChildren(el("p", { class: "cb-muted" }, "How it is spread cannot be said right now.")));
  return panel;
};
