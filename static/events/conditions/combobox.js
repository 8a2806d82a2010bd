// A text field with suggestions (ARIA combobox with a list box). What is typed counts, suggested or not.

import { el, later } from "./dom.js";

let last = 0;

/**
 * Return the field. `find(typed)` promises [{value, words?, hint?}]; `oninput(value, chosen)` is called for each
 * change, with what was chosen from the list where something was; `onenter()` for Enter without a choice; `show(chosen)` is the
 * text that stands in the field then.
 */
export const combobox = (label, value, find, oninput, { key, placeholder = "", onenter = null, show = (chosen) => chosen.value } = {}) => {
  const id = `cbb-list-${(last += 1)}`;
  const list = el("ul", { id, role: "listbox", "aria-label": label, class: "cbb-list", hidden: true });
  const field = el("input", {
    type: "text", role: "combobox", "aria-label": label, "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list",
    autocomplete: "off", spellcheck: "false", "data-key": key, placeholder, value,
  });
  const said = el("span", { class: "cb-visually-hidden", role: "status" });
  let found = [];
  let active = -1;
  let asked = 0;

  const close = () => {
    asked += 1;
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    said.textContent = "";
  };
  const activate = (at) => {
    active = at;
    [...list.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === at)));
    if (at < 0) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", `${id}-${at}`);
    list.children[at].scrollIntoView({ block: "nearest" });
  };
  const choose = (at) => {
    const chosen = found[at];
    field.value = show(chosen);
    close();
    oninput(chosen.value, chosen);
  };
  const option = (each, at) => el("li", {
    id: `${id}-${at}`, role: "option", "aria-selected": "false",
    onmousedown: (event) => { event.preventDefault(); choose(at); },
  }, el("span", {}, each.words || each.value), each.hint ? el("span", { class: "cbb-hint" }, each.hint) : null);
  const open = async () => {
    const mine = (asked += 1);
    const words = await find(field.value).catch(() => []);
    if (mine !== asked || document.activeElement !== field) return;
    found = words;
    if (!found.length) return close();
    list.replaceChildren(...found.map(option));
    list.hidden = false;
    active = -1;
    field.setAttribute("aria-expanded", "true");
    field.removeAttribute("aria-activedescendant");
    said.textContent = `${found.length} suggestion${found.length === 1 ? "" : "s"}`;
  };
  const openSoon = later(open, 120);

  const move = (by) => {
    if (list.hidden) return open();
    const size = found.length + 1;
    return activate(((active + 1 + by + size) % size) - 1);
  };
  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Escape: () => close(),
    Enter: () => (active >= 0 ? choose(active) : (close(), onenter && onenter(field.value))),
  };
  field.addEventListener("keydown", (event) => {
    if (event.altKey && event.shiftKey) return;
    if (event.key === "Escape" && list.hidden) return;
    if (!keys[event.key]) return;
    event.preventDefault();
    if (event.key === "Escape") event.stopPropagation();
    keys[event.key]();
  });
  field.addEventListener("input", () => { oninput(field.value, null); openSoon(); });
  field.addEventListener("focus", openSoon);
  field.addEventListener("click", () => { if (list.hidden) open(); });
  field.addEventListener("blur", () => { openSoon.stop(); close(); });
  return el("span", { class: "cbb-combo" }, field, list, said);
};
