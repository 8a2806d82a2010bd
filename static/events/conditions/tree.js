// A condition as JSON (docs/conditions.md) and as what the builder edits: groups and rules that may be half done. Pure.
//
// read(tree) makes the outermost group; write(group) makes JSON of it again. What a rule cannot say in exactly the same
// words is kept as it is and shown as JSON ("raw"), so that nothing is lost on the way through the builder.

import { EDGES, FUNCTIONS, measureOf } from "./vocabulary.js";

let last = 0;
const made = (node) => ({ id: `n${(last += 1)}`, ...node });

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const only = (tree, ...keys) => Object.keys(tree).every((key) => keys.includes(key));

/** Say whether two JSON values are the same but for the order of keys. */
export const same = (one, other) => {
  if (Array.isArray(one)) return Array.isArray(other) && one.length === other.length && one.every((each, at) => same(each, other[at]));
  if (!isObject(one) || !isObject(other)) return one === other;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => key in other && same(one[key], other[key]));
};

/** Read JSON text. Throws an Error with words for people; null for an empty text. */
export const parse = (text) => {
  if (!text.trim()) return null;
  let tree;
  try {
    tree = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON yet: ${error.message}`);
  }
  if (exact(tree)) return tree;
  throw new Error("It has a number of more than 15 digits, which only this view keeps exactly.");
};

const exact = (value) => {
  if (typeof value === "number") return !Number.isInteger(value) || Number.isSafeInteger(value);
  return value === null || typeof value !== "object" || Object.values(value).every(exact);
};

// --- New ones ---------------------------------------------------------------------------------------------------------

/** Return a length of time such as 7d as {number, unit}, null for what is none. */
export const span = (text) => {
  const found = /^(\d{1,5})([mhdw])$/.exec(text);
  return found ? { number: found[1], unit: found[2] } : null;
};
const days = (number) => ({ number: String(number), unit: "d" });

/** Return a group of rules. `mode` is all, any, none or not_all. */
export const group = (mode = "all", parts = []) => made({ kind: "group", mode, parts });

/** Return an empty rule of a kind: trait, property, member, event, page, screen, sequence, segment, raw, or foreign:key. */
export const rule = (kind) => {
  if (kind.startsWith("foreign:")) return made({ kind: "foreign", key: kind.slice(8), tree: { [kind.slice(8)]: "" } });
  const empty = made({ kind, ...structuredClone(EMPTY[kind]) });
  return kind === "sequence" ? { ...empty, steps: [step(), step()] } : empty;
};

const EMPTY = {
  trait: { name: "", compare: { op: "text:is", value: null } },
  property: { name: "", compare: { op: "text:is", value: null } },
  member: { type: "", whose: false, name: "", compare: { op: "text:is", value: null } },
  sequence: { steps: [], within: null, since: null, same: "" },
  segment: { slug: "", negated: false },
  raw: { text: "" },
};
for (const kind of ["event", "page", "screen"]) {
  EMPTY[kind] = { name: "", measure: { type: "once" }, window: { type: "ever" }, where: null };
}

/** Return an event as a step of a sequence, or as what must not follow. */
export const step = (kind = "event", name = "", where = null) => made({ kind, name, where });

/** Return the value to begin with when an operator or window is chosen, keeping `old` where it fits. */
export const valueFor = (input, old) => {
  if (input === "none") return null;
  if (input === "span") return old && old.unit && !old.form ? old : days(old?.number || 7);
  if (input === "moment") return old && old.form ? old : { form: "day", text: "", number: old?.number || "7", unit: old?.unit || "d" };
  if (input === "list") return Array.isArray(old) ? old : typeof old === "string" && old ? [old] : [];
  const text = Array.isArray(old) ? old[0] ?? null : typeof old === "string" ? old : null;
  return input === "bool" ? (text === "false" ? "false" : "true") : text;
};

/** Return the measure to begin with: at least 3 times, the sum of …, first time …, and then not …. */
export const newMeasure = (type, old = {}) => {
  const number = old.number || (type === "count" ? "3" : "");
  if (type === "count") return { type, op: old.op || "gte", number };
  if (FUNCTIONS.includes(type)) return { type, property: old.property || "", op: old.op || "gte", number };
  if (EDGES.includes(type)) return { type, compare: old.compare || { op: "date:within_last", value: days(7) } };
  if (type === "then_not") return { type, then: old.then || step(), within: { number: "24", unit: "h" }, same: "" };
  return { type };
};

// --- From JSON --------------------------------------------------------------------------------------------------------

/** Return the outermost group of a condition; null is one without rules. */
export const read = (tree) => {
  if (tree === null || tree === undefined) return group();
  const node = readNode(tree);
  return node.kind === "group" ? node : group("all", [node]);
};

/** Return a group or rule. */
export const readNode = (tree) => {
  if (isObject(tree)) {
    for (const mode of ["all", "any"]) {
      if (Array.isArray(tree[mode]) && only(tree, mode)) return group(mode, tree[mode].map(readNode));
    }
    if ("not" in tree && only(tree, "not") && isObject(tree.not)) return readNot(tree.not);
  }
  return readRule(tree);
};

const readNot = (inner) => {
  if (Array.isArray(inner.any) && only(inner, "any")) return group("none", inner.any.map(readNode));
  if (Array.isArray(inner.all) && only(inner, "all")) return group("not_all", inner.all.map(readNode));
  const part = readNode(inner);
  if (part.kind === "segment" && !part.negated) return { ...part, negated: true };
  if (part.measure?.type === "once") return { ...part, measure: { type: "never" } };
  return group("none", [part]);
};

const readRule = (tree) => {
  const reader = isObject(tree) && READERS.find(([key]) => key in tree);
  const found = reader ? reader[1](tree, reader[0]) : null;
  const node = found || (isObject(tree) && foreignOf(tree));
  if (node && same(writeNode(node), tree)) return node;
  return made({ kind: "raw", text: JSON.stringify(tree, null, 1) });
};

/** Keys that other rooms have added; the grammar tells them. */
export const foreignKeys = new Set();

const foreignOf = (tree) => {
  const key = Object.keys(tree).find((each) => foreignKeys.has(each));
  return key ? made({ kind: "foreign", key, tree: structuredClone(tree) }) : null;
};

const showName = (path) => (Array.isArray(path) ? JSON.stringify(path) : typeof path === "string" ? path : "");

/** Return a name as the language wants it: a list of keys where one was written. */
export const nameOf = (text) => {
  if (text.startsWith("[")) {
    try {
      const keys = JSON.parse(text);
      if (Array.isArray(keys) && keys.length && keys.every((key) => typeof key === "string")) return keys;
    } catch { /* a name that begins with a bracket */ }
  }
  return text;
};

const readCompare = (tree, ...besides) => {
  const keys = Object.keys(tree).filter((key) => !besides.includes(key));
  if (keys.length !== 1) return null;
  return readOperator(keys[0], tree[keys[0]]);
};

const readOperator = (operator, value) => {
  if (operator === "exists") return typeof value === "boolean" ? { op: value ? "any:exists" : "any:missing", value: null } : null;
  if (operator === "before" || operator === "after") return { op: `date:${operator}`, value: readMoment(value) };
  if (operator.startsWith("within_")) return { op: `date:${operator}`, value: typeof value === "string" ? span(value) || { number: "", unit: "d" } : null };
  if (operator === "in") {
    if (!Array.isArray(value)) return null;
    const type = value.length && value.every((each) => typeof each === "number") ? "number" : "text";
    return { op: `${type}:in`, value: value.map(String) };
  }
  const type = { string: "text", number: "number", boolean: "bool" }[typeof value];
  if (value === null) return { op: ORDERED.includes(operator) ? `number:${operator}` : `text:${operator}`, value: null };
  return type ? { op: `${ORDERED.includes(operator) ? "number" : type}:${operator}`, value: String(value) } : null;
};
const ORDERED = ["gt", "gte", "lt", "lte"];

/** Return a moment such as -30d or 2026-05-01 by the form in which it is given. */
export const readMoment = (text) => {
  const whole = { form: "day", text: typeof text === "string" ? text : "", number: "7", unit: "d" };
  if (typeof text !== "string" || !text) return whole;
  const length = /^[+-]/.test(text) ? span(text.slice(1)) : null;
  if (length) return { ...whole, text: "", form: text[0] === "-" ? "ago" : "ahead", ...length };
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return whole;
  return { ...whole, form: /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text) ? "time" : "written" };
};

const readSubject = (tree, kind) => {
  const compare = readCompare(tree, kind);
  return compare && made({ kind, name: showName(tree[kind]), compare });
};

const readMember = (tree) => {
  const base = { ...structuredClone(EMPTY.member), type: typeof tree.group === "string" ? tree.group : "" };
  if (!("trait" in tree)) return made({ kind: "member", ...base });
  const compare = readCompare(tree, "group", "trait");
  return compare && made({ kind: "member", ...base, whose: true, name: showName(tree.trait), compare });
};

const readWhere = (where) => (where === undefined || where === null ? null : read(where));

const readPerformed = (tree, kind) => {
  const measure = readMeasure(tree);
  const name = typeof tree[kind] === "string" ? tree[kind] : "";
  return measure && made({ kind, name, measure, window: readWindow(tree), where: readWhere(tree.where) });
};

const readWindow = (tree) => {
  if (typeof tree.within === "string") return { type: "within", span: span(tree.within) || { number: "", unit: "d" } };
  if (typeof tree.since === "string") return { type: "since", moment: readMoment(tree.since) };
  return { type: "ever" };
};

const readMeasure = (tree) => {
  const type = measureOf(tree);
  if (type === "once") return { type };
  const value = tree[type];
  if (!isObject(value)) return null;
  if (type === "then_not") return readThenNot(value);
  if (EDGES.includes(type)) {
    const compare = readCompare(value);
    return compare && { type, compare };
  }
  const [op] = Object.keys(value).filter((key) => key !== "property");
  const number = value[op] === null || value[op] === undefined ? "" : String(value[op]);
  return { type, op: op || "gte", number, ...(type === "count" ? {} : { property: showName(value.property) }) };
};

const kindOf = (tree) => ["event", "page", "screen"].find((kind) => isObject(tree) && kind in tree);

const readThenNot = (tree) => {
  const kind = kindOf(tree);
  if (!kind) return null;
  const within = span(String(tree.within ?? "")) || { number: "", unit: "h" };
  return { type: "then_not", then: step(kind, String(tree[kind]), readWhere(tree.where)), within, same: showName(tree.same) };
};

const readSequence = (tree) => {
  if (!Array.isArray(tree.sequence) || !tree.sequence.every(kindOf)) return null;
  const steps = tree.sequence.map((each) => step(kindOf(each), String(each[kindOf(each)]), readWhere(each.where)));
  const within = typeof tree.within === "string" ? span(tree.within) : null;
  const since = typeof tree.since === "string" ? readMoment(tree.since) : null;
  return made({ kind: "sequence", steps, within, since, same: showName(tree.same) });
};

const readSegment = (tree) => made({ kind: "segment", slug: String(tree.segment), negated: false });

const READERS = [
  ["group", readMember], ["trait", readSubject], ["property", readSubject], ["event", readPerformed],
  ["page", readPerformed], ["screen", readPerformed], ["sequence", readSequence], ["segment", readSegment],
];

// --- To JSON ----------------------------------------------------------------------------------------------------------

/**
 * Return the JSON of a condition and the place of every group and rule in it: {tree, places: Map(path -> id)}.
 *
 * tree is null where there is no rule. `keep` says which rules to write; without it all are, the unfinished ones too.
 */
export const write = (root, keep = () => true) => {
  const places = new Map();
  const kept = keptOf(root, keep);
  if (!kept || !kept.parts.length) return { tree: null, places };
  const alone = kept.mode === "all" && kept.parts.length === 1 && kept.parts[0].kind !== "group";
  const tree = writeNode(alone ? kept.parts[0] : kept, "", places);
  if (alone) places.set("", kept.parts[0].id);
  return { tree, places };
};

// Leave out what is not to be kept, and groups that this empties.
const keptOf = (node, keep) => {
  if (node.kind !== "group") return keep(node) ? node : null;
  const parts = node.parts.map((part) => keptOf(part, keep)).filter(Boolean);
  return parts.length || keep(node) ? { ...node, parts } : null;
};

const join = (path, key) => (path ? `${path}.${key}` : key);

/** Return the JSON of a group or rule, noting in `places` where what stands. */
export const writeNode = (node, path = "", places = new Map()) => {
  places.set(path, node.id);
  if (node.kind === "group") return writeGroup(node, path, places);
  return WRITERS[node.kind](node, path, places);
};

const writeGroup = (node, path, places) => {
  const { mode, parts } = node;
  if (mode === "none" && parts.length === 1 && !["all", "any"].includes(parts[0].mode)) {
    return { not: writeNode(parts[0], join(path, "not"), places) };
  }
  const key = mode === "any" || mode === "none" ? "any" : "all";
  const inside = mode === key ? path : join(path, "not");
  places.set(inside, node.id);
  const joined = { [key]: parts.map((part, at) => writeNode(part, `${join(inside, key)}[${at}]`, places)) };
  return mode === key ? joined : { not: joined };
};

const numberOf = (text) => (text === null ? null : /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text.trim()) ? Number(text) : text.trim() === "" ? null : text);

const spanOf = (value) => (value ? `${value.number}${value.unit}` : "");

/** Return a moment as the language writes it. */
export const momentOf = (value) => {
  if (value.form === "ago") return `-${spanOf(value)}`;
  return value.form === "ahead" ? `+${spanOf(value)}` : value.text;
};

/** Return a comparison as operator and value. */
export const writeCompare = ({ op, value }) => {
  const [type, operator] = op.split(":");
  if (type === "any") return { exists: operator === "exists" };
  if (type === "date") return { [operator]: operator.startsWith("within") ? spanOf(value) : momentOf(value) };
  if (operator === "in") return { in: type === "number" ? value.map(numberOf) : value };
  if (type === "bool") return { [operator]: value === "true" };
  return { [operator]: type === "number" ? numberOf(value) : value };
};

const whereOf = (node, path, places) => {
  if (!node.where) return {};
  const { tree, places: inside } = write(node.where);
  for (const [place, id] of inside) places.set(place ? `${join(path, "where")}.${place}` : join(path, "where"), id);
  return tree === null ? {} : { where: tree };
};

const writePerformed = (node, path, places) => {
  const never = node.measure.type === "never";
  const inside = never ? join(path, "not") : path;
  places.set(inside, node.id);
  const { window } = node;
  const since = window.type === "within" ? { within: spanOf(window.span) } : window.type === "since" ? { since: momentOf(window.moment) } : {};
  const tree = { [node.kind]: node.name, ...writeMeasure(node.measure, inside, places), ...since, ...whereOf(node, inside, places) };
  return never ? { not: tree } : tree;
};

const sameOf = (text) => (text ? { same: nameOf(text) } : {});

const writeMeasure = (measure, path, places) => {
  const { type, op, number, property } = measure;
  if (type === "once" || type === "never") return {};
  if (type === "count") return { count: { [op]: numberOf(number) } };
  if (EDGES.includes(type)) return { [type]: writeCompare(measure.compare) };
  if (type !== "then_not") return { [type]: { property: nameOf(property), [op]: numberOf(number) } };
  const { then, within } = measure;
  const inside = join(path, "then_not");
  return { then_not: { [then.kind]: then.name, within: spanOf(within), ...sameOf(measure.same), ...whereOf(then, inside, places) } };
};

const writeSequence = (node, path, places) => ({
  sequence: node.steps.map((each, at) => {
    const place = `${join(path, "sequence")}[${at}]`;
    return { [each.kind]: each.name, ...whereOf(each, place, places) };
  }),
  ...(node.within ? { within: spanOf(node.within) } : {}),
  ...(node.since ? { since: momentOf(node.since) } : {}),
  ...sameOf(node.same),
});

const writeSubject = (node) => ({ [node.kind]: nameOf(node.name), ...writeCompare(node.compare) });

const writeRaw = (node) => {
  try {
    return JSON.parse(node.text);
  } catch {
    return node.text;
  }
};

const WRITERS = {
  trait: writeSubject,
  property: writeSubject,
  member: (node) => ({ group: node.type, ...(node.whose ? { trait: nameOf(node.name), ...writeCompare(node.compare) } : {}) }),
  event: writePerformed,
  page: writePerformed,
  screen: writePerformed,
  sequence: writeSequence,
  segment: (node) => (node.negated ? { not: { segment: node.slug } } : { segment: node.slug }),
  foreign: (node) => structuredClone(node.tree),
  raw: writeRaw,
};

// --- Changing ---------------------------------------------------------------------------------------------------------

/** Return a copy with ids of its own. */
export const copyOf = (node) => readNode(writeNode(node));

/** Return `node` with the JSON below `place` (such as "then_not.event") replaced; it keeps its id. */
export const changedAt = (node, place, value) => {
  const tree = writeNode(node);
  const keys = place.match(/[^.[\]]+/g) || [];
  const holder = keys.slice(0, -1).reduce((each, key) => each?.[key], tree);
  if (isObject(holder)) holder[keys.at(-1)] = value;
  return { ...readNode(tree), id: node.id };
};

/** Yield every group and rule, those of `where` filters too, with the list that holds it. */
export function* walk(node, list = null) {
  yield [node, list];
  for (const part of node.parts || []) yield* walk(part, node.parts);
  for (const what of [node, ...(node.steps || []), node.measure?.then].filter(Boolean)) {
    if (what.where) yield* walk(what.where);
  }
}
