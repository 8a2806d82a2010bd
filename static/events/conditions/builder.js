// The builder: groups and rules, nested freely, in place of a text field that holds the condition as JSON.

import { button, el, icon, select, toolbar } from "./dom.js";
import { complete, lackingAt, lacks } from "./missing.js";
import { lookPanel } from "./look.js";
import { fieldsOf } from "./rules.js";
import { changedAt, copyOf, foreignKeys, group, parse, read, rule, walk, write } from "./tree.js";
import { JOINTS, KINDS, learn, MODES } from "./vocabulary.js";

const KEYS = "Alt+Shift with ↑ or ↓ moves a rule or group, with Enter adds a rule below it, with Delete removes it; the arrow keys go along its buttons.";

// Open panels, the chosen person, the JSON view: kept by the field's name while the page around is redrawn.
const remembered = new Map();

// The keys of a rule's JSON that hold the name it is about.
const NAMED = new Set(["trait", "property", "event", "page", "screen", "segment"]);

// The key of the first control of a rule or group.
const firstKey = (node) => `${node.id}:${node.kind === "group" ? "mode" : "kind"}`;

export class Builder {
  constructor(host, ask) {
    this.host = host;
    this.ask = ask;
    this.text = host.querySelector("textarea");
    if (!remembered.has(this.text.name)) remembered.set(this.text.name, { look: {}, json: false });
    this.memory = remembered.get(this.text.name);
    this.about = host.getAttribute("about") || "person";
    this.kinds = new Map();
    this.spreads = new Set();
    this.asked = new Set();
    this.verdicts = new Map();
    this.warnings = new Map();
    this.watchers = new Map();
  }

  /** Draw the builder; `grammar` tells the words of the language, and what other rooms have added to it. */
  start(grammar) {
    learn(grammar);
    for (const kind of grammar.kinds) {
      if (kind.key === "segment" || !kind.fields.length) continue;
      this.kinds.set(kind.key, kind);
      foreignKeys.add(kind.key);
    }
    this.live = el("p", { class: "cb-visually-hidden", role: "status" });
    this.note = el("p", { class: "cbb-note" });
    this.rules = el("div", { class: "cbb-rules" });
    this.look = lookPanel(this.ask, {
      question: () => this.question(), state: this.memory.look, onanswer: (answer) => this.take(answer), empty: this.host.dataset.empty || "",
    });
    this.switch = button("Edit as JSON", () => this.toggle(), { symbol: "data_object", "aria-pressed": "false" });
    this.body = el("div", { class: "cbb", role: "group", "aria-label": this.label() },
      el("div", { class: "cbb-bar" }, el("p", { class: "cb-help cbb-keys" }, KEYS), this.switch), this.rules, this.note, this.look.element, this.live);
    this.host.append(this.body);
    this.text.addEventListener("input", (event) => { if (event.isTrusted) this.typed(); });
    this.body.addEventListener("keydown", (event) => this.shortcut(event));
    this.watchEvent();
    this.load(this.memory.json);
  }

  label() {
    const label = this.text.labels?.[0]?.textContent.trim() || this.text.getAttribute("aria-label");
    return label || "Condition";
  }

  // The name of the event at hand stands in a field of its own: what is suggested follows it.
  watchEvent() {
    const name = this.host.getAttribute("event-field");
    this.eventField = name ? this.text.form?.elements[name] : null;
    this.eventField?.addEventListener("change", () => this.look.update());
  }

  event() {
    return this.eventField ? this.eventField.value : this.host.getAttribute("event") || "";
  }

  // --- Between text and rules ---

  load(asJson) {
    let tree = null;
    try {
      tree = parse(this.text.value);
    } catch (error) {
      return this.showJson(error.message);
    }
    this.root = read(tree);
    if (asJson) return this.showJson("");
    this.showRules();
    return this.draw();
  }

  showJson(problem) {
    this.memory.json = true;
    this.host.classList.add("cbb-json");
    this.switch.setAttribute("aria-pressed", "true");
    this.rules.replaceChildren();
    this.note.textContent = problem;
    this.look.update();
  }

  showRules() {
    this.memory.json = false;
    this.host.classList.remove("cbb-json");
    this.switch.setAttribute("aria-pressed", "false");
    this.note.textContent = "";
  }

  toggle() {
    if (!this.memory.json) {
      this.showJson("");
      this.text.focus();
    } else {
      this.load(false);
      if (this.memory.json) this.text.focus();
    }
  }

  // Somebody edits the JSON itself.
  typed() {
    let problem = "";
    try {
      this.root = read(parse(this.text.value));
    } catch (error) {
      problem = error.message;
    }
    this.note.textContent = problem;
    if (!problem) this.look.update();
  }

  question() {
    const about = this.about;
    const { tree, places } = this.memory.json ? this.asTyped() : write(this.root, (node) => (node.kind === "group" ? false : complete(node)));
    this.places = places;
    const unfinished = this.memory.json ? 0 : [...walk(this.root)].filter(([node]) => node.kind !== "group" && !complete(node)).length;
    return { condition: tree, about, event: this.event() || null, left_out: unfinished };
  }

  asTyped() {
    try {
      return { tree: parse(this.text.value), places: new Map() };
    } catch {
      return { tree: null, places: new Map() };
    }
  }

  /** Write the rules back into the text field, and say so to whoever listens. */
  store() {
    const { tree } = write(this.root);
    this.text.value = tree === null ? "" : JSON.stringify(tree, null, 2);
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
    this.verdicts.clear();
    this.look.update();
  }

  // --- What the fields call ---

  /** Change a rule. `redraw`: true keeps the focus where it is, a key moves it there. */
  set(node, changes, redraw = false) {
    Object.assign(node, changes);
    this.store();
    if (redraw) this.redraw(redraw === true ? null : redraw);
    else this.mark();
    this.watchers.get(node.id)?.();
  }

  whenSet(id, work) {
    this.watchers.set(id, work);
  }

  say(words) {
    this.live.textContent = "";
    setTimeout(() => { this.live.textContent = words; }, 50);
  }

  addRule(list, { at = list.parts.length, kind = this.usualKind(list) } = {}) {
    const added = rule(kind);
    list.parts.splice(at, 0, added);
    this.store();
    this.redraw(`${added.id}:kind`);
    this.say("Rule added.");
  }

  addGroup(list) {
    const first = rule(this.usualKind(list));
    const added = group(list.mode === "all" ? "any" : "all", [first]);
    list.parts.push(added);
    this.store();
    this.redraw(`${added.id}:mode`);
    this.say("Group added, with one rule.");
  }

  usualKind(list) {
    const before = list.parts.filter((part) => part.kind !== "group").at(-1);
    return before && before.kind !== "raw" && before.kind !== "foreign" ? before.kind : this.contextOf(list).about === "where" ? "property" : "trait";
  }

  // --- Moving about ---

  parentOf(node) {
    return [...walk(this.root)].map(([each]) => each).find((each) => each.parts?.includes(node)) || null;
  }

  // The outermost group that `list` is in: rules do not move out of an event's filter.
  contextOf(list) {
    return this.contexts.get(list) || { about: this.about };
  }

  move(node, by) {
    const parent = this.parentOf(node);
    const at = parent.parts.indexOf(node);
    const beside = parent.parts[at + by];
    const above = this.parentOf(parent);
    if (!beside && !above) return this.say(by < 0 ? "Already the first." : "Already the last.");
    parent.parts.splice(at, 1);
    if (beside?.kind === "group") beside.parts.splice(by < 0 ? beside.parts.length : 0, 0, node);
    else if (beside) parent.parts.splice(at + by, 0, node);
    else above.parts.splice(above.parts.indexOf(parent) + (by > 0 ? 1 : 0), 0, node);
    this.store();
    this.redraw(this.focusedKey() || `${node.id}:move_up`);
    const list = this.parentOf(node);
    return this.say(`Moved to place ${list.parts.indexOf(node) + 1} of ${list.parts.length}${list === parent ? "" : list === this.root ? ", outside the group" : ", in another group"}.`);
  }

  remove(node) {
    const parent = this.parentOf(node);
    const at = parent.parts.indexOf(node);
    this.undo = { parent, at, node };
    parent.parts.splice(at, 1);
    this.store();
    const next = parent.parts[at] || parent.parts[at - 1];
    this.redraw(next ? firstKey(next) : `${parent.id}:add`);
    this.offerUndo(node.kind === "group" ? "Group removed." : "Rule removed.");
  }

  offerUndo(words) {
    this.say(`${words} It can be brought back.`);
    this.note.replaceChildren(words, " ", button("Bring it back", () => {
      const { parent, at, node } = this.undo;
      parent.parts.splice(at, 0, node);
      this.store();
      this.redraw(firstKey(node));
      this.say("Brought back.");
    }, { symbol: "undo" }));
  }

  duplicate(node) {
    const parent = this.parentOf(node);
    const copy = copyOf(node);
    parent.parts.splice(parent.parts.indexOf(node) + 1, 0, copy);
    this.store();
    this.redraw(firstKey(copy));
    this.say("Duplicated.");
  }

  wrap(node) {
    const parent = this.parentOf(node);
    const outer = group(parent.mode === "all" ? "any" : "all", [node]);
    parent.parts.splice(parent.parts.indexOf(node), 1, outer);
    this.store();
    this.redraw(`${outer.id}:mode`);
    this.say("Put into a group of its own.");
  }

  dissolve(node) {
    const parent = this.parentOf(node);
    parent.parts.splice(parent.parts.indexOf(node), 1, ...node.parts);
    this.store();
    this.redraw(node.parts.length ? `${node.parts[0].id}:kind` : `${parent.id}:add`);
    this.say("The group is gone, its rules are kept.");
  }

  shortcut(event) {
    const { target } = event;
    if (event.key === "Enter" && target.tagName === "INPUT") event.preventDefault();
    if (!event.altKey || !event.shiftKey) return;
    const holder = target.closest("[data-node]");
    const node = holder && this.find(holder.dataset.node);
    if (!node || node === this.root || !this.parentOf(node)) return;
    const work = {
      ArrowUp: () => this.move(node, -1),
      ArrowDown: () => this.move(node, 1),
      Delete: () => this.remove(node),
      Backspace: () => this.remove(node),
      Enter: () => this.addBelow(node),
    }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  }

  addBelow(node) {
    const parent = this.parentOf(node);
    this.addRule(parent, { at: parent.parts.indexOf(node) + 1 });
  }

  find(id) {
    return [...walk(this.root)].map(([node]) => node).find((node) => node.id === id);
  }

  // --- Drawing ---

  focusedKey() {
    return this.rules.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  }

  /** Draw all rules anew and put the focus on the control of that key, else where it was. */
  redraw(key = null) {
    const wanted = key || this.focusedKey();
    this.note.replaceChildren();
    this.draw();
    if (wanted) this.rules.querySelector(`[data-key="${CSS.escape(wanted)}"]`)?.focus();
  }

  draw() {
    this.watchers.clear();
    this.contexts = new Map();
    this.rules.replaceChildren(this.drawGroup(this.root, { about: this.about, of: () => ({ event: this.event(), type: "track" }) }));
    this.mark();
    this.look.update();
  }

  drawGroup(node, context, place = "") {
    this.contexts.set(node, context);
    const outermost = !place;
    const parts = node.parts.map((part, at) => {
      const where = `${place}${place ? "." : ""}${at + 1}`;
      const drawn = part.kind === "group" ? this.drawGroup(part, context, where) : this.drawRule(part, context, where);
      return el("li", { class: "cbb-item" }, at ? el("span", { class: "cbb-joint", "aria-hidden": "true" }, JOINTS[node.mode]) : null, drawn);
    });
    const name = outermost ? (context.about === "where" ? "Filter" : "Rules") : `Group ${place}`;
    const [, holds] = MODES.find(([mode]) => mode === node.mode);
    const heard = outermost ? name : `${name}, level ${place.split(".").length + 1}, ${holds.toLowerCase()}`;
    return el("div", {
      class: `cbb-group${outermost ? " cbb-group--outer" : ""}`, role: "group", "aria-label": heard, "data-node": node.id, "aria-describedby": `${node.id}-slots`,
    },
      node.parts.length || !outermost ? el("div", { class: "cbb-head" },
        select(`${name}: which of these have to hold`, MODES, node.mode, (mode) => this.set(node, { mode }, true), `${node.id}:mode`),
        this.slots(node), outermost ? null : this.tools(node, `Group ${place}`)) : null,
      el("ul", { class: "cbb-items" }, parts),
      el("div", { class: "cbb-adds" },
        button(context.about === "where" ? "Add a property" : "Add a rule", () => this.addRule(node), { symbol: "add", key: `${node.id}:add` }),
        button("Add a group", () => this.addGroup(node), { symbol: "add_box", key: `${node.id}:add-group` }),
        context.owner && outermost ? button("Without this filter", () => this.set(context.owner, { where: null }, `${context.owner.id}:filter`), { symbol: "filter_alt_off", key: `${node.id}:off` }) : null));
  }

  drawRule(node, context, place) {
    const kinds = this.kindsFor(context);
    const kind = node.kind === "foreign" ? `foreign:${node.key}` : node.kind;
    const known = kinds.some(([, each]) => each.some(([key]) => key === kind));
    const choices = known ? kinds : [...kinds, ["As it is", [[kind, "JSON"]]]];
    return el("div", { class: "cbb-rule", role: "group", "aria-label": `Rule ${place}`, "data-node": node.id, "aria-describedby": `${node.id}-slots` },
      el("div", { class: "cbb-row" }, el("div", { class: "cbb-line" },
        choices.length === 1 && choices[0][1].length === 1 ? el("span", { class: "cbb-word", "data-key": `${node.id}:kind`, tabindex: "-1" }, choices[0][1][0][1])
          : select("What the rule is about", choices, kind, (chosen) => this.change(node, chosen), `${node.id}:kind`),
        fieldsOf(this, node, context)), this.tools(node, `Rule ${place}`)), this.slots(node));
  }

  // Where what is missing, odd, or seen of a person is written.
  slots(node) {
    return el("div", { class: "cbb-slots", id: `${node.id}-slots`, "data-slots": node.id });
  }

  kindsFor(context) {
    if (context.about === "where") return [["This event", [["property", "Property"]]]];
    const others = [...this.kinds.values()].map((kind) => [`foreign:${kind.key}`, kind.label]);
    return [
      ...(context.about === "event" ? [["The event at hand", [["property", "Property of the event"]]]] : []),
      ...KINDS, ...(others.length ? [["Messages and campaigns", others]] : []), ["For experts", [["raw", "JSON"]]],
    ];
  }

  change(node, kind) {
    const fresh = rule(kind);
    const { name } = node;
    for (const key of Object.keys(node)) if (key !== "id") delete node[key];
    const { id, ...rest } = fresh;
    if (kind === "sequence") rest.steps[0].name = name || "";
    this.set(node, { ...rest, ...(name && "name" in rest ? { name } : {}) }, true);
  }

  tools(node, label) {
    const tool = (words, symbol, work) => button(`${words}: ${label}`, work, { symbol, bare: true, key: `${node.id}:${symbol}` });
    return toolbar(label, [
      tool("Move up", "arrow_upward", () => this.move(node, -1)),
      tool("Move down", "arrow_downward", () => this.move(node, 1)),
      node.kind === "group" ? tool("Dissolve", "deselect", () => this.dissolve(node)) : tool("Put into a group", "select_all", () => this.wrap(node)),
      tool("Duplicate", "content_copy", () => this.duplicate(node)),
      tool("Remove", "delete", () => this.remove(node)),
    ]);
  }

  // --- What is missing, odd, seen ---

  take(answer) {
    const places = this.places || new Map();
    this.verdicts.clear();
    this.warnings.clear();
    this.text.removeAttribute("aria-invalid");
    if (this.memory.json && answer.errors?.length) this.text.setAttribute("aria-invalid", "true");
    if (!this.memory.json) {
      for (const part of answer.person?.parts || []) if (places.has(part.path)) this.judge(places.get(part.path), part);
      for (const each of [...(answer.warnings || []), ...(answer.errors || []).map((error) => ({ ...error, wrong: true }))]) this.noteAt(each, places);
    }
    this.mark();
  }

  // What is one rule here may be two parts of the tree, such as "not" and what it is about: the outer one, which comes
  // first, has the verdict, and what was seen is told by the inner one.
  judge(id, part) {
    const outer = this.verdicts.get(id);
    this.verdicts.set(id, outer ? { ...outer, seen: outer.seen || part.seen } : part);
  }

  // A warning names a key of a rule: find the rule, and keep the rest of the path for the fix.
  noteAt(warning, places) {
    let place = warning.path;
    while (place && !places.has(place)) place = place.replace(/(\.[^.[\]]+|\[\d+\]|^[^.[\]]+)$/, "");
    const id = places.get(place);
    if (!id) return;
    const rest = warning.path.slice(place.length).replace(/^\./, "");
    this.warnings.set(id, [...(this.warnings.get(id) || []), { ...warning, rest }]);
  }

  mark() {
    for (const slot of this.rules.querySelectorAll("[data-slots]")) {
      const node = this.find(slot.dataset.slots);
      if (node) slot.replaceChildren(...this.marks(node));
    }
    this.describe();
  }

  // What a mark says of one field belongs to that field; of none or several, to the rule.
  describe() {
    for (const field of this.rules.querySelectorAll("[aria-describedby$='-mark']")) {
      field.removeAttribute("aria-describedby");
      field.removeAttribute("aria-invalid");
    }
    for (const mark of this.rules.querySelectorAll("[data-of]")) {
      const field = this.rules.querySelector(`[data-key="${CSS.escape(mark.dataset.of)}"]`);
      if (!field) continue;
      mark.id = `${mark.dataset.of}-mark`;
      field.setAttribute("aria-describedby", mark.id);
      if (mark.matches(".cbb-missing, .cb-error")) field.setAttribute("aria-invalid", "true");
    }
  }

  marks(node) {
    const missing = lacks(node);
    const verdict = this.verdicts.get(node.id);
    return [
      missing ? el("p", { class: "cbb-missing", "data-of": `${node.id}:${lackingAt(node)}` }, icon("edit"), `Not finished: ${missing}.`) : null,
      ...(this.warnings.get(node.id) || []).map((warning) => this.warning(node, warning)),
      verdict ? el("p", { class: `cbb-seen cbb-seen--${verdict.matches ? "yes" : "no"}${verdict.decides ? " cbb-seen--decides" : ""}` },
        icon(verdict.matches ? "check" : "close"), `${verdict.matches ? "Yes" : "No"}${verdict.seen ? `: ${verdict.seen}` : ""}`,
        verdict.decides ? el("span", { class: "cb-badge" }, "decides") : null) : null,
    ].filter(Boolean);
  }

  // The end of the key of the control that a path within a rule is about.
  fieldAt(node, rest) {
    if (node.kind === "foreign") return rest.split(/[.[]/)[0];
    return NAMED.has(rest) ? "name" : rest && "compare" in node ? "value" : "";
  }

  warning(node, { message, nearest, rest, wrong }) {
    return el("p", { class: wrong ? "cb-error" : "cbb-warning", "data-of": `${node.id}:${this.fieldAt(node, rest)}` }, icon("warning"), message, " ", nearest
      ? button(`Use “${nearest}”`, () => {
        Object.assign(node, changedAt(node, rest, nearest));
        this.store();
        this.redraw(`${node.id}:name`);
        this.say(`Changed to ${nearest}.`);
      }) : null);
  }
}
