// A field for what has a name for people and a short name for conditions: it shows the one and keeps the other.

import { combobox } from "./combobox.js";

/**
 * Return the field. `about` says whose names are suggested, `set(value)` gets the short name; what is typed and nobody
 * is called so is kept as it is.
 */
export const nameBox = (ui, label, value, about, set, { key, placeholder }) => {
  const known = new Map();
  const find = async (q) => {
    const words = await ui.ask.words({ ...about, q });
    for (const each of words) known.set(each.value, each);
    return words;
  };
  const called = (typed) => [...known.values()].filter((each) => each.words.toLowerCase() === typed.trim().toLowerCase());
  const box = combobox(label, value, find, (typed, chosen) => {
    const same = chosen ? [] : called(typed);
    const short = chosen ? chosen.value : same.length === 1 ? same[0].value : typed;
    field.title = short === typed ? "" : `Short name: ${short}`;
    set(short);
  }, { key, placeholder, show: (chosen) => chosen.words || chosen.value });
  const field = box.querySelector("input");
  if (value) {
    find(value).then(() => {
      const found = known.get(value);
      if (!found || field.value !== value) return;
      field.value = found.words;
      field.title = `Short name: ${value}`;
    }).catch(() => {});
  }
  return box;
};
