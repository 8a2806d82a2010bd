// The fields of each kind of rule. `ui` is the builder: set(node, changes, redraw) changes a rule, ask suggests.

import { button, el, hidden, input, select } from "./dom.js";
import { combobox } from "./combobox.js";
import { spreadPanel } from "./spread.js";
import { group, newMeasure, nameOf, step, valueFor } from "./tree.js";
import { momentField, spanField, valueField } from "./values.js";
import { EDGES, EVENT_KINDS, FIRST, FUNCTIONS, INPUTS, MEASURES, OPERATORS, TIMES, WINDOWS } from "./vocabulary.js";

const word = (text) => el("span", { class: "cbb-word" }, text);

const bare = (name) => { const keys = nameOf(name); return Array.isArray(keys) ? keys.join(".") : keys; };

// --- Comparing --------------------------------------------------------------------------------------------------------

// `get` tells the comparison as it is when another operator is chosen.
const operatorSelect = (label, get, change, key, only = OPERATORS) => select(
  `${label}: comparison`, only, get().op, (op) => change({ op, value: valueFor(INPUTS.get(op), get().value) }), key);

const DATES = OPERATORS.find(([head]) => head === "Date")[1];

// `about` says of what the value is: {kind, name, event, type, group}, as the server's suggestions want it.
const comparison = (ui, node, about) => {
  const { compare } = node;
  const key = `${node.id}:value`;
  const kind = INPUTS.get(compare.op);
  const find = (q) => ui.ask.values({ ...about, name: bare(node.name), q });
  const set = (value, redraw) => ui.set(node, { compare: { ...compare, value } }, redraw);
  return [
    operatorSelect("Value", () => node.compare, (changed) => ui.set(node, { compare: changed }, true), `${node.id}:op`),
    valueField(kind, "Value", compare.value, find, set, key),
    kind === "number" && about.kind !== "group_trait" ? spreadButton(ui, node) : null,
  ];
};

const spreadButton = (ui, node) => button("Show how the numbers are spread", () => {
  ui.spreads.has(node.id) ? ui.spreads.delete(node.id) : ui.spreads.add(node.id);
  ui.redraw();
}, { symbol: "bar_chart", bare: true, key: `${node.id}:spread`, "aria-expanded": String(ui.spreads.has(node.id)) });

// Names that the catalogue knows bring the type of their values along.
const nameField = (ui, node, label, about, placeholder) => combobox(label, node.name, (q) => ui.ask.words({ ...about, q }), (name, chosen) => {
  const first = chosen && FIRST[chosen.type];
  const untouched = node.compare.value === null || (Array.isArray(node.compare.value) && !node.compare.value.length);
  const compare = first && untouched ? { op: first, value: valueFor(INPUTS.get(first), null) } : node.compare;
  ui.set(node, { name, compare }, compare !== node.compare);
}, { key: `${node.id}:name`, placeholder });

const trait = (ui, node) => [
  nameField(ui, node, "Trait", { kind: "trait" }, "plan"),
  comparison(ui, node, { kind: "trait" }),
  ui.spreads.has(node.id) ? spreadPanel(ui, node, { kind: "trait", name: bare(node.name) }) : null,
];

const property = (ui, node, context) => [
  nameField(ui, node, "Property of the event", { kind: "property", ...context.of() }, "price"),
  comparison(ui, node, { kind: "property", ...context.of() }),
  ui.spreads.has(node.id) ? spreadPanel(ui, node, { kind: "property", name: bare(node.name), ...context.of() }) : null,
];

const member = (ui, node) => [
  combobox("Type of groups", node.type, (q) => ui.ask.words({ kind: "group", q }), (type) => ui.set(node, { type }), { key: `${node.id}:type`, placeholder: "company" }),
  select("What about the group", [["any", "they belong to one"], ["whose", "one of theirs, whose"]], node.whose ? "whose" : "any",
    (chosen) => ui.set(node, { whose: chosen === "whose" }, true), `${node.id}:whose`),
  node.whose ? [
    nameField(ui, node, "Trait of the group", { kind: "group_trait", group: node.type }, "employees"),
    comparison(ui, node, { kind: "group_trait", group: node.type }),
  ] : null,
];

const segment = (ui, node) => [
  select("In or not", [["in", "is in"], ["out", "is not in"]], node.negated ? "out" : "in", (each) => ui.set(node, { negated: each === "out" }, true), `${node.id}:negated`),
  combobox("Segment", node.slug, (q) => ui.ask.words({ kind: "segment", q }), (slug) => ui.set(node, { slug }), { key: `${node.id}:name`, placeholder: "choose a segment" }),
];

// --- What they did ----------------------------------------------------------------------------------------------------

const TYPES = { event: "track", page: "page", screen: "screen" };
const ofEvent = (what) => ({ event: what.name, type: TYPES[what.kind] });

const eventField = (ui, what, label, name = "name") => combobox(label, what.name, (q) => ui.ask.words({ kind: what.kind, q }),
  (typed) => ui.set(what, { name: typed }), { key: `${what.id}:${name}`, placeholder: { event: "Order Completed", page: "Pricing", screen: "Home" }[what.kind] });

const KIND_WORDS = { event: "Event", page: "Page", screen: "Screen" };

const filter = (ui, what) => (what.where
  ? el("div", { class: "cbb-where" }, ui.drawGroup(what.where, { about: "where", of: () => ofEvent(what), owner: what }))
  : null);

const filterButton = (ui, what) => (what.where ? null : button("Only with …", () => {
  what.where = group();
  ui.addRule(what.where, { kind: "property" });
}, { symbol: "filter_alt", key: `${what.id}:filter`, "aria-label": "Only events with certain properties" }));

const measureFields = (ui, node) => {
  const { measure } = node;
  const set = (changes, redraw) => ui.set(node, { measure: { ...node.measure, ...changes } }, redraw);
  const key = `${node.id}:number`;
  const number = (operators, label, end) => [
    select(`${label}: comparison`, operators, measure.op, (op) => set({ op }, true), `${node.id}:compare`),
    input(label, measure.number, (each) => set({ number: each.trim() }), { key, inputmode: "decimal", class: "cbb-short" }),
    end ? word(end) : null,
  ];
  if (measure.type === "count") return number(TIMES, "Number of times", "times");
  if (FUNCTIONS.includes(measure.type)) {
    return [
      combobox("Property to reckon with", measure.property, (q) => ui.ask.words({ kind: "property", ...ofEvent(node), q }), (name) => set({ property: name }), { key: `${node.id}:of`, placeholder: "total" }),
      number(TIMES, "Result"),
    ];
  }
  if (!EDGES.includes(measure.type)) return [];
  const { compare } = measure;
  return [
    operatorSelect("Time", () => node.measure.compare, (changed) => set({ compare: changed }, true), `${node.id}:op`, DATES),
    valueField(INPUTS.get(compare.op), "Time", compare.value, null, (value, redraw) => set({ compare: { ...compare, value } }, redraw), `${node.id}:value`),
  ];
};

const windowFields = (ui, node) => {
  const { window } = node;
  const choose = (type) => ui.set(node, {
    window: { type, ...(type === "within" ? { span: valueFor("span", null) } : type === "since" ? { moment: valueFor("moment", null) } : {}) },
  }, true);
  return [
    select("When", WINDOWS, window.type, choose, `${node.id}:window`),
    window.type === "within" ? spanField("In the last", window.span, (span, redraw) => ui.set(node, { window: { ...window, span } }, redraw), `${node.id}:span`) : null,
    window.type === "since" ? momentField("Since", window.moment, (moment, redraw) => ui.set(node, { window: { ...window, moment } }, redraw), `${node.id}:since`) : null,
  ];
};

const sameField = (ui, label, value, set, of, key) => el("span", { class: "cbb-pair" }, word("with the same"),
  combobox(label, value, (q) => ui.ask.words({ kind: "property", ...of, q }), set, { key, placeholder: "any (no property)" }));

const thenNot = (ui, node) => {
  const { measure } = node;
  const { then } = measure;
  return el("div", { class: "cbb-part", role: "group", "aria-label": "And then not" }, el("div", { class: "cbb-line" },
    word("and then no"),
    select("Kind of what must not follow", EVENT_KINDS, then.kind, (kind) => ui.set(then, { kind }, true), `${then.id}:kind`),
    eventField(ui, then, `${KIND_WORDS[then.kind]} that must not follow`),
    word("within"),
    spanField("Within", measure.within, (within, redraw) => ui.set(node, { measure: { ...node.measure, within } }, redraw), `${node.id}:within`),
    sameField(ui, "Property that both have in common", measure.same, (same) => ui.set(node, { measure: { ...node.measure, same } }), ofEvent(node), `${node.id}:same`),
    filterButton(ui, then)), filter(ui, then));
};

const performed = (ui, node) => [
  eventField(ui, node, KIND_WORDS[node.kind]),
  select("How", MEASURES, node.measure.type, (type) => ui.set(node, { measure: newMeasure(type, node.measure) }, true), `${node.id}:measure`),
  measureFields(ui, node),
  windowFields(ui, node),
  filterButton(ui, node),
  filter(ui, node),
  node.measure.type === "then_not" ? thenNot(ui, node) : null,
];

// --- One after the other ----------------------------------------------------------------------------------------------

const MAX_STEPS = 10;

const stepLine = (ui, node, each, at) => {
  const { steps } = node;
  const moved = (by) => {
    const rest = steps.filter((other) => other !== each);
    rest.splice(at + by, 0, each);
    ui.set(node, { steps: rest }, true);
    ui.say(`Step moved to place ${at + by + 1} of ${steps.length}.`);
  };
  const tool = (label, symbol, work, off) => button(`${label} step ${at + 1}`, work, { symbol, bare: true, disabled: off, key: `${each.id}:${symbol}` });
  return el("li", { class: "cbb-step" }, el("div", { class: "cbb-line" },
    word(at ? "then" : "first"),
    select(`Kind of step ${at + 1}`, EVENT_KINDS, each.kind, (kind) => ui.set(each, { kind }, true), `${each.id}:kind`),
    eventField(ui, each, `Step ${at + 1}`),
    filterButton(ui, each),
    el("span", { class: "cbb-steptools" },
      tool("Move up", "arrow_upward", () => moved(-1), at === 0),
      tool("Move down", "arrow_downward", () => moved(1), at === steps.length - 1),
      tool("Remove", "close", () => ui.set(node, { steps: steps.filter((other) => other !== each) }, `${node.id}:add-step`), steps.length <= 2))),
  filter(ui, each));
};

const optional = (ui, node, name, label, symbol, empty, field) => (node[name]
  ? el("span", { class: "cbb-pair" }, field(), button(`Without “${label}”`, () => ui.set(node, { [name]: null }, `${node.id}:${name}-add`), { symbol: "close", bare: true, key: `${node.id}:${name}-off` }))
  : button(label, () => ui.set(node, { [name]: empty() }, `${node.id}:${name}`), { symbol, key: `${node.id}:${name}-add` }));

const sequence = (ui, node) => {
  const add = () => {
    const added = step();
    ui.set(node, { steps: [...node.steps, added] }, `${added.id}:name`);
  };
  return [
    el("ol", { class: "cbb-steps", "aria-label": "Steps, one after the other" }, node.steps.map((each, at) => stepLine(ui, node, each, at))),
    node.steps.length < MAX_STEPS ? button("Add a step", add, { symbol: "add", key: `${node.id}:add-step` }) : null,
    optional(ui, node, "within", "Within a time", "timer", () => valueFor("span", null),
      () => [word("all within"), spanField("From the first to the last step", node.within, (within, redraw) => ui.set(node, { within }, redraw), `${node.id}:within`)]),
    optional(ui, node, "since", "Only since …", "event", () => valueFor("moment", { form: "ago", number: "30", unit: "d", text: "" }),
      () => [word("since"), momentField("Since", node.since, (since, redraw) => ui.set(node, { since }, redraw), `${node.id}:since`)]),
    sameField(ui, "Property that all steps have in common", node.same, (same) => ui.set(node, { same }), ofEvent(node.steps[0] || step()), `${node.id}:same`),
  ];
};

// --- Kinds of other rooms, and what no row can show -------------------------------------------------------------------

const foreignField = (ui, node, field) => {
  const key = `${node.id}:${field.key}`;
  const value = node.tree[field.key];
  const set = (changed, redraw) => {
    const tree = { ...node.tree, [field.key]: changed };
    if (!field.required && (changed === "" || changed === null)) delete tree[field.key];
    ui.set(node, { tree }, redraw);
  };
  const spanOf = (text) => { const found = /^(\d*)([mhdw])$/.exec(text || ""); return found ? { number: found[1], unit: found[2] } : { number: "", unit: "d" }; };
  const controls = {
    name: () => combobox(field.label, value ?? "", (q) => ui.ask.words({ kind: field.words || node.key, q }), (each) => set(each), { key }),
    text: () => input(field.label, value ?? "", (each) => set(each), { key }),
    choice: () => select(field.label, [...(field.required ? [] : [["", "–"]]), ...field.choices.map((each) => [JSON.stringify(each.value), each.label])],
      value === undefined ? "" : JSON.stringify(value), (each) => set(each === "" ? "" : JSON.parse(each), true), key),
    flag: () => select(field.label, [...(field.required ? [] : [["", "–"]]), ["true", "yes"], ["false", "no"]], value === undefined ? "" : String(value), (each) => set(each === "" ? "" : each === "true", true), key),
    span: () => spanField(field.label, spanOf(value), (each, redraw) => set(each.number ? `${each.number}${each.unit}` : "", redraw), key),
    moment: () => input(field.label, value ?? "", (each) => set(each), { key, placeholder: "2026-05-01 or -30d" }),
    count: () => {
      const [op, number] = Object.entries(value || {})[0] || [];
      const count = { op: op || "gte", number: op ? String(number) : "" };
      const change = (changes, redraw) => {
        Object.assign(count, changes);
        set(count.number === "" ? "" : { [count.op]: Number.isInteger(Number(count.number)) ? Number(count.number) : count.number }, redraw);
      };
      return el("span", { class: "cbb-pair" }, select(`${field.label}: comparison`, TIMES, count.op, (each) => change({ op: each }, true), `${key}-op`),
        input(field.label, count.number, (each) => change({ number: each.trim() }), { key, inputmode: "numeric", class: "cbb-short" }));
    },
  };
  return el("span", { class: "cbb-pair" }, el("span", { class: "cbb-word" }, field.label), (controls[field.control] || controls.text)());
};

const foreign = (ui, node) => {
  const kind = ui.kinds.get(node.key);
  return kind ? kind.fields.map((field) => foreignField(ui, node, field)) : [raw(ui, node)];
};

const raw = (ui, node) => {
  const text = node.kind === "raw" ? node.text : JSON.stringify(node.tree, null, 1);
  return el("label", { class: "cbb-raw" }, hidden("Rule as JSON"), el("textarea", {
    "data-key": `${node.id}:text`, rows: Math.min(8, text.split("\n").length + 1), spellcheck: "false", value: text,
    oninput: (event) => ui.set(node, { kind: "raw", text: event.target.value }),
  }));
};

const FIELDS = { trait, property, member, segment, event: performed, page: performed, screen: performed, sequence, foreign, raw };

/** Return the fields of a rule. */
export const fieldsOf = (ui, node, context) => [FIELDS[node.kind](ui, node, context)].flat(3);
