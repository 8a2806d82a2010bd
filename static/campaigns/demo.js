// Plays an application that reports to Cuebird by plain fetch: what you would write yourself, in a hundred lines.
"use strict";

const { writeKey, prefix, testPersonUrl, csrf, profileUrl } = document.body.dataset;
const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const calls = document.getElementById("calls");
let person = JSON.parse(localStorage.getItem("demo-person") || "null");

const element = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

// --- Talking to Cuebird ---------------------------------------------------------------------------------------------

// Send one call of the tracking API and show it. The key is public: it may only write.
const report = (call, body) => send(`/v1/${call}`, body.event || call, {
  writeKey,
  messageId: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`,
  userId: person.userId,
  timestamp: new Date().toISOString(),
  sentAt: new Date().toISOString(),
  context: { timezone: timeZone, locale: navigator.language, page: { path: location.pathname, title: document.title } },
  ...body,
});

const send = async (url, title, body, headers = {}) => {
  const shown = showCall(title, url, body);
  const began = performance.now();
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    shown.answer(answer.status, await answer.text(), performance.now() - began);
    return answer.ok;
  } catch (error) {
    shown.answer(0, `No answer: ${error.message}`, performance.now() - began);
    return false;
  }
};

const track = (event, properties) => report("track", { event, properties });

// --- What can be done here ------------------------------------------------------------------------------------------

const actions = {
  async signUp({ first_name, email, plan }) {
    person = { userId: prefix + Math.random().toString(36).slice(2, 10), firstName: first_name, email };
    if (!(await report("identify", { traits: { first_name, email, plan, signed_up_at: new Date().toISOString() } }))) {
      person = null;
      return;
    }
    // First a test person, then the event: so the journey that it starts is a test person's from the beginning.
    await send(testPersonUrl, "Make me a test person (demo only)", { userId: person.userId }, { "X-CSRFToken": csrf });
    localStorage.setItem("demo-person", JSON.stringify(person));
    showPerson();
    await track("Signed Up", { plan });
  },
  visitPricing: ({ plan_name }) => track("Visited Pricing Page", { plan_name, source: "menu" }),
  createProject: ({ project_name }) => track("Project Created", { project_name, members: 1 }),
  completeOrder: () =>
    track("Order Completed", { order_id: `A-${Date.now() % 100000}`, plan_name: "Pro", total: 29, currency: "EUR" }),
};

for (const form of document.querySelectorAll("form[data-call]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await actions[form.dataset.call](Object.fromEntries(new FormData(form)));
    } finally {
      button.disabled = false;
    }
  });
}

// --- Showing --------------------------------------------------------------------------------------------------------

const showCall = (title, url, body) => {
  calls.querySelector(".wire__empty")?.remove();
  for (const older of calls.querySelectorAll("details[open]")) older.open = false;
  const details = element("details", "call");
  details.open = true;
  const summary = element("summary");
  const status = element("span", "status", "…");
  const took = element("span", "took");
  summary.append(element("strong", "", title), status, took);
  const sent = element("pre", "", `POST ${url}\n${JSON.stringify(body, null, 2)}`);
  const answered = element("pre", "", "waiting for the answer …");
  details.append(summary, sent, answered);
  const item = element("li");
  item.append(details);
  calls.prepend(item);
  return {
    answer(code, text, milliseconds) {
      status.textContent = code || "failed";
      status.classList.add(code >= 200 && code < 300 ? "status--good" : "status--bad");
      took.textContent = `${Math.round(milliseconds)} ms`;
      answered.textContent = `${code || ""} ${text}`.trim();
    },
  };
};

const showPerson = () => {
  const who = document.getElementById("who");
  who.textContent = person
    ? `Signed in as ${person.firstName} (${person.email}), user id ${person.userId}, a test person.`
    : "Nobody is signed in.";
  if (person) {
    const again = element("button", "", "Start over as somebody new");
    again.addEventListener("click", () => {
      localStorage.removeItem("demo-person");
      person = null;
      showPerson();
    });
    who.append(again);
  }
  for (const control of document.querySelectorAll("[data-needs-person] :is(button, input)")) control.disabled = !person;
  for (const link of document.querySelectorAll("[data-profile-link]")) {
    link.href = person ? profileUrl.replace("__user__", encodeURIComponent(person.userId)) : "#";
    link.setAttribute("aria-disabled", String(!person));
  }
  for (const link of document.querySelectorAll("[data-check]")) {
    link.search = person ? new URLSearchParams({ person: person.userId }) : "";
  }
};

const now = new Date().toLocaleString("en", { weekday: "long", hour: "2-digit", minute: "2-digit", hour12: false });
document.getElementById("local-time").textContent = `where you are (${timeZone}) it is ${now}.`;
showPerson();
