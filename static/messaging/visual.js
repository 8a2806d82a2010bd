/* The visual editor: GrapesJS with its MJML blocks, kept to this server alone. */
(() => {
  const holder = document.getElementById("cbm-visual");
  if (!holder || !window.grapesjs) return;
  const decode = document.createElement("textarea");
  decode.innerHTML = document.getElementById("cbm-visual-source").textContent;
  const preset = window["grapesjs-mjml"].default || window["grapesjs-mjml"];
  const editor = grapesjs.init({
    container: holder,
    height: "calc(100vh - 220px)",
    fromElement: false,
    storageManager: false,
    // Its own dragging works with fingers as well.
    nativeDnD: false,
    telemetry: false,
    cssIcons: "",
    noticeOnUnload: false,
    avoidInlineStyle: false,
    plugins: [preset],
    pluginsOpts: { [preset]: { resetDevices: true, fonts: {}, hideSelector: true } },
  });
  // Its buttons are icons of a font from elsewhere: words say more.
  const WORDS = {
    "open-sm": "Style", "open-tm": "Settings", "open-layers": "Parts", "open-blocks": "Blocks",
    "sw-visibility": "Borders", preview: "Preview", fullscreen: "Full screen", "export-template": "Code",
    "mjml-import": "Import", "open-code": "Code", "canvas-clear": "Clear",
  };
  editor.on("load", () => {
    editor.Panels.getPanels().forEach((panel) => panel.get("buttons").forEach((button) => {
      if (/<svg/.test(button.get("label") || "")) return;
      const word = WORDS[button.id] || button.id;
      button.set({ className: "cbm-visual__word", label: word, attributes: { title: word, "aria-label": word } });
    }));
    const blocks = editor.Panels.getButton("views", "open-blocks");
    if (blocks) blocks.set("active", true);
  });
  editor.setComponents(decode.value);
  const form = document.getElementById("cbm-visual-form");
  let saved = false;
  let touched = false;
  editor.on("load", () => setTimeout(() => editor.on("update", () => { touched = true; }), 500));
  form.addEventListener("submit", () => {
    saved = true;
    form.elements.mjml.value = editor.getHtml();
  });
  window.addEventListener("beforeunload", (event) => { if (touched && !saved) event.preventDefault(); });
  window.cuebirdVisual = editor;
})();
