// One client: its session, its counters, and its routes with what became of them.

import { get, every, understood } from "./api.js";
import { h, count, octets, duration, hash, escape, facts, told, both } from "./html.js";
import { stateText } from "./clients.js";
import { page } from "./routes.js";

const sides = { accepted: "Accepted", rejected: "Rejected", advertised: "Advertised" };
const empty = {
  accepted: "No route of this client is accepted.",
  rejected: "No route of this client is rejected.",
  advertised: "Nothing is advertised to this client.",
};

const family = (by) => (by.ipv6 === 0 ? count(by.ipv4) : by.ipv4 === 0 ? count(by.ipv6) : `${count(by.ipv4 + by.ipv6)} (IPv4 ${count(by.ipv4)}, IPv6 ${count(by.ipv6)})`);
const list = (families) => families.map((name) => (name === "ipv4" ? "IPv4" : "IPv6")).join(", ");

function restarts({ keeps_routes: keeps, after_notifications: also }) {
  if (!keeps) return "It drops our routes";
  return also ? "It keeps our routes, after a NOTIFICATION, too (RFC 8538)" : "It keeps our routes unless a NOTIFICATION came (RFC 4724)";
}

/** What it said of its own restarts. */
function own({ restart_time_s: time, has_restarted: has }) {
  if (time === null) return "It announced no graceful restart";
  return `Restart Time ${time} s${has ? "; it said that it had restarted" : ""}`;
}

function about(client) {
  const isUp = client.state === "Established";
  return [
    client.disabled !== null ? told(`Disabled${client.disabled ? `: ${client.disabled}` : "."}`, "odd") : null,
    client.quarantined ? told("Quarantined: its routes are looked at and relayed to none.", "odd") : null,
    client.waits_for_data ? told("Its session is held back until the data for its checks has come.", "odd") : null,
    !isUp && client.last_error ? told(`The last session ended: ${client.last_error}`, "down") : null,
    facts([
      ["State", h("span", null, stateText(client), ` for ${duration(client.since_s)}`)],
      ["Address", h("span", { class: "mono" }, client.address)],
      ["Router ID", client.router_id],
      ["Families", list(client.families)],
      ["ADD-PATH", list(client.add_path)],
      ["Hold time", isUp ? `${client.hold_time_s} s` : null],
      ["When we restart", client.restarts ? restarts(client.restarts) : null],
      ["When it restarts", client.restarts ? own(client.restarts) : null],
      ["Received", family(client.received)],
      ["Accepted", family(client.accepted)],
      ["Over its limit", both(client.blocked) > 0 ? family(client.blocked) : null],
      ["UPDATEs", `${count(client.updates_in)} in, ${count(client.updates_out)} out`],
      ["Octets", `${octets(client.octets_in)} in, ${octets(client.octets_out)} out`],
      ["Waiting to be sent", client.queue_octets > 0 ? octets(client.queue_octets) : null],
      ["Stale", client.stale.length > 0 ? client.stale.map(stale).join(", ") : null],
      ["Behind by", client.dirty_prefixes > 0 ? `${count(client.dirty_prefixes)} prefixes` : null],
      ["Paced", client.min_advertisement_ms ? `changes every ${client.min_advertisement_ms} ms at most` : null],
      ["Session ends", client.flaps > 0 ? count(client.flaps) : null],
      ["Faulty UPDATEs", client.treat_as_withdraw_count > 0 ? `${count(client.treat_as_withdraw_count)} treated as withdraw` : null],
      ["Last error", isUp ? client.last_error : null],
    ]),
  ].filter(Boolean);
}

/** Routes of a family that are kept although their session is over. */
function stale(kept) {
  const what = kept.long_lived ? "the last choice" : "kept";
  return `${count(kept.prefixes)} ${kept.family} ${what} for ${duration(kept.for_s)}`;
}

/** Why routes are rejected: each reason with its number, leading to those routes. */
function reasons(client, chosen, texts) {
  if (client.rejected.length === 0) return [];
  const most = Math.max(...client.rejected.map((one) => one.ipv4 + one.ipv6));
  const rows = [...client.rejected].sort((a, b) => b.ipv4 + b.ipv6 - a.ipv4 - a.ipv6).map((one) => {
    const number = one.ipv4 + one.ipv6;
    const bar = h("span", { class: "measure", "aria-hidden": "true" });
    bar.style.setProperty("--part", `${(100 * number) / most}%`);
    const to = hash(`/client/${escape(client.name)}/rejected`, { reason: one.reason === chosen ? null : one.reason });
    return h("li", null, h("a", { href: to, "aria-current": one.reason === chosen ? "true" : null }, h("span", { class: "number" }, count(number)), bar, h("span", null, texts.get(one.reason) ?? one.reason)));
  });
  return [h("h2", null, "Why routes are rejected"), h("ul", { class: "reasons" }, rows)];
}

export async function show({ main, parts, query, signal }) {
  const [name, asked] = parts;
  const which = asked in sides ? asked : "accepted";
  const reason = which === "rejected" ? query.get("reason") : null;
  const find = which === "advertised" ? "" : (query.get("find") ?? "").trim();
  let client;
  const texts = new Map();
  try {
    const all = which === "rejected" ? (await get("reasons", null, signal)).reasons : [];
    all.forEach((one) => texts.set(one.name, one.text));
    client = (await get(`clients/${escape(name)}`, null, signal)).client;
  } catch (error) {
    if (error.name !== "AbortError") main.append(h("h1", null, name), told(error.message, "error"));
    return;
  }
  const top = h("div", null, about(client));
  const why = h("section", { "aria-label": "Reasons" }, which === "rejected" ? reasons(client, reason, texts) : []);
  const numbers = { accepted: both(client.accepted), rejected: Math.max(both(client.received) - both(client.accepted), 0) };
  if (client.advertised) numbers.advertised = both(client.advertised);
  const tabs = Object.entries(sides).map(([key, title]) =>
    h("a", { href: hash(`/client/${escape(name)}/${key}`), "aria-current": key === which ? "page" : null }, title, key in numbers ? h("span", { class: "count" }, ` ${count(numbers[key])}`) : null));
  const input = h("input", { type: "search", value: find, placeholder: "Prefix, ASN or community", "aria-label": "Find in these routes", autocapitalize: "off", spellcheck: "false" });
  const form = h("form", { class: "find", onsubmit: (event) => {
    event.preventDefault();
    location.hash = hash(`/client/${escape(name)}/${which}`, { reason, find: input.value.trim() });
  } }, input, h("button", null, "Find"));
  main.append(
    h("div", { class: "title" }, h("h1", null, client.name), h("a", { href: hash("/search", { q: `AS${client.asn}` }) }, `AS${client.asn}`)),
    top,
    h("div", { class: "tabs" },
      h("nav", { "aria-label": "Routes" }, tabs),
      h("nav", { "aria-label": "Report" }, h("a", { href: hash(`/report/${escape(name)}`) }, "Registry report")),
      which === "advertised" ? null : form),
    why,
  );
  every(5_000, signal, async () => {
    const now = (await get(`clients/${escape(name)}`, null, signal)).client;
    top.replaceChildren(...about(now));
  });
  const { words, ...wanted } = understood(find) ?? {};
  if (find && !words) return main.append(told(`'${find}' is no prefix, ASN or community.`, "error"));
  if (wanted.prefix) wanted.match = "more";
  const isSent = which === "advertised";
  await page({
    into: main,
    path: isSent ? "routes" : "search",
    parameters: isSent ? { client: name, which } : { client: name, verdict: which, reason, ...wanted },
    cursor: query.get("cursor"),
    as: { columns: which, isOneClients: !isSent, hidesVerdict: which !== "rejected", isBrief: true, explainTo: isSent ? name : null },
    none: find ? "None of its routes here has that." : empty[which],
    next: (cursor) => hash(`/client/${escape(name)}/${which}`, { reason, find, cursor }),
    signal,
  });
}
