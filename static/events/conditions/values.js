// What a value is typed into: a text, a number, a list, a date, a length of time. Each calls `set(value)` on change.

import { button, el, input, select } from "./dom.js";
import { combobox } from "./combobox.js";
import { MOMENTS, UNITS } from "./vocabulary.js";

// The parts of a value are typed one by one: `change` keeps what the others hold by now.
const keeper = (value, set) => {
  let now = value;
  return (changes, redraw) => { now = { ...now, ...changes }; set(now, redraw); };
};

/** A length of time: {number, unit}. `key` leads back to the field after the page was redrawn. */
export const spanField = (label, value, set, key) => {
  const change = keeper(value, set);
  return el("span", { class: "cbb-pair" },
    input(`${label}: how many`, value.number, (number) => change({ number: number.trim() }), { key, inputmode: "numeric", class: "cbb-short" }),
    select(`${label}: unit`, UNITS, value.unit, (unit) => change({ unit }, true), `${key}-unit`));
};

/** A moment: a day, a time, so long ago, so far ahead. */
export const momentField = (label, value, set, key) => {
  const change = keeper(value, set);
  const forms = MOMENTS.filter(([form]) => form !== "written" || value.form === "written");
  const which = select(`${label}: how it is given`, forms, value.form, (form) => change({ form, text: "" }, true), `${key}-form`);
  if (value.form === "ago" || value.form === "ahead") {
    const { number, unit } = value;
    return el("span", { class: "cbb-pair" }, spanField(label, { number, unit }, change, key), which);
  }
  const type = { day: "date", time: "datetime-local" }[value.form] || "text";
  return el("span", { class: "cbb-pair" }, which, input(label, value.text, (text) => change({ text }), { key, type }));
};

/** Several values, each of them to be taken out again. */
export const listField = (label, values, find, set, key) => {
  const add = (text) => { if (text.trim() !== "" && !values.includes(text.trim())) set([...values, text.trim()], true); };
  const chips = values.map((value, at) => el("li", { class: "cbb-chip" }, value,
    button(`Take out ${value}`, () => set(values.filter((_, index) => index !== at), true), { symbol: "close", bare: true, key: `${key}-${at}` })));
  const typed = combobox(`${label}: add a value`, "", find, (text, chosen) => { if (chosen) add(text); }, { key, placeholder: "Add a value", onenter: add });
  const field = typed.querySelector("input");
  field.addEventListener("blur", () => add(field.value));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" && !field.value && values.length) set(values.slice(0, -1), true);
  });
  return el("span", { class: "cbb-values" }, values.length ? el("ul", { class: "cbb-chips", "aria-label": label }, chips) : null, typed);
};

/** What the operator `input` asks for. `find` suggests texts. */
export const valueField = (kind, label, value, find, set, key) => {
  if (kind === "none") return null;
  if (kind === "span") return spanField(label, value, set, key);
  if (kind === "moment") return momentField(label, value, set, key);
  if (kind === "list") return listField(label, value, find, set, key);
  if (kind === "bool") return select(label, [["true", "yes (true)"], ["false", "no (false)"]], value, (each) => set(each, true), key);
  if (kind === "number") return input(label, value ?? "", (each) => set(each.trim() || null), { key, inputmode: "decimal", class: "cbb-number", placeholder: "number" });
  return combobox(label, value ?? "", find, (each) => set(each === "" ? null : each), { key, placeholder: "value" });
};
