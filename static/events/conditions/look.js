// What the server says about a condition: the sentence, how many people meet it, who, and whether one person does.

import { button, el, icon, later } from "./dom.js";
import { combobox } from "./combobox.js";

const SENTENCE_AFTER = 300;
const COUNT_AFTER = 700;

const amount = (number) => new Intl.NumberFormat("en").format(number);

const share = (people, of) => {
  if (!of) return "";
  const percent = (100 * people) / of;
  const words = percent === 0 || percent >= 10 ? Math.round(percent) : percent < 0.1 ? "less than 0.1" : percent.toFixed(1);
  return `, ${words} % of everybody`;
};

const NOBODY = "Nobody matches now. Choose somebody below who should, to see which part keeps them out.";

const newToken = () => [...crypto.getRandomValues(new Uint32Array(4))].map((number) => number.toString(36)).join("-");

const countWords = ({ people, of, exact, about }) => {
  const many = `${exact === false ? "about " : ""}${amount(people)} ${people === 1 ? "person" : "people"}`;
  if (!people && !about && exact !== false) return NOBODY;
  return about ? `${many}: ${about}.` : `${many} ${people === 1 ? "matches" : "match"} now${share(people, of)}.`;
};

// Lines with how deep they are set in, as lists within lists.
const nested = (lines) => {
  const lists = [el("ul")];
  for (const [level, text] of lines) {
    lists.length = level + 1;
    const item = el("li", {}, text);
    lists[level].append(item);
    lists.push(el("ul"));
    item.append(lists[level + 1]);
  }
  lists[0].querySelectorAll("ul:empty").forEach((each) => each.remove());
  return lists[0];
};

/**
 * The panel below the rules. `question()` returns {condition, about, event, left_out}; `state` outlives a redraw of the
 * page: {counting, person}; `onanswer` gets every answer, for the marks beside the rules.
 */
export const lookPanel = (ask, { question, state, onanswer, empty }) => {
  const sentence = el("p", { class: "cbb-sentence" });
  const outline = el("div", { class: "cbb-outline", hidden: true });
  const left = el("p", { class: "cb-help cbb-left" });
  const busy = el("span", { class: "cbb-busy", hidden: true }, icon("progress_activity"), "Counting …");
  const count = el("strong", { class: "cbb-count" });
  const sample = el("details", { class: "cb-details cbb-sample", hidden: true });
  const verdict = el("p", { class: "cbb-verdict", role: "status" });
  let running = null;
  let counted = null;

  const done = () => { counted = null; busy.hidden = cancel.hidden = true; };
  // Letting go of the answer is not enough: the database would count on for nobody.
  const stop = () => {
    if (counted) { counted.abort(); ask.stop(counted.token); }
    done();
  };
  const cancel = button("Stop counting", () => { stop(); counter(false); count.textContent = "Stopped. Press “Count who matches” to count again."; }, { symbol: "stop", hidden: true });
  const toggle = button("Count who matches", () => {
    counter(!state.counting);
    if (state.counting) countNow();
    else { stop(); count.textContent = ""; sample.hidden = true; }
  }, { symbol: "groups", "aria-pressed": "false" });
  const counter = (on) => { state.counting = on; toggle.setAttribute("aria-pressed", String(on)); };

  const person = combobox("Does this person match? User id or email", state.person ? state.person.name : "", async (q) => {
    const people = await ask.people({ q });
    return people.map((each) => ({ value: each.name, hint: each.email === each.name ? "" : each.email, person: each }));
  }, (typed, chosen) => {
    state.person = chosen ? chosen.person : null;
    if (chosen || !typed) lookNow();
  }, { placeholder: "somebody’s user id or email" });

  const showPerson = (found) => {
    verdict.replaceChildren();
    if (!found) return;
    if (found.matches === null) return verdict.append(found.note);
    verdict.append(el("span", { class: `cb-badge cb-badge--${found.matches ? "ok" : "muted"}` }, found.matches ? "matches" : "does not match"),
      " ", found.name, found.matches ? " meets the condition." : " does not meet the condition. The rules above say what was seen.",
      found.note ? ` ${found.note}` : "");
  };

  const showSample = (people) => {
    sample.hidden = !people?.length;
    if (sample.hidden) return;
    const open = sample.open;
    sample.replaceChildren(el("summary", {}, "Some of them (in a new tab)"), el("ul", { class: "cbb-people" }, people.map((each) => el("li", {},
      el("a", { href: each.url, class: "cb-link", target: "_blank" }, each.name), each.email && each.email !== each.name ? el("span", { class: "cb-muted" }, ` ${each.email}`) : null))));
    sample.open = open;
  };

  const show = (answer) => {
    const wrong = answer.errors?.[0];
    sentence.classList.toggle("cb-error", Boolean(wrong));
    const lines = wrong ? [] : answer.outline || [];
    sentence.textContent = wrong ? `${wrong.path ? `${wrong.path}: ` : ""}${wrong.message}` : lines.length ? "" : answer.sentence;
    outline.hidden = !lines.length;
    outline.replaceChildren(...lines.length ? [nested(lines)] : []);
    showPerson(answer.person);
    onanswer(answer);
  };

  const send = (counting, signal) => {
    const { left_out: out, ...asked } = question();
    left.textContent = out ? `Without ${out === 1 ? "the rule that is" : `the ${out} rules that are`} not finished yet.` : "";
    if (asked.condition === null) return Promise.resolve({ errors: [], sentence: out ? "" : empty, warnings: [] });
    return ask.look({ ...asked, profile: state.person ? state.person.id : null, count: Boolean(counting), token: counting?.token }, signal);
  };

  const failed = (error) => {
    if (error.name === "AbortError") return;
    sentence.textContent = `${error.message} What you have typed is kept.`;
  };

  const lookNow = () => {
    if (running) running.abort();
    running = new AbortController();
    return send(null, running.signal).then(show).catch(failed);
  };

  const countNow = async () => {
    stop();
    // What was counted before holds for another condition.
    const nothing = question().condition === null;
    count.textContent = nothing ? "Nothing to count yet: add a rule first." : "";
    if (nothing) return showSample([]);
    const mine = (counted = Object.assign(new AbortController(), { token: newToken() }));
    busy.hidden = cancel.hidden = false;
    try {
      const answer = await send(mine, mine.signal);
      if (mine !== counted) return;
      const found = answer.count;
      count.textContent = !found ? "" : found.too_slow ? found.message : countWords(found);
      showSample(answer.sample);
      done();
    } catch (error) {
      if (error.name === "AbortError" || mine !== counted) return;
      done();
      counter(false);
      showSample([]);
      count.textContent = `It could not be counted: ${error.message} Press “Count who matches” to try again.`;
    }
  };

  const lookSoon = later(lookNow, SENTENCE_AFTER);
  const countSoon = later(countNow, COUNT_AFTER);
  counter(Boolean(state.counting));
  const element = el("div", { class: "cbb-look" },
    el("div", { class: "cbb-said", "aria-live": "polite" }, sentence, outline, left),
    el("div", { class: "cbb-line" }, toggle, el("span", { role: "status" }, busy, count), cancel),
    sample,
    el("div", { class: "cbb-line" }, el("span", { class: "cbb-word" }, "Does this person match?"), person),
    verdict);
  // Whoever looks changes nothing.
  element.addEventListener("input", (event) => event.stopPropagation());
  const update = () => {
    lookSoon();
    if (state.counting) { busy.hidden = false; count.textContent = ""; countSoon(); }
  };
  return { element, update, now: lookNow };
};
