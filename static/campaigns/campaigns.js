/* The campaign pages: small comforts around forms that also work without this file. */
(() => {
  "use strict";

  const editor = () => document.getElementById("workflow-editor");
  const say = (text) => {
    const status = document.getElementById("editor-status");
    const bar = document.querySelector(".cbw-bar__state");
    if (status) status.textContent = text;
    if (bar) bar.textContent = text;
  };
  let dirty = false;

  // On a narrow screen the tabs scroll: show the present one.
  const tab = document.querySelector(".cb-tabs [aria-current='page']");
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 40;

  // --- Links to a card open it ---------------------------------------------------------------------------------
  const open = (id) => {
    const card = document.getElementById(id);
    if (!card) return;
    const edit = card.matches(".cbw-card") && card.querySelector("details[data-card]");
    if (edit) edit.open = true;
    card.scrollIntoView({ block: card.offsetHeight < innerHeight * 0.8 ? "center" : "start" });
    if (edit) focusFirst(card);
    else (card.querySelector(".cbw-add > summary") || card).focus({ preventScroll: true });
  };
  const focusFirst = (part) => {
    const wrong = part.querySelector("[aria-invalid='true']");
    // A condition's text is not shown where its builder is.
    const fields = [...part.querySelectorAll(".cb-form :is(input, select, textarea):not([type='hidden'])")];
    (wrong || fields.find((field) => field.offsetParent) || part).focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-opens]");
    if (!link) return;
    event.preventDefault();
    open(link.dataset.opens);
  });
  window.addEventListener("load", () => {
    if (editor() && location.hash) open(decodeURIComponent(location.hash.slice(1)));
  });

  // --- A choice that brings other fields ------------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    const button = event.target.name && document.querySelector(`[data-chosen-by="${CSS.escape(event.target.name)}"]`);
    if (button) button.click();
  });

  // --- What is typed and not yet saved -------------------------------------------------------------------------
  document.addEventListener("input", (event) => {
    if (!event.target.closest("#workflow-editor")) return;
    dirty = true;
    const bar = document.querySelector(".cbw-bar__state");
    if (bar) bar.textContent = "Not saved yet.";
  });
  window.addEventListener("beforeunload", (event) => {
    if (dirty) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    if (event.target === editor()) dirty = false;
  });

  // --- The editor redraws itself after each button -------------------------------------------------------------
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.target !== editor()) return;
    document.querySelectorAll("details[data-card][open]").forEach((details) => {
      event.detail.formData.append("open", details.dataset.card);
    });
  });
  // Whoever has been signed out gets the log-in page for an answer: it must not take a part's place.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const id = event.detail.target.id;
    if (!["workflow-editor", "checklist", "journeys-list"].includes(id)) return;
    if (event.detail.xhr.status === 204 || event.detail.serverResponse.includes(`id="${id}"`)) return;
    event.detail.shouldSwap = false;
    if (event.detail.target !== editor()) return;
    dirty = true;
    say("Not saved: you have been signed out. Sign in again in another tab, then press Save here.");
  });
  document.addEventListener("htmx:afterSettle", () => {
    const form = editor();
    if (!form) return;
    const conflict = document.getElementById("conflict");
    if (conflict) {
      conflict.scrollIntoView({ block: "center" });
      conflict.focus({ preventScroll: true });
      return;
    }
    const part = form.dataset.focus && document.getElementById(form.dataset.focus);
    if (!part) return;
    delete form.dataset.focus;
    part.scrollIntoView({ block: "nearest" });
    focusFirst(part);
  });
  const failed = () => {
    dirty = true;
    say("Not saved: the server did not answer as it should. What you typed is still here; try again.");
  };
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);
})();
