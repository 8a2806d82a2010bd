// The words of the builder, as the server tells them (events/admin/conditions/grammar.py): `learn` fills these in.

export let MODES = [];
export let JOINTS = {};
export let KINDS = [];
export let EVENT_KINDS = [];
/** Operators by type of value: [heading, [[key, words]]]. The key is type:operator. */
export let OPERATORS = [];
/** What the value of an operator is typed into: text, number, list, bool, span, moment, none. */
export let INPUTS = new Map();
/** The operator to begin with for a type that the catalogue has seen. */
export let FIRST = {};
/** The ways to speak of something done, those that count split by how: [key, words], or [heading, [[key, words]]]. */
export let MEASURES = [];
export let FUNCTIONS = [];
export let EDGES = [];
export let TIMES = [];
export let WINDOWS = [];
export let UNITS = [];
export let MOMENTS = [];
export let MAX_STEPS = 0;

let measures = [];
const pairs = (list) => list.map(({ key, label }) => [key, label]);
const taking = (what) => measures.filter((each) => each.takes === what);

/** Take the grammar that the server tells. */
export const learn = (grammar) => {
  measures = grammar.measures;
  MODES = pairs(grammar.modes);
  JOINTS = Object.fromEntries(grammar.modes.map(({ key, joint }) => [key, joint]));
  KINDS = grammar.subjects.map(({ label, kinds }) => [label, pairs(kinds)]);
  EVENT_KINDS = pairs(grammar.steps);
  OPERATORS = grammar.operators.map(({ label, operators }) => [label, pairs(operators)]);
  INPUTS = new Map(grammar.operators.flatMap(({ operators }) => operators.map(({ key, input }) => [key, input])));
  FIRST = grammar.first;
  FUNCTIONS = taking("property").map(({ key }) => key);
  EDGES = taking("date").map(({ key }) => key);
  TIMES = pairs(grammar.times);
  MEASURES = [
    ...pairs(taking("")),
    ...taking("times").map(({ key, label }) => [label, TIMES.map(([op, words]) => [`${key}:${op}`, words])]),
    ["by a property", pairs(taking("property"))],
    ["by when", [...pairs(taking("date")), ...pairs(taking("event"))]],
  ];
  WINDOWS = pairs(grammar.windows);
  UNITS = pairs(grammar.units);
  MOMENTS = pairs(grammar.moments);
  MAX_STEPS = grammar.limits.steps;
};

export const measureOf = (tree) => measures.map(({ key }) => key).find((key) => key in tree) || "once";
