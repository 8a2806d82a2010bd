// What the builder asks the server, at the addresses that the page names.

/** Return functions that ask at the addresses of a page: {look, stop, words, values, spread, people, grammar}. */
export const serverOf = (addresses, token) => {
  const answers = new Map();
  const post = (address, body, signal) => fetch(address, {
    method: "POST", signal, body: JSON.stringify(body), headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
  });
  const get = async (address, query, signal) => {
    const filled = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
    if (!address) throw new Error("This installation cannot say.");
    const url = `${address}?${new URLSearchParams(filled)}`;
    if (!answers.has(url)) {
      const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(`The server answered ${response.status}.`);
      answers.set(url, await response.json());
    }
    return answers.get(url);
  };
  return {
    words: async (query) => (await get(addresses.words, query)).words.map((each) => ({
      value: each.value, type: each.type, words: each.label,
      hint: [each.label === each.value ? "" : each.value, each.seen, each.examples?.slice(0, 3).join(", ")].filter(Boolean).join(" · "),
    })),
    values: async (query) => (await get(addresses.values, query)).values.map((each) => ({
      value: String(each.value), hint: each.share ? `${Math.round(each.share * 100) || "less than 1"} %` : "",
    })),
    people: async (query) => (await get(addresses.people, query)).people,
    spread: (query) => get(addresses.spread, query),
    grammar: () => get(addresses.grammar, {}),
    look: async (question, signal) => {
      const response = await post(addresses.look, question, signal);
      if (!response.ok || response.redirected) throw new Error("The server did not answer as it should.");
      return response.json();
    },
    // A count that nobody stops ends by itself some seconds later.
    stop: (name) => { if (addresses.stop) post(addresses.stop, { token: name }).catch(() => {}); },
  };
};
