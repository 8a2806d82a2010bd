/* In-app messages and web push in a web page, beside cuebird.js. No dependency, no build step: docs/browser.md.

   <script src="…/cuebird-messages.js" data-key="pk_…" defer></script>

   Messages are drawn in a shadow tree, so that neither the page's styles nor ours get in each other's way, and their
   texts are set as text: nothing that a template says can run here. */
"use strict";

(() => {
  const script = document.currentScript;
  const key = script && script.dataset.key;
  const host = ((script && script.dataset.host) || new URL(script ? script.src : location.href).origin).replace(/\/+$/, "");
  if (window.cuebirdMessages || !key) return;
  const EVERY = Number((script && script.dataset.every) || 60) * 1000;
  const warn = (...words) => console.warn("cuebird:", ...words);
  const shown = new Set();
  let open = null;
  let queue = [];

  const anonymousId = () => window.cuebird && window.cuebird.anonymousId && window.cuebird.anonymousId();

  // text/plain: browsers send it without asking first.
  const post = (path, body) => fetch(host + path, {
    method: "POST", credentials: "omit", keepalive: true,
    body: JSON.stringify({ writeKey: key, anonymousId: anonymousId(), ...body }),
  });

  const report = (message, event) =>
    post("/v1/in-app/report/", { messageId: message.id, event, url: message.url }).catch(() => {});

  const STYLE = `
    :host { all: initial; }
    .box { position: fixed; z-index: 2147483000; box-sizing: border-box; font: 16px/1.5 system-ui, sans-serif;
      color: #1a1d21; background: #fff; border-radius: 12px; box-shadow: 0 8px 32px rgb(0 0 0 / .25);
      padding: 20px 48px 20px 20px; max-width: min(420px, calc(100vw - 32px)); overflow: auto; max-height: 90vh; }
    .banner { inset: auto 16px 16px 16px; max-width: none; }
    .banner.top { inset: 16px 16px auto 16px; }
    .card { right: 16px; bottom: 16px; }
    .modal { inset: 50% auto auto 50%; transform: translate(-50%, -50%); }
    .shade { position: fixed; inset: 0; z-index: 2147482999; background: rgb(0 0 0 / .5); }
    h2 { margin: 0 0 4px; font-size: 1.125em; } p { margin: 0 0 12px; white-space: pre-line; }
    img { display: block; max-width: 100%; border-radius: 8px; margin: 0 0 12px; }
    .go { font: inherit; font-weight: 600; border: 0; border-radius: 8px; padding: 8px 16px; cursor: pointer;
      background: #2f5bea; color: #fff; text-decoration: none; display: inline-block; }
    .x { position: absolute; top: 8px; right: 8px; width: 36px; height: 36px; border: 0; border-radius: 8px;
      background: none; font: 24px/1 sans-serif; color: inherit; cursor: pointer; }
    .go:focus-visible, .x:focus-visible { outline: 3px solid #8aa5ff; outline-offset: 2px; }
    @media (prefers-color-scheme: dark) { .box { background: #23272e; color: #f2f4f7; } }`;

  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  };

  const safeUrl = (text) => {
    try {
      const url = new URL(text, location.href);
      return ["http:", "https:", "mailto:", "tel:"].includes(url.protocol) ? url.href : "";
    } catch { return ""; }
  };

  const close = () => {
    if (!open) return;
    open.holder.remove();
    if (open.before && open.before.focus) open.before.focus();
    document.removeEventListener("keydown", open.onKey);
    open = null;
    next();
  };

  const show = (message) => {
    const style = ["banner", "modal", "card"].includes(message.style) ? message.style : "card";
    const holder = make("div");
    const root = holder.attachShadow({ mode: "open" });
    const box = make("section", `box ${style} ${message.position === "top" ? "top" : ""}`);
    const modal = style === "modal";
    box.setAttribute("role", modal ? "dialog" : "status");
    box.setAttribute("aria-label", message.title || "Message");
    if (modal) {
      box.setAttribute("aria-modal", "true");
      root.append(make("div", "shade"));
    }
    root.append(make("style", "", STYLE));
    const image = message.image && safeUrl(message.image);
    if (image) { const picture = make("img"); picture.src = image; picture.alt = ""; box.append(picture); }
    if (message.title) box.append(make("h2", "", message.title));
    if (message.text) box.append(make("p", "", message.text));
    const url = message.url && safeUrl(message.url);
    if (url) {
      const go = make("a", "go", message.button || "Open");
      go.href = url;
      go.addEventListener("click", () => { report(message, "clicked"); close(); });
      box.append(go);
    }
    const dismiss = make("button", "x", "×");
    dismiss.type = "button";
    dismiss.setAttribute("aria-label", "Close this message");
    dismiss.addEventListener("click", () => { report(message, "dismissed"); close(); });
    box.append(dismiss);
    root.append(box);
    const onKey = (event) => {
      if (event.key === "Escape") dismiss.click();
      if (modal && event.key === "Tab") {
        // Within a dialog the keyboard stays in it.
        const ends = [...box.querySelectorAll("a, button")];
        const at = ends.indexOf(root.activeElement);
        event.preventDefault();
        ends[(at + (event.shiftKey ? -1 : 1) + ends.length) % ends.length].focus();
      }
    };
    open = { holder, onKey, before: modal ? document.activeElement : null };
    document.addEventListener("keydown", onKey);
    document.body.append(holder);
    if (modal) (box.querySelector(".go") || dismiss).focus();
    report(message, "seen");
  };

  const next = () => {
    if (open || !queue.length) return;
    show(queue.shift());
  };

  const look = () => {
    if (!anonymousId() || document.visibilityState !== "visible") return Promise.resolve();
    return post("/v1/in-app/", {}).then((answer) => answer.json().then((said) => {
      if (!answer.ok) return warn(said.message);
      const fresh = said.messages.filter((message) => !shown.has(message.id));
      fresh.forEach((message) => shown.add(message.id));
      queue.push(...fresh);
      next();
    })).catch(() => {});
  };

  // --- Web push: asked for by the page, at a moment that makes sense to people ------------------------------------

  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };

  const allowPush = async (worker = "/cuebird-worker.js") => {
    if (!("serviceWorker" in navigator) || !("PushManager" in window)) return false;
    if (await Notification.requestPermission() !== "granted") return false;
    const answer = await post("/v1/push/", {});
    const said = await answer.json();
    if (!answer.ok) { warn(said.message); return false; }
    const registration = await navigator.serviceWorker.register(worker);
    await navigator.serviceWorker.ready;
    const subscription = await registration.pushManager.subscribe({
      userVisibleOnly: true, applicationServerKey: bytes(said.publicKey),
    });
    return (await post("/v1/push/", { subscription: subscription.toJSON() })).ok;
  };

  const forgetPush = async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    const subscription = registration && await registration.pushManager.getSubscription();
    if (!subscription) return false;
    await post("/v1/push/", { subscription: null, endpoint: subscription.endpoint });
    return subscription.unsubscribe();
  };

  window.cuebirdMessages = { look, allowPush, forgetPush };
  look();
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
})();
