/* Cuebird in a web page: who somebody is and what they do. No dependency, no build step. How to use it: docs/browser.md.

   A call gets its messageId at once and stays in localStorage until the server has answered it. So a lost connection or
   a closed tab loses nothing, and what is sent twice, by the next page or another tab, counts once. */
"use strict";

(() => {
  const VERSION = "1.0.0";
  const PREFIX = "cuebird.";
  const MAX_WAITING = 500;
  const MAX_CALL = 32 * 1024;
  const MAX_BATCH = 400 * 1024;
  // Browsers let 64 KB outlive a page.
  const MAX_LEAVING = 60 * 1024;
  const MAX_PAUSE = 300000;
  const CLICK_REST = 250;
  const stub = window.cuebird;
  if (stub && stub.version) return;
  const script = document.currentScript;
  let key, url, options, allowed;
  let memory = {};

  // --- Manners: nothing of ours may break the page it is in ----------------------------------------------------

  const warn = (...words) => console.warn("cuebird:", ...words);
  const safe = (work) => (...given) => { try { return work(...given); } catch (error) { warn(error); } };
  const attempt = (work) => { try { return work(); } catch { return undefined; } };
  const listen = (target, name, work) =>
    target.addEventListener(name, safe(work), { capture: true, passive: true });
  const size = (text) => new TextEncoder().encode(text).length;
  const newId = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join("");
  };

  // --- Memory: localStorage, where that is closed a cookie (not for waiting calls), else this page ----------------

  const KEPT = ["anonymous", "user", "consent"];

  const readCookie = (name) => attempt(() => {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${PREFIX}${name}=`));
    return found && decodeURIComponent(found.slice(found.indexOf("=") + 1));
  });

  const writeCookie = (name, value, age) => attempt(() => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${PREFIX}${name}=${encodeURIComponent(value)}; Max-Age=${age}; Path=/; SameSite=Lax${secure}`;
  });

  const disk = {
    get: (name) => attempt(() => localStorage.getItem(PREFIX + name)) || readCookie(name),
    set: (name, value) => {
      try {
        localStorage.setItem(PREFIX + name, value);
      } catch {
        if (KEPT.includes(name)) writeCookie(name, value, 365 * 86400);
      }
    },
    remove: (name) => {
      attempt(() => localStorage.removeItem(PREFIX + name));
      if (readCookie(name)) writeCookie(name, "", 0);
    },
    names: (start) => attempt(() => Object.keys(localStorage).filter((name) => name.startsWith(PREFIX + start))
      .map((name) => name.slice(PREFIX.length)).sort()) || [],
  };

  const recall = (name) => (allowed && disk.get(name)) || memory[name];

  const remember = (name, value) => {
    memory[name] = value;
    if (allowed) disk.set(name, value);
  };

  const anonymousId = () => {
    if (!recall("anonymous")) remember("anonymous", newId());
    return recall("anonymous");
  };

  // --- Consent: ``allowed`` is true, false, or undefined while nobody has said, and calls wait in memory ----------

  const silenced = () => options.respectDoNotTrack
    && (navigator.globalPrivacyControl || [navigator.doNotTrack, window.doNotTrack].includes("1"));

  const grant = () => {
    if (silenced()) return;
    if (options.consent === "required" || disk.get("consent")) disk.set("consent", "yes");
    allowed = true;
    Object.keys(memory).forEach((name) => disk.set(name, memory[name]));
    waiting.forEach(persist);
    adopt();
    flush();
  };

  const silence = () => {
    allowed = false;
    memory = {};
    waiting = [];
    resting.clear();
  };

  const withdraw = () => {
    silence();
    [...disk.names(""), ...KEPT].forEach(disk.remove);
    // Where nobody is asked, only a remembered no is worth anything.
    if (options.consent !== "required") disk.set("consent", "no");
  };

  const consent = (given) => {
    if (given !== undefined) (given ? grant : withdraw)();
    return allowed === true;
  };

  const decide = () => {
    const said = disk.get("consent");
    allowed = !silenced() && (said ? said === "yes" : options.consent === "required" ? undefined : true);
  };

  // Another tab has been told.
  listen(window, "storage", ({ key: name }) => {
    if (!url || name !== PREFIX + "consent") return;
    const said = disk.get("consent");
    if (said === "yes") grant();
    else if (said === "no" || options.consent === "required") silence();
  });

  // --- The queue: each waiting call is an entry of its own, so that tabs do not overwrite each other's ------------

  let waiting = [];
  let count = 0;

  const persist = (item) => disk.set(item.name, item.text);

  const drop = (items) => {
    items.forEach((item) => disk.remove(item.name));
    waiting = waiting.filter((item) => !items.includes(item));
  };

  const trim = () => drop(waiting.slice(0, Math.max(0, waiting.length - MAX_WAITING)));

  const adopt = () => {
    const known = waiting.map((item) => item.name);
    const found = disk.names(`waiting.${key}.`).filter((name) => !known.includes(name));
    const items = found.map((name) => ({ name, text: disk.get(name) })).filter((item) => item.text);
    waiting = [...items, ...waiting];
    trim();
  };

  const push = (call) => {
    if (allowed === false || !sampled(call)) return;
    const text = JSON.stringify(call);
    if (size(text) > MAX_CALL) return warn(`a ${call.type} call of more than 32 KB cannot be sent`);
    const item = { name: `waiting.${key}.${Date.now()}.${1e6 + count++}.${call.messageId}`, text };
    waiting.push(item);
    trim();
    if (!allowed) return;
    persist(item);
    if (failures) return;
    if (waiting.length >= options.flushAt) flush();
    else if (!timer) schedule(options.flushAfter);
  };

  const sampled = (call) => {
    const name = call.event || call.type;
    const share = options.sample[name];
    if (share === undefined) return true;
    let hash = 2166136261;
    for (const letter of anonymousId() + name) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
    return (hash >>> 0) / 2 ** 32 < share;
  };

  // --- Sending ----------------------------------------------------------------------------------------------------

  let busy = false;
  let failures = 0;
  let timer = 0;

  const schedule = (pause) => {
    clearTimeout(timer);
    timer = setTimeout(safe(flush), pause);
  };

  const take = (room) => {
    const free = waiting.filter((item) => !item.sent);
    const end = free.findIndex((item) => (room -= size(item.text) + 1) < 0);
    return end < 0 ? free : free.slice(0, end);
  };

  // A text goes out as text/plain, which browsers send without asking first.
  const bodyOf = (items) => {
    items.forEach((item) => { item.sent = true; });
    const head = JSON.stringify({ writeKey: key, sentAt: new Date().toISOString() });
    return `${head.slice(0, -1)},"batch":[${items.map((item) => item.text).join()}]}`;
  };

  const flush = () => {
    clearTimeout(timer);
    timer = 0;
    if (busy || !allowed || navigator.onLine === false) return;
    const items = take(MAX_BATCH);
    if (!items.length) return;
    busy = true;
    const body = bodyOf(items);
    fetch(url, { method: "POST", body, keepalive: size(body) < MAX_LEAVING, credentials: "omit" })
      .then((answer) => settle(items, answer), () => retry(items, 0));
  };

  const settle = (items, answer) => {
    if (answer.status === 429 || answer.status >= 500) return retry(items, pauseOf(answer));
    drop(items);
    busy = false;
    failures = 0;
    // Whoever builds the page wants to know what was refused, and why.
    answer.json().then((said) => {
      if (!answer.ok) warn(answer.status, said.message);
      (said.rejected || []).forEach((one) => warn("refused:", one.message, one.field));
    }, () => {});
    flush();
  };

  const pauseOf = (answer) => {
    const said = answer.headers.get("Retry-After") || 0;
    return said >= 0 ? said * 1000 : Math.max(0, Date.parse(said) - Date.now()) || 0;
  };

  const retry = (items, asked) => {
    items.forEach((item) => { item.sent = false; });
    busy = false;
    const pause = Math.min(MAX_PAUSE, options.retryAfter * 2 ** failures++);
    schedule(Math.max(asked, pause / 2) + Math.random() * pause / 2);
  };

  // What is handed over here stays stored, for nobody will hear the answer: the next page sends it again.
  const leave = () => {
    if (!allowed || failures) return;
    const items = take(MAX_LEAVING);
    if (!items.length) return;
    const body = bodyOf(items);
    if (!navigator.sendBeacon || !navigator.sendBeacon(url, body)) {
      fetch(url, { method: "POST", body, keepalive: true, credentials: "omit" }).catch(() => {});
    }
  };

  // --- Calls ------------------------------------------------------------------------------------------------------

  const pageOf = (referrer) => ({
    path: location.pathname, referrer, search: location.search, title: document.title, url: location.href,
  });

  const campaign = () => {
    const found = {};
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (name.startsWith("utm_")) found[name === "utm_campaign" ? "name" : name.slice(4)] = value;
    }
    return Object.keys(found).length ? found : undefined;
  };

  const compose = (type, fields, page) => ({
    type,
    messageId: newId(),
    timestamp: new Date().toISOString(),
    anonymousId: anonymousId(),
    userId: recall("user"),
    ...fields,
    context: {
      page: page || pageOf(visit ? visit.page.referrer : document.referrer),
      campaign: campaign(),
      locale: navigator.language,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      screen: { width: screen.width, height: screen.height, density: window.devicePixelRatio },
      userAgent: navigator.userAgent,
      library: { name: "cuebird.js", version: VERSION },
    },
  });

  // --- Debounce: of calls in quick succession, per event name or element, the last one counts ----------------------

  const resting = new Map();

  const afterRest = (what, rest, work) => {
    if (!(rest > 0)) return work();
    clearTimeout((resting.get(what) || {}).timer);
    const wake = safe(() => resting.delete(what) && work());
    resting.set(what, { wake, timer: setTimeout(wake, rest) });
  };

  const wakeAll = () => [...resting.values()].forEach(({ wake }) => wake());

  const calls = {
    identify(userId, traits) {
      if (userId && typeof userId === "object") [userId, traits] = [undefined, userId];
      if (userId) remember("user", String(userId));
      push(compose("identify", { traits: traits || {} }));
    },
    track(event, properties) {
      const call = compose("track", { event, properties: properties || {} });
      afterRest(event, options.debounce[event], () => push(call));
    },
    page(name, properties) {
      if (name && typeof name === "object") [name, properties] = [undefined, name];
      const call = compose("page", { name });
      push({ ...call, properties: { ...call.context.page, ...properties } });
    },
    group(groupId, traits) {
      push(compose("group", { groupId, traits: traits || {} }));
    },
    alias(userId, previousId) {
      const known = previousId || recall("user") || anonymousId();
      remember("user", String(userId));
      push(compose("alias", { previousId: known }));
    },
    reset() {
      memory = {};
      ["anonymous", "user"].forEach(disk.remove);
    },
    ready: (work) => { Promise.resolve().then(safe(work)); },
    consent,
    flush,
  };

  // --- Capture: what is seen without a line of code ---------------------------------------------------------------

  let visit;
  let from;
  let here = location.pathname + location.search;

  const captures = (what) => options.capture === true || options.capture[what];
  const visible = () => document.visibilityState === "visible";

  const arrive = (referrer) => {
    visit = { page: pageOf(referrer), spent: 0, since: visible() ? performance.now() : 0, depth: 0 };
    if (captures("pages")) calls.page();
  };

  const measureTime = () => {
    if (!visit) return;
    if (visit.since) visit.spent += performance.now() - visit.since;
    visit.since = visible() ? performance.now() : 0;
  };

  const measureDepth = () => {
    // A page that is still growing would seem to have been read to its end.
    if (!visit || document.readyState !== "complete") return;
    const { scrollHeight } = document.documentElement;
    visit.depth = Math.max(visit.depth, Math.min(100, Math.round(100 * (scrollY + innerHeight) / scrollHeight)));
  };

  const depart = () => {
    if (!visit) return;
    measureTime();
    measureDepth();
    const { page, spent, depth } = visit;
    const properties = { path: page.path, title: page.title, url: page.url };
    if (captures("time")) properties.time_spent = Math.round(spent / 100) / 10;
    if (captures("scroll")) properties.scroll_depth = depth;
    if (captures("time") || captures("scroll")) push(compose("track", { event: "Page Left", properties }, page));
    visit = undefined;
  };

  // Single-page applications: another address is another page. Its title comes a moment later.
  const move = () => {
    const place = location.pathname + location.search;
    if (place === here) return;
    if (visit) from = visit.page.url;
    here = place;
    depart();
    afterRest(move, 50, () => arrive(from));
  };

  const typed = (text) => (/^(true|false|-?(0|[1-9]\d{0,14})(\.\d+)?)$/.test(text) ? JSON.parse(text) : text);

  const click = ({ target }) => {
    const element = captures("clicks") && target.closest && target.closest("[data-track]");
    if (!element) return;
    const properties = {};
    for (const { name, value } of element.attributes) {
      if (name.startsWith("data-track-")) properties[name.slice(11).replace(/-/g, "_")] = typed(value);
    }
    const event = element.dataset.track;
    const { debounce = options.debounce[event] || CLICK_REST, ...rest } = properties;
    const call = compose("track", { event, properties: rest });
    afterRest(element, debounce, () => push(call));
  };

  const watch = () => {
    const { pushState } = history;
    history.pushState = function (...given) {
      pushState.apply(this, given);
      safe(move)();
    };
    listen(window, "popstate", move);
    listen(document, "click", click);
    listen(window, "scroll", measureDepth);
    listen(window, "online", () => { failures = 0; flush(); });
    listen(document, "visibilitychange", () => {
      measureTime();
      if (visible()) return;
      wakeAll();
      if (!failures) flush();
    });
    listen(window, "pagehide", () => { wakeAll(); depart(); leave(); });
    // Back from the browser's memory: what was handed over on leaving may not have arrived.
    listen(window, "pageshow", ({ persisted }) => {
      if (!persisted) return;
      waiting.forEach((item) => { item.sent = false; });
      busy = false;
      arrive(document.referrer);
      flush();
    });
    if (document.prerendering) listen(document, "prerenderingchange", () => arrive(document.referrer));
    else arrive(document.referrer);
  };

  // --- Start: what was called before this file had come is done now, in order ----------------------------------------

  const load = (writeKey, wishes) => {
    if (url) return;
    const defaults = { capture: {}, debounce: {}, sample: {}, flushAt: 20, flushAfter: 500, retryAfter: 1000 };
    options = { ...defaults, host: new URL(script ? script.src : location.href).origin, ...wishes };
    key = writeKey;
    url = options.host.replace(/\/+$/, "") + "/v1/b";
    decide();
    if (allowed) adopt();
    early.splice(0).forEach(([name, given]) => api[name](...given));
    // Calls that the page makes in the same breath come first: an identify belongs before the page view.
    Promise.resolve().then(safe(() => { watch(); flush(); }));
  };

  const early = [];
  const api = { version: VERSION, load: safe(load), anonymousId: safe(() => url && anonymousId()) };
  Object.keys(calls).forEach((name) => {
    const call = safe(calls[name]);
    api[name] = (...given) => (url ? call(...given) : void early.push([name, given]));
  });
  api.push = safe(([name, ...given]) => api[name](...given));
  window.cuebird = api;
  if (Array.isArray(stub)) stub.forEach(api.push);
  // <script src="…/cuebird.js" data-key="pk_…" data-options='{"capture": true}'>: for pages that allow no inline script.
  const { key: given, options: wishes } = (script && script.dataset) || {};
  if (given) safe(() => api.load(given, wishes ? JSON.parse(wishes) : {}))();
})();
