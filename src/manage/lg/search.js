// Routes of all clients: by prefix, by an ASN in their path, by community.

import { understood } from "./api.js";
import { h, hash, told } from "./html.js";
import { page } from "./routes.js";

const matches = { longest: "Best match", less: "All that cover it", more: "All within it" };
const verdicts = { "": "All", accepted: "Accepted", rejected: "Rejected" };

export async function show({ main, query, signal }) {
  const text = (query.get("q") ?? "").trim();
  const found = understood(text);
  if (!found) {
    main.append(h("h1", null, "Search"), told("Type a prefix or address, an ASN (AS64500), or a community (64500:1, 64500:1:*, rt:64500:1) into the box above."));
    return;
  }
  const { words, ...wanted } = found;
  const keep = { q: text, match: query.get("match"), verdict: query.get("verdict"), role: query.get("role") };
  const choice = (label, key, options, chosen) =>
    h("nav", { "aria-label": label }, Object.entries(options).map(([value, title]) =>
      h("a", { href: hash("/search", { ...keep, [key]: value }), "aria-current": value === chosen ? "true" : null }, title)));
  const bars = [];
  if (wanted.prefix) {
    wanted.match = keep.match in matches ? keep.match : "longest";
    bars.push(choice("Match", "match", matches, wanted.match));
  }
  if (wanted.asn && keep.role === "origin") {
    wanted.origin = wanted.asn;
    delete wanted.asn;
  }
  if (found.asn) bars.push(choice("Where", "role", { "": "Anywhere in the path", origin: "Origin" }, keep.role ?? ""));
  bars.push(choice("Verdict", "verdict", verdicts, keep.verdict ?? ""));
  const note = h("div", { "aria-live": "polite" });
  const title = words.replace(/^r/, "R");
  main.append(h("div", { class: "title" }, h("h1", null, title)), h("div", { class: "tabs" }, bars), note);
  const { shown, prefix } = (await page({
    into: main,
    path: "search",
    parameters: { ...wanted, verdict: keep.verdict },
    cursor: query.get("cursor"),
    as: { columns: "all" },
    none: wanted.prefix ? "Nobody announces it, nor anything that covers it." : "No client announces such a route.",
    next: (cursor) => hash("/search", { ...keep, cursor }),
    signal,
  })) ?? {};
  if (shown && wanted.match === "longest" && text.includes("/") && prefix !== text && !query.get("cursor")) {
    note.append(told(`Nobody announces ${text} itself. This is the longest prefix that covers it: ${prefix}.`));
  }
}
