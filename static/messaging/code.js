/* Code fields of the editors: CodeMirror over each textarea, with completion of what the catalogue knows.

   The textarea stays in the form and is kept up to date, so that saving, previews and the browser's own checks work as
   they would without this; it is also what remains where this cannot run. */
(() => {
  if (!window.CodeMirror) return;
  const { EditorView, EditorState, Compartment, basicSetup, keymap, indentWithTab, liquid, html, oneDark } = CodeMirror;
  const views = [];
  let words = null;
  let wanted = null;

  const isDark = () => document.documentElement.classList.contains("dark");

  // What is known is asked for once, and anew when another event is chosen.
  const load = () => {
    const page = document.querySelector("[data-words]");
    if (!page) return;
    const chosen = document.getElementById("cbm-event");
    const name = chosen && chosen.value ? chosen.selectedOptions[0].textContent.split(" · ")[0] : "";
    if (name === wanted) return;
    wanted = name;
    fetch(`${page.dataset.words}?event=${encodeURIComponent(name)}`, { headers: { Accept: "application/json" } })
      .then((answer) => answer.json()).then((said) => { words = said; }, () => {});
  };

  const option = (label, detail, type) => ({ label, detail, type });

  const below = (path) => {
    const root = path[0];
    const depth = path.slice(1).join(".");
    const named = (list) => list.filter(([name]) => !depth || name.startsWith(`${depth}.`))
      .map(([name, seen]) => option(depth ? name.slice(depth.length + 1) : name, seen, "property"));
    if (!words) return [];
    if (root === "customer") {
      const own = ["id", "email", "phone", "language", "time_zone", "created_at"].map((name) => [name, ""]);
      return named([...words.trait, ...own.filter(([name]) => !words.trait.some(([known]) => known === name))]);
    }
    if (root === "trigger" || root === "event") return named(words.property);
    if (root === "snippets") return words.snippet.map((name) => option(name, "", "constant"));
    if (root === "feeds") return words.feed.map((name) => option(name, "", "constant"));
    return [];
  };

  const variables = () => [
    option("customer", "the person", "variable"), option("trigger", "the event", "variable"),
    option("event", "the event", "variable"), option("company", "the person's company", "variable"),
    option("journey", "", "variable"), option("campaign", "", "variable"),
    option("unsubscribe_url", "address", "variable"), option("postal_address", "your address", "variable"),
    option("snippets", "shared pieces", "variable"), option("feeds", "data feeds", "variable"),
  ];

  const complete = (context) => {
    const before = context.state.sliceDoc(Math.max(0, context.pos - 300), context.pos);
    const inside = /(\{\{|\{%)(?!.*(\}\}|%\}))([^{}]*)$/s.exec(before);
    if (!inside || !words) return null;
    const word = context.matchBefore(/[\w.-]*/);
    const text = inside[3];
    const path = /([A-Za-z_][\w-]*(?:\.[\w-]+)*)\.([\w-]*)$/.exec(text);
    if (path) return { from: context.pos - path[2].length, options: below(path[1].split(".")), validFor: /^[\w-]*$/ };
    if (/\|\s*[\w-]*$/.test(text)) {
      return { from: word.from, options: words.filter.map((name) => option(name, "", "function")), validFor: /^\w*$/ };
    }
    if (inside[1] === "{%" && /^-?\s*\w*$/.test(text)) {
      return { from: word.from, options: words.tag.map((name) => option(name, "", "keyword")), validFor: /^\w*$/ };
    }
    if (!context.explicit && word.from === word.to) return null;
    return { from: word.from, options: variables(), validFor: /^\w*$/ };
  };

  const adopt = (area) => {
    const theme = new Compartment();
    const language = liquid({ base: html() });
    const label = document.querySelector(`label[for="${area.id}"]`);
    const name = (label ? label.textContent : area.name).trim();
    const view = new EditorView({
      doc: area.value,
      extensions: [
        basicSetup, keymap.of([indentWithTab]), language, language.language.data.of({ autocomplete: complete }),
        EditorView.lineWrapping, theme.of(isDark() ? oneDark : []),
        EditorView.contentAttributes.of({ "aria-label": `${name}: code. Escape, then Tab leaves it.`, spellcheck: "false" }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          area.value = update.state.doc.toString();
          area.dispatchEvent(new Event("input", { bubbles: true }));
        }),
        EditorView.domEventHandlers({ focus: () => { area.dispatchEvent(new CustomEvent("cbm:focus", { bubbles: true })); } }),
      ],
      parent: area.parentElement,
    });
    view.dom.style.minHeight = `${Math.min(area.rows, 18) * 19}px`;
    area.hidden = true;
    area.cbmView = view;
    views.push([view, theme]);
    area.addEventListener("focus", () => view.focus());
  };

  // Tab indents code; Escape before it lets the keyboard out, as CodeMirror has it.
  const start = () => {
    document.querySelectorAll("textarea.cbm-code").forEach((area) => {
      if (!area.cbmView && !area.id.includes("__prefix__") && area.offsetParent !== null) adopt(area);
    });
    load();
  };

  new MutationObserver(() => {
    views.forEach(([view, theme]) => view.dispatch({ effects: theme.reconfigure(isDark() ? oneDark : []) }));
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:afterSettle", load);
  // Fields that another channel hides become visible, and rows for languages are added.
  document.addEventListener("change", () => setTimeout(start, 50));
  document.addEventListener("click", () => setTimeout(start, 50));
  if (document.readyState !== "loading") start();
})();
