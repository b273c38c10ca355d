// All clients: state and counters, filtered as one types, sorted by any column.

import { get, every } from "./api.js";
import { h, put, count, rate, duration, hash, escape, both, told } from "./html.js";

const none = { updates_in: 0, updates_out: 0, octets_in: 0, octets_out: 0 };
const rejected = (client) => Math.max(both(client.received) - both(client.accepted), 0);

/** A sign and a word; the sign's shape says it without colour. */
export function state(client) {
  if (client.disabled !== null) return { sign: "■", word: "Disabled", kind: "off" };
  if (client.waits_for_data) return { sign: "◌", word: "Waits for data", kind: "off" };
  if (client.state !== "Established") return { sign: "▲", word: client.state, kind: "down" };
  if (client.quarantined) return { sign: "◆", word: "Quarantined", kind: "odd" };
  return { sign: "●", word: "Established", kind: "up" };
}

export const stateText = (client) => {
  const { sign, word, kind } = state(client);
  return h("span", { class: `state ${kind}` }, h("span", { "aria-hidden": "true" }, sign), ` ${word}`);
};

// Name, the value that sorts, the text, whether it is a number.
const columns = [
  { name: "Client", key: (row) => row.client.name, text: (row) => row.client.name },
  { name: "ASN", key: (row) => row.client.asn, text: (row) => `${row.client.asn}`, numeric: true },
  { name: "Address", key: (row) => row.client.address, text: (row) => row.client.address, mono: true },
  { name: "State", key: (row) => state(row.client).word },
  { name: "Received", key: (row) => both(row.client.received), text: (row) => count(both(row.client.received)), numeric: true },
  { name: "Accepted", key: (row) => both(row.client.accepted), text: (row) => count(both(row.client.accepted)), numeric: true },
  { name: "Rejected", key: (row) => rejected(row.client), text: (row) => count(rejected(row.client)), numeric: true },
  { name: "Advertised", key: (row) => row.client.advertised ? both(row.client.advertised) : -1, text: (row) => row.client.advertised ? count(both(row.client.advertised)) : "–", numeric: true },
  { name: "In", unit: "UPDATEs/s", key: (row) => row.rate.updates_in, text: (row) => rate(row.rate.updates_in), numeric: true },
  { name: "Out", unit: "UPDATEs/s", key: (row) => row.rate.updates_out, text: (row) => rate(row.rate.updates_out), numeric: true },
];

// Kept while other pages are looked at.
const sorted = { column: 0, descending: false };
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

let view = null;

export function show({ main, signal, typed }) {
  const body = h("tbody");
  const summary = h("p", { class: "count", "aria-live": "polite" });
  const heads = columns.map((column, index) => {
    const button = h("button", { type: "button", onclick: () => sortBy(index) }, column.name, column.unit ? h("small", null, ` ${column.unit}`) : null);
    return h("th", { scope: "col", class: column.numeric ? "number" : null }, button);
  });
  const table = h("table", { class: "clients" }, h("thead", null, h("tr", null, heads)), body);
  const select = h("select", { "aria-label": "Sort by", onchange: () => sortBy(Number(select.value), true) },
    columns.map((column, index) => h("option", { value: `${index}` }, `${column.name}${column.unit ? ` ${column.unit}` : ""}`)));
  main.append(
    h("div", { class: "title" }, h("h1", null, "Clients"), summary, h("label", { class: "sort" }, "Sort by ", select)),
    table,
  );
  view = { body, summary, heads, select, rows: new Map(), text: typed() };
  signal.addEventListener("abort", () => (view = null));
  const mine = view;
  every(5_000, signal, async () => {
    try {
      const [answer, rates] = await Promise.all([get("clients", null, signal), get("rates", null, signal)]);
      if (view === mine) fill(answer.clients, rates);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (view === mine && mine.rows.size === 0) body.replaceChildren(h("tr", null, h("td", { colspan: `${columns.length}` }, told(error.message, "error"))));
    }
  });
}

export function typed(text) {
  if (!view) return;
  view.text = text;
  arrange();
}

function sortBy(index, keeps) {
  const isSame = sorted.column === index && !keeps;
  sorted.descending = isSame ? !sorted.descending : Boolean(columns[index].numeric);
  sorted.column = index;
  arrange();
}

function fill(clients, rates) {
  const byName = new Map(rates.clients.map((client) => [client.name, client]));
  const gone = new Set(view.rows.keys());
  for (const client of clients) {
    gone.delete(client.name);
    let row = view.rows.get(client.name);
    if (!row) {
      row = newRow(client);
      view.rows.set(client.name, row);
    }
    row.client = client;
    row.rate = byName.get(client.name) ?? none;
    row.words = `${client.name} as${client.asn} ${client.address} ${state(client).word}`.toLowerCase();
    update(row);
  }
  gone.forEach((name) => view.rows.delete(name));
  arrange();
}

function newRow(client) {
  const cells = columns.map((column) =>
    h("td", { class: [column.numeric ? "number" : "", column.mono ? "mono" : ""].join(" ").trim() || null, "data-label": column.unit ? `${column.name} ${column.unit}` : column.name }));
  const link = h("a", { href: hash(`/client/${escape(client.name)}`), "data-item": true }, client.name);
  cells[0].append(link);
  const since = h("span", { class: "since" });
  const error = h("span", { class: "error" });
  const sign = h("span", null);
  cells[3].append(sign, " ", since, error);
  const element = h("tr", null, cells);
  element.addEventListener("click", (event) => event.target.closest("a") || String(getSelection()) || link.click());
  return { element, cells, sign, since, error };
}

function update(row) {
  columns.forEach((column, index) => {
    if (index === 0 || !column.text) return;
    const text = column.text(row);
    put(row.cells[index], text);
    row.cells[index].classList.toggle("zero", text === "0" || text === "–");
  });
  const { client } = row;
  const now = state(client);
  if (row.kind !== now.word) {
    row.sign.replaceChildren(stateText(client));
    row.element.dataset.kind = now.kind;
    row.kind = now.word;
  }
  put(row.since, duration(client.since_s));
  put(row.error, client.state === "Established" ? "" : (client.disabled || client.last_error || ""));
}

/** Puts the rows that match in their order. */
function arrange() {
  const { key } = columns[sorted.column];
  const parts = view.text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...view.rows.values()];
  const shown = all.filter((row) => parts.every((part) => row.words.includes(part)));
  const sign = sorted.descending ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  shown.sort((a, b) => sign * compare(key(a), key(b)) || collator.compare(a.client.name, b.client.name));
  const elements = shown.map((row) => row.element);
  const before = view.body.children;
  if (elements.length !== before.length || elements.some((element, index) => before[index] !== element)) {
    const focused = document.activeElement;
    view.body.replaceChildren(...elements);
    if (elements.length > 0 && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }
  if (all.length > 0 && shown.length === 0) {
    view.body.replaceChildren(h("tr", null, h("td", { colspan: `${columns.length}` }, told("No client's name, ASN, address or state has that in it."))));
  }
  put(view.summary, parts.length > 0 ? `${count(shown.length)} of ${count(all.length)}` : count(all.length));
  view.heads.forEach((head, index) => {
    index === sorted.column ? head.setAttribute("aria-sort", sorted.descending ? "descending" : "ascending") : head.removeAttribute("aria-sort");
  });
  view.select.value = `${sorted.column}`;
}
