// The fields of each kind of rule. `ui` is the builder: set(node, changes, redraw) changes a rule, ask suggests.

import { button, el, hidden, input, select } from "./dom.js";
import { combobox } from "./combobox.js";
import { nameBox } from "./names.js";
import { spreadPanel } from "./spread.js";
import { group, momentOf, newMeasure, nameOf, readMoment, span, step, valueFor } from "./tree.js";
import { momentField, spanField, valueField } from "./values.js";
import { EDGES, EVENT_KINDS, FIRST, FUNCTIONS, INPUTS, MAX_STEPS, MEASURES, OPERATORS, TIMES, WINDOWS } from "./vocabulary.js";

const word = (text) => el("span", { class: "cbb-word" }, text);

const bare = (name) => { const keys = nameOf(name); return Array.isArray(keys) ? keys.join(".") : keys; };

// --- Comparing --------------------------------------------------------------------------------------------------------

// `get` tells the comparison as it is when another operator is chosen.
const operatorSelect = (label, get, change, key, only = OPERATORS) => select(
  `${label}: comparison`, only, get().op, (op) => change({ op, value: valueFor(INPUTS.get(op), get().value) }), key);

const dates = () => OPERATORS.map(([head, each]) => [head, each.filter(([op]) => op.startsWith("date:"))]).filter(([, each]) => each.length);

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
  nameBox(ui, "Segment", node.slug, { kind: "segment" }, (slug) => ui.set(node, { slug }), { key: `${node.id}:name`, placeholder: "choose a segment" }),
];

// --- What they did ----------------------------------------------------------------------------------------------------

const TYPES = { event: "track", page: "page", screen: "screen" };
const ofEvent = (what) => ({ event: what.name, type: TYPES[what.kind] });

const eventField = (ui, what, label, name = "name") => combobox(label, what.name, (q) => ui.ask.words({ kind: what.kind, q }),
  (typed) => ui.set(what, { name: typed }), { key: `${what.id}:${name}`, placeholder: { event: "Order Completed", page: "Pricing", screen: "Home" }[what.kind] });

const MORE = "cb-button cb-button--small cbb-more";

const KIND_WORDS = { event: "Event", page: "Page", screen: "Screen" };

const filter = (ui, what) => (what.where
  ? el("div", { class: "cbb-where" }, ui.drawGroup(what.where, { about: "where", of: () => ofEvent(what), owner: what }))
  : null);

const filterButton = (ui, what) => (what.where ? null : button("where …", () => {
  what.where = group();
  ui.addRule(what.where, { kind: "property" });
}, { symbol: "add", key: `${what.id}:filter`, class: MORE, "aria-label": "Only events with certain properties" }));

const measureFields = (ui, node) => {
  const { measure } = node;
  const set = (changes, redraw) => ui.set(node, { measure: { ...node.measure, ...changes } }, redraw);
  const key = `${node.id}:number`;
  if (measure.type === "count") return [input("Number of times", measure.number, (each) => set({ number: each.trim() }), { key, inputmode: "numeric", class: "cbb-short" }), word("times")];
  if (FUNCTIONS.includes(measure.type)) {
    return [
      combobox("Property to reckon with", measure.property, (q) => ui.ask.words({ kind: "property", ...ofEvent(node), q }), (name) => set({ property: name }), { key: `${node.id}:of`, placeholder: "total" }),
      select("Result: comparison", TIMES, measure.op, (op) => set({ op }, true), `${node.id}:compare`),
      input("Result", measure.number, (each) => set({ number: each.trim() }), { key, inputmode: "decimal", class: "cbb-short" }),
    ];
  }
  if (!EDGES.includes(measure.type)) return [];
  const { compare } = measure;
  return [
    operatorSelect("Time", () => node.measure.compare, (changed) => set({ compare: changed }, true), `${node.id}:op`, dates()),
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

// What a rule can do without appears when it is asked for, and goes by its cross. `has`: there is a value already.
const onDemand = (ui, key, label, has, field, clear) => {
  const name = `${key}:asked`;
  if (!has && !ui.asked.has(name)) {
    return button(label, () => { ui.asked.add(name); ui.redraw(key); }, { symbol: "add", key: `${key}-add`, class: MORE });
  }
  const away = () => { ui.asked.delete(name); clear(); ui.redraw(`${key}-add`); };
  return el("span", { class: "cbb-pair" }, field(), button(`Without “${label}”`, away, { symbol: "close", bare: true, key: `${key}-off` }));
};

const sameField = (ui, label, value, set, of, key) => onDemand(ui, key, "with the same …", value !== "", () => [word("with the same"),
  combobox(label, value, (q) => ui.ask.words({ kind: "property", ...of, q }), set, { key, placeholder: "order_id" })], () => set(""));

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

// To count is chosen together with how to compare: "at least", "exactly".
const measureKey = ({ type, op }) => (type === "count" ? `count:${op}` : type);
const measureFor = (key, old) => {
  const [type, op] = key.split(":");
  return { ...newMeasure(type, old), ...(op ? { op } : {}) };
};

const performed = (ui, node) => [
  eventField(ui, node, KIND_WORDS[node.kind]),
  select("How", MEASURES, measureKey(node.measure), (key) => ui.set(node, { measure: measureFor(key, node.measure) }, true), `${node.id}:measure`),
  measureFields(ui, node),
  windowFields(ui, node),
  filterButton(ui, node),
  filter(ui, node),
  node.measure.type === "then_not" ? thenNot(ui, node) : null,
];

// --- One after the other ----------------------------------------------------------------------------------------------

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

const sequence = (ui, node) => {
  const add = () => {
    const added = step();
    ui.set(node, { steps: [...node.steps, added] }, `${added.id}:name`);
  };
  const optional = (name, label, empty, field) => onDemand(ui, `${node.id}:${name}`, label, node[name], () => {
    if (!node[name]) ui.set(node, { [name]: empty() });
    return field(node[name], (value, redraw) => ui.set(node, { [name]: value }, redraw), `${node.id}:${name}`);
  }, () => ui.set(node, { [name]: null }));
  return [
    el("ol", { class: "cbb-steps", "aria-label": "Steps, one after the other" }, node.steps.map((each, at) => stepLine(ui, node, each, at))),
    node.steps.length < MAX_STEPS ? button("Add a step", add, { symbol: "add", key: `${node.id}:add-step` }) : null,
    optional("within", "all within …", () => valueFor("span", null),
      (value, set, key) => [word("all within"), spanField("From the first to the last step", value, set, key)]),
    optional("since", "since …", () => ({ form: "ago", number: "30", unit: "d", text: "" }),
      (value, set, key) => [word("since"), momentField("Since", value, set, key)]),
    sameField(ui, "Property that all steps have in common", node.same, (same) => ui.set(node, { same }), ofEvent(node.steps[0] || step()), `${node.id}:same`),
  ];
};

// --- Kinds of other rooms, and what no row can show -------------------------------------------------------------------

// The fields by what they hold: `set` takes the value as it stands in the JSON, "" for none.
const CONTROLS = {
  name: (ui, node, field, value, set, key) => nameBox(ui, field.label, value ?? "", { kind: field.words || node.key }, set, { key, placeholder: field.label }),
  text: (ui, node, field, value, set, key) => input(field.label, value ?? "", set, { key }),
  choice: (ui, node, field, value, set, key) => select(field.label, field.choices.map((each) => [JSON.stringify(each.value), each.label]),
    JSON.stringify(value), (each) => set(JSON.parse(each), true), key),
  flag: (ui, node, field, value, set, key) => select(field.label, [["true", "yes"], ["false", "no"]], String(value), (each) => set(each === "true", true), key),
  span: (ui, node, field, value, set, key) => spanField(field.label, span(value ?? "7d") || { number: "", unit: "d" }, (each, redraw) => set(each.number ? `${each.number}${each.unit}` : "", redraw), key),
  moment: (ui, node, field, value, set, key) => momentField(field.label, readMoment(value ?? "-30d"), (each, redraw) => set(momentOf(each), redraw), key),
  count: (ui, node, field, value, set, key) => {
    const [op, number] = Object.entries(value || { gte: "" })[0];
    const count = { op, number: String(number) };
    const change = (changes, redraw) => {
      Object.assign(count, changes);
      set({ [count.op]: /^\d+$/.test(count.number) ? Number(count.number) : count.number }, redraw);
    };
    return [select(`${field.label}: comparison`, TIMES, count.op, (each) => change({ op: each }, true), `${key}-op`),
      input(field.label, count.number, (each) => change({ number: each.trim() }), { key, inputmode: "numeric", class: "cbb-short" }), word("times")];
  },
};
// What a field begins with where a list or a length of time shows something from the start.
const BEGINS = { span: () => "7d", moment: () => "-30d", flag: () => true, choice: (field) => field.choices[0].value, count: () => ({ gte: 3 }) };
const beginning = (field) => BEGINS[field.control]?.(field);

// Some fields are there for certain answers of another one alone: a link for messages that were clicked.
const applies = (field, tree) => !field.only || field.only.values.includes(tree[field.only.key]);

const foreignField = (ui, node, field) => {
  const key = `${node.id}:${field.key}`;
  const set = (changed, redraw) => {
    const tree = { ...node.tree, [field.key]: changed };
    if (!field.required && (changed === "" || changed === null)) delete tree[field.key];
    for (const each of ui.kinds.get(node.key).fields) if (!applies(each, tree)) delete tree[each.key];
    ui.set(node, { tree }, redraw);
  };
  const draw = () => (CONTROLS[field.control] || CONTROLS.text)(ui, node, field, node.tree[field.key], set, key);
  if (field.required) {
    if ((node.tree[field.key] ?? "") === "" && beginning(field) !== undefined) set(beginning(field));
    return [field.control === "choice" || field.control === "name" ? null : word(field.label), draw()];
  }
  return onDemand(ui, key, field.label, field.key in node.tree, () => {
    if (!(field.key in node.tree) && beginning(field) !== undefined) set(beginning(field));
    return [field.control === "count" ? null : word(field.label), draw()];
  }, () => set(""));
};

const foreign = (ui, node) => {
  const kind = ui.kinds.get(node.key);
  return kind ? kind.fields.filter((field) => applies(field, node.tree)).map((field) => foreignField(ui, node, field)) : [raw(ui, node)];
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
