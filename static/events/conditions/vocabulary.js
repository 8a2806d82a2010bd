// The words of the builder: kinds of rules, operators by type of value, units. What it all means: docs/conditions.md.

export const MODES = [
  ["all", "All of these hold"],
  ["any", "At least one of these holds"],
  ["none", "None of these holds"],
  ["not_all", "Not all of these hold"],
];
export const JOINTS = { all: "and", any: "or", none: "nor", not_all: "and" };

export const KINDS = [
  ["About the person", [["trait", "Trait"], ["segment", "Segment"], ["member", "Group"]]],
  ["What they did", [["event", "Event"], ["page", "Page seen"], ["screen", "Screen seen"], ["sequence", "In order"]]],
];
export const EVENT_KINDS = [["event", "Event"], ["page", "Page"], ["screen", "Screen"]];

/** Operators by type of value: [key, words, what the value is typed into]. The key is type:operator. */
export const OPERATORS = [
  ["Text", [
    ["text:is", "is", "text"], ["text:is_not", "is not", "text"], ["text:contains", "contains", "text"],
    ["text:starts", "begins with", "text"], ["text:in", "is one of", "list"],
  ]],
  ["Number", [
    ["number:is", "is the number", "number"], ["number:is_not", "is not the number", "number"],
    ["number:gt", "is more than", "number"], ["number:gte", "is at least", "number"],
    ["number:lt", "is less than", "number"], ["number:lte", "is at most", "number"], ["number:in", "is one of the numbers", "list"],
    ["number:contains", "is a list with the number", "number"],
  ]],
  ["Yes or no", [["bool:is", "is", "bool"], ["bool:is_not", "is not", "bool"]]],
  ["Date", [
    ["date:within_last", "is in the last", "span"], ["date:within_next", "is in the next", "span"],
    ["date:before", "is before", "moment"], ["date:after", "is after", "moment"],
  ]],
  ["Any", [["any:exists", "has a value", "none"], ["any:missing", "has no value", "none"]]],
];
export const INPUTS = new Map(OPERATORS.flatMap(([, each]) => each.map(([key, , input]) => [key, input])));

/** The operator to begin with for a type that the catalogue has seen. */
export const FIRST = {
  string: "text:is", number: "number:gte", integer: "number:gte", boolean: "bool:is", date: "date:within_last",
  array: "text:contains", list: "text:contains",
};

export const FUNCTIONS = ["sum", "min", "max", "avg"];
export const EDGES = ["first", "last"];
export const MEASURES = [
  ["once", "at least once"], ["never", "not at all"], ["count", "so many times"],
  ["sum", "with the sum of"], ["avg", "with the average of"], ["min", "with the least"], ["max", "with the greatest"],
  ["first", "for the first time"], ["last", "for the last time"], ["then_not", "and then not"],
];
export const measureOf = (tree) => MEASURES.map(([key]) => key).find((key) => key in tree) || "once";

export const TIMES = [
  ["gte", "at least"], ["lte", "at most"], ["gt", "more than"], ["lt", "less than"], ["is", "exactly"], ["is_not", "not"],
];
export const WINDOWS = [["ever", "at any time"], ["within", "in the last"], ["since", "since"]];
export const UNITS = [["m", "minutes"], ["h", "hours"], ["d", "days"], ["w", "weeks"]];
export const MOMENTS = [["day", "the day"], ["time", "day and time"], ["ago", "so long ago"], ["ahead", "so far from now"], ["written", "as written"]];
