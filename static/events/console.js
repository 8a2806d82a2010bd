// Small manners of the console's pages; everything else is htmx and Alpine.
"use strict";

(() => {
  // <button data-copy="#id">: put that element's text on the clipboard.
  const copy = async (button) => {
    const source = document.querySelector(button.dataset.copy);
    if (!source) return;
    const label = button.dataset.label || (button.dataset.label = button.textContent);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      // Without https the clipboard is closed to pages: mark the text, so that Ctrl-C takes it.
      getSelection().selectAllChildren(source);
      button.textContent = "Marked: press Ctrl-C";
    }
    setTimeout(() => { button.textContent = label; }, 2500);
  };

  // <a data-pane="#id" href="…">: on wide screens load the link into that pane instead of leaving the page.
  const openInPane = (link, event) => {
    const pane = document.querySelector(link.dataset.pane);
    if (!pane || innerWidth < 1024 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    document.querySelectorAll("[aria-selected=true][data-row]").forEach((row) => row.removeAttribute("aria-selected"));
    const row = link.closest("[data-row]");
    if (row) row.setAttribute("aria-selected", "true");
    pane.dataset.row = row ? row.id : "";
    htmx.ajax("GET", link.href, { target: pane, swap: "innerHTML" });
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    const link = event.target.closest("[data-pane]");
    if (link) openInPane(link, event);
  });

  // <select data-submits>: a choice is all that its form waits for. <input data-selects>: its text is there to be copied.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-selects]")) event.target.select();
  });

  // Relative times grow old while a page stays open: say them anew, in the words of the server.
  const spans = [[90, "s", 1], [90 * 60, "min", 60], [36 * 3600, "h", 3600], [60 * 86400, "days", 86400]];

  const relative = (when) => {
    const seconds = Math.round((Date.now() - when) / 1000);
    if (Math.abs(seconds) < 2) return "just now";
    const span = spans.find(([limit]) => Math.abs(seconds) < limit);
    if (!span) return null;
    const amount = `${Math.round(Math.abs(seconds) / span[2])} ${span[1]}`;
    return seconds > 0 ? `${amount} ago` : `in ${amount}`;
  };

  setInterval(() => {
    for (const time of document.querySelectorAll("time.cb-ago")) {
      const text = relative(Date.parse(time.dateTime));
      if (text && text !== time.textContent) time.textContent = text;
    }
  }, 5000);

  // A list that refreshes itself (data-live) keeps what its reader has opened, and shows what is new.
  const live = (event) => event.target.closest && event.target.closest("[data-live]");
  let before = null;

  document.addEventListener("htmx:beforeSwap", (event) => {
    const list = live(event);
    if (!list) return;
    before = {
      open: new Set([...list.querySelectorAll("details[open][id]")].map((element) => element.id)),
      rows: new Set([...list.querySelectorAll("[data-row]")].map((element) => element.id)),
      selected: list.querySelector("[data-row][aria-selected=true]")?.id,
    };
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const list = document.querySelector("[data-live]");
    if (!before || !list || !live(event)) return;
    for (const id of before.open) document.getElementById(id)?.setAttribute("open", "");
    if (before.selected) document.getElementById(before.selected)?.setAttribute("aria-selected", "true");
    if (before.rows.size) {
      for (const row of list.querySelectorAll("[data-row]")) {
        if (!before.rows.has(row.id)) row.classList.add("cb-is-new");
      }
    }
    before = null;
  });

  // --- Buttons that ask first ----------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-confirm]");
    if (button && !window.confirm(button.dataset.confirm)) event.preventDefault();
  }, true);
})();
