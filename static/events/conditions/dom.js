// Small pieces that the builder's page is made of.

/** Make an element: attributes, on… listeners, children (null is left out). */
export const el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

export const icon = (name) => el("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);

export const hidden = (text) => el("span", { class: "cb-visually-hidden" }, text);

/** A button; `look` is quiet, icon … Where there is only an icon the label is read out and shown on hovering. */
export const button = (label, onclick, { symbol = null, key = null, bare = false, ...attributes } = {}) => el(
  "button",
  { type: "button", class: `cb-button cb-button--small${bare ? " cbb-icon" : ""}`, onclick, "data-key": key, ...attributes,
    ...(bare ? { "aria-label": label, title: label } : {}) },
  symbol ? icon(symbol) : null, bare ? null : label,
);

/** A list to choose from. `options`: [value, words], or [heading, options] for those that belong together. */
export const select = (label, options, value, onchange, key) => {
  const option = ([each, words]) => el("option", { value: each, selected: each === value }, words);
  const filled = options.map(([head, rest]) => (Array.isArray(rest) ? el("optgroup", { label: head }, rest.map(option)) : option([head, rest])));
  return el("select", { "aria-label": label, "data-key": key, onchange: (event) => onchange(event.target.value) }, filled);
};

export const input = (label, value, oninput, { key, ...attributes } = {}) => el("input", {
  type: "text", "aria-label": label, value, "data-key": key, autocomplete: "off", spellcheck: "false",
  oninput: (event) => oninput(event.target.value), ...attributes,
});

/** Buttons of which one is reached by Tab and the others by the arrow keys (ARIA toolbar). */
export const toolbar = (label, buttons) => {
  const bar = el("div", { role: "toolbar", "aria-label": label, class: "cbb-tools" }, buttons);
  const all = [...bar.children];
  const enter = (chosen) => all.forEach((each) => { each.tabIndex = each === chosen ? 0 : -1; });
  enter(all.find((each) => !each.disabled));
  bar.addEventListener("focusin", (event) => enter(event.target));
  bar.addEventListener("keydown", (event) => {
    const free = all.filter((each) => !each.disabled);
    const at = free.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: free.length - 1 }[event.key];
    if (to === undefined || event.altKey) return;
    event.preventDefault();
    free[(to + free.length) % free.length].focus();
  });
  return bar;
};

/** Call `work` once nothing has been asked for `wait` ms; .stop() forgets it. */
export const later = (work, wait) => {
  let timer = 0;
  const ask = () => { clearTimeout(timer); timer = setTimeout(work, wait); };
  ask.stop = () => clearTimeout(timer);
  return ask;
};
