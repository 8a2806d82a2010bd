// What a rule still lacks, in words for the person who types it. Pure.

import { EDGES, FUNCTIONS, INPUTS } from "./vocabulary.js";

const number = (text) => (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(String(text ?? "").trim()) ? null : text ? "needs a number" : "give a number");
const span = (value) => (/^[1-9]\d{0,4}$/.test(value?.number ?? "") ? null : "say how long, as a whole number");
const named = (text, words) => (text.trim() ? null : words);

const moment = (value) => {
  if (value.form === "ago" || value.form === "ahead") return span(value);
  return value.text ? null : "choose a date";
};

const value = ({ op, value: given }) => {
  const input = INPUTS.get(op);
  if (input === "number") return number(given);
  if (input === "list") return given.length ? (op.startsWith("number") ? given.map(number).find(Boolean) || null : null) : "add at least one value";
  if (input === "span") return span(given);
  if (input === "moment") return moment(given);
  return input === "text" && given === null ? "give a value" : null;
};

const window = ({ type, span: length, moment: since }) => (type === "within" ? span(length) : type === "since" ? moment(since) : null);

const measure = (given) => {
  const { type } = given;
  if (type === "count") return /^\d+$/.test(given.number) ? null : "say how many times, as a whole number";
  if (FUNCTIONS.includes(type)) return named(given.property, "name the property to reckon with") || number(given.number);
  if (EDGES.includes(type)) return value(given.compare);
  if (type === "then_not") return named(given.then.name, "name what did not follow") || span(given.within);
  return null;
};

const subject = (node) => named(node.name, node.kind === "trait" ? "choose a trait" : "choose a property") || value(node.compare);
const performed = (node) => named(node.name, `choose ${node.kind === "event" ? "an event" : `a ${node.kind}`}`) || measure(node.measure) || window(node.window);

const LACKS = {
  group: (node) => (node.parts.length ? null : "this group is empty"),
  trait: subject,
  property: subject,
  member: (node) => named(node.type, "choose a type of groups") || (node.whose ? named(node.name, "choose a trait of the group") || value(node.compare) : null),
  event: performed,
  page: performed,
  screen: performed,
  sequence: (node) => {
    if (node.steps.length < 2) return "add a second step";
    if (node.steps.some((each) => !each.name.trim())) return "name each step";
    return (node.within && span(node.within)) || (node.since && moment(node.since)) || null;
  },
  segment: (node) => named(node.slug, "choose a segment"),
  foreign: (node) => (Object.values(node.tree).some((each) => each === "" || each === null) ? "choose a value" : null),
  raw: (node) => {
    try {
      return JSON.parse(node.text) && null;
    } catch {
      return "this is not JSON yet";
    }
  },
};

/** Return what `node` itself lacks, such as "choose a trait", or null. What its filters lack is theirs to say. */
export const lacks = (node) => LACKS[node.kind](node);

const unnamed = (node) => ["name", "slug", "type"].some((key) => typeof node[key] === "string" && !node[key].trim());

const lackingMeasure = (given) => (given.type === "count" || FUNCTIONS.includes(given.type) ? (given.property === "" ? "of" : "number") : EDGES.includes(given.type) ? "value" : "within");

/** Return the end of the key of the control that is to be filled in next, where it is a single one. */
export const lackingAt = (node) => {
  if (node.kind === "foreign") return Object.keys(node.tree).find((key) => node.tree[key] === "" || node.tree[key] === null);
  if (node.kind === "raw") return "text";
  if (unnamed(node)) return node.kind === "member" && !node.type.trim() ? "type" : "name";
  if (node.measure) return measure(node.measure) ? lackingMeasure(node.measure) : node.window.type === "within" ? "span" : "since";
  return "value";
};

/** Say whether a rule and all its filters are complete. */
export const complete = (node) => {
  if (lacks(node)) return false;
  return [node, ...(node.steps || []), node.measure?.then].filter(Boolean).every((what) => !what.where || filled(what.where));
};

const filled = (group) => group.parts.every((part) => (part.kind === "group" ? part.parts.length > 0 && filled(part) : complete(part)));

