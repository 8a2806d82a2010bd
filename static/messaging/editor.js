/* The editors: insert variables where the author last wrote, switch and scale the preview, jump to an error. */
(() => {
  const FIELDS = ["subject", "preheader", "html", "text"];
  // The layout's own fields stand for "layout_html" and "layout_text" in its editor.
  const fieldOf = (name) => document.getElementById(`id_${name}`) || document.getElementById(`id_${name.replace("layout_", "")}`);
  let last = null;
  let variablesOpen = false;

  const remember = (event) => {
    if (FIELDS.some((name) => event.target.id === `id_${name}` || event.target.id.endsWith(`-${name}`))) last = event.target;
  };
  document.addEventListener("focusin", remember);
  document.addEventListener("cbm:focus", remember);

  function insert(code) {
    const shown = FIELDS.map(fieldOf).find((field) => field && (field.offsetParent || field.cbmView));
    const field = last || shown;
    if (!field) return;
    if (field.cbmView) {
      const view = field.cbmView;
      view.dispatch(view.state.replaceSelection(code));
      view.focus();
      return;
    }
    field.focus();
    field.setRangeText(code, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function jump(name, line) {
    const inLayout = document.getElementById("layout_form");
    const field = name.startsWith("layout_") && !inLayout ? document.getElementById("id_layout") : fieldOf(name);
    if (!field) return;
    if (field.cbmView) {
      const view = field.cbmView;
      const place = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      view.dispatch({ selection: { anchor: place.from, head: place.to }, scrollIntoView: true });
      view.focus();
      return;
    }
    field.focus();
    if (!line || !field.setSelectionRange) return;
    const lines = field.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    field.setSelectionRange(start, start + (lines[line - 1] || "").length);
    field.scrollTop = (field.scrollHeight * Math.max(0, line - 4)) / lines.length;
  }

  function scale() {
    for (const paper of document.querySelectorAll(".cbm-paper")) {
      const frame = paper.querySelector("iframe");
      if (frame && paper.clientWidth) paper.style.setProperty("--scale", Math.min(1, paper.clientWidth / frame.offsetWidth));
    }
  }

  function show(button) {
    const preview = button.closest(".cbm-preview");
    preview.dataset.view = button.dataset.show;
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    scale();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert], [data-field], [data-show], [data-chooses]");
    if (!button) return;
    if (button.dataset.insert) insert(button.dataset.insert);
    else if (button.dataset.field) jump(button.dataset.field, Number(button.dataset.line));
    else if (button.dataset.show) show(button);
    else document.getElementById("cbm-other").open = false;
  });

  // Who is chosen goes along with each request for a preview: Enter must not send it by itself.
  document.addEventListener("submit", (event) => {
    if (event.target.id === "cbm-choice") event.preventDefault();
  });

  // Choosing another person or event renews the list of variables, which stays open if it was.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target.id === "cbm-chosen") variablesOpen = document.getElementById("cbm-variables")?.open || false;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const variables = document.getElementById("cbm-variables");
    if (variables && variablesOpen) variables.open = true;
    scale();
  });
  window.addEventListener("resize", scale);

  // In which languages the preview can be shown: those that have a row.
  function languages() {
    const choice = document.getElementById("cbm-language");
    if (!choice) return;
    const inputs = [...document.querySelectorAll("input[name^='translations-'][name$='-language']")];
    const known = inputs.filter((input) => !input.name.includes("__prefix__")).map((input) => input.value.trim()).filter(Boolean);
    const kept = choice.value;
    [...choice.options].slice(2).forEach((option) => option.remove());
    known.forEach((language) => choice.add(new Option(language, language)));
    choice.value = kept;
    if (choice.selectedIndex < 0) choice.value = "*";
    choice.closest(".cbm-language").hidden = !known.length;
  }
  document.addEventListener("input", (event) => { if (event.target.name && event.target.name.endsWith("-language")) languages(); });
  languages();
})();
