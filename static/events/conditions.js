// <condition-builder>: a text field with a condition as JSON becomes a builder of rules. Without this file the field
// stays as it is. Attributes: about (person, event), event or event-field (the name of the field with the event's
// name), data-look, data-stop, data-words, data-values, data-spread, data-people, data-grammar (addresses).

import { Builder } from "./conditions/builder.js";
import { el } from "./conditions/dom.js";
import { serverOf } from "./conditions/server.js";

customElements.define("condition-builder", class extends HTMLElement {
  connectedCallback() {
    if (this.started || !this.querySelector("textarea")) return;
    this.started = true;
    const token = () => document.querySelector("[name='csrfmiddlewaretoken']")?.value || "";
    const ask = serverOf(this.dataset, token);
    const builder = new Builder(this, ask);
    ask.grammar().then((grammar) => builder.start(grammar), (error) => this.append(el("p", { class: "cb-help" },
      `The rules cannot be shown: ${error.message} Reload the page to try again, or edit the condition as JSON.`)));
  }
});
