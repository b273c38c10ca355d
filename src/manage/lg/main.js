// The frame: which page the hash names, the search box, the keyboard, what stands in the head.

import { get, understood, every } from "./api.js";
import { h, put, count, duration, hash } from "./html.js";
import * as clients from "./clients.js";
import * as client from "./client.js";
import * as search from "./search.js";
import * as explain from "./explain.js";
import * as live from "./live.js";
import * as report from "./report.js";

const main = document.getElementById("main");
const box = document.getElementById("q");
const hint = document.getElementById("hint");

const pages = { "": clients, client, report, search, explain, live };
let present = { page: clients };
let ended = new AbortController();

/** `#/client/NAME/rejected?reason=…` as page, parts and parameters. */
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { name: parts[0], parts: parts.slice(1), query: new URLSearchParams(query ?? "") };
}

function show() {
  if (location.hash === "#main") return;
  const { name, parts, query } = place();
  const page = pages[name] ?? clients;
  ended.abort();
  ended = new AbortController();
  present = { page, name };
  box.value = page === search ? (query.get("q") ?? "") : page === clients ? (query.get("q") ?? "") : "";
  say();
  for (const link of document.querySelectorAll("nav a")) {
    const is = link.dataset.page === ([clients, client, report].includes(page) ? "clients" : name);
    is ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  entitle();
  window.scrollTo(0, 0);
  page.show({ main, parts, query, signal: ended.signal, typed: () => box.value });
}

let server = "Looking glass";
function entitle() {
  const { name, parts, query } = place();
  const words = { client: parts[0], report: parts[0] && `Report on ${parts[0]}`, search: query.get("q"), explain: "Explain", live: "Live" };
  document.title = words[name] ? `${words[name]} – ${server}` : server;
}

/** What Enter would do with what is typed. */
function say() {
  const found = understood(box.value);
  const isNew = found && !(present.page === search && place().query.get("q") === box.value.trim());
  put(hint, isNew ? `Enter searches for ${found.words}.` : "");
  hint.hidden = !isNew;
}

box.addEventListener("input", () => {
  say();
  present.page.typed?.(box.value);
});

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = box.value.trim();
  if (understood(text)) {
    box.blur();
    location.hash = hash("/search", { q: text });
  } else if (present.page === clients) {
    const links = items();
    links.length === 1 ? links[0].click() : links[0]?.focus();
  } else {
    location.hash = hash("/", { q: text });
  }
});

/** What j and k go through. */
const items = () => [...main.querySelectorAll("[data-item]")].filter((item) => item.offsetParent !== null);

function step(by) {
  const all = items();
  if (all.length === 0) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches?.("input, select, textarea");
  if (event.key === "Escape") {
    if (event.target === box && box.value !== "") {
      box.value = "";
      box.dispatchEvent(new Event("input"));
    } else if (isTyping) {
      event.target.blur();
    } else if (event.target.matches?.("details[open] > summary")) {
      event.target.parentElement.open = false;
    } else if (present.page !== clients) {
      history.length > 1 && came > 0 ? history.back() : (location.hash = "#/");
    }
  } else if (isTyping) {
    return;
  } else if (event.key === "/") {
    box.focus();
    box.select();
  } else if (event.key === "j" || event.key === "k") {
    step(event.key === "j" ? 1 : -1);
  } else if (event.key === "n") {
    main.querySelector("[data-next]")?.click();
  } else {
    return;
  }
  if (event.key !== "Escape" || !isTyping) event.preventDefault();
});

// The table's head stays under the page's.
const head = document.querySelector("header");
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--head", `${head.offsetHeight}px`);
}).observe(head);

async function look() {
  const alert = document.getElementById("alert");
  let summary;
  try {
    summary = await get("summary");
  } catch (error) {
    put(alert, error.message);
    alert.hidden = false;
    return;
  }
  put(document.getElementById("server"), `AS${summary.asn}`);
  server = `AS${summary.asn} looking glass`;
  entitle();
  put(document.getElementById("version"), `Rialto ${summary.version}`);
  const said = [
    `${count(summary.established)} of ${count(summary.clients)} clients up`,
    `${count(summary.prefixes)} prefixes`,
    `${count(summary.paths)} paths`,
    `router ID ${summary.router_id}`,
    `up ${duration(summary.uptime_s)}`,
  ];
  const facts = document.getElementById("facts");
  if (facts.textContent !== said.join("")) facts.replaceChildren(...said.map((text) => h("span", null, text)));
  const told = [];
  if (summary.draining) told.push("The route server is being drained: all it sends asks to prefer other paths.");
  if (!summary.ready && !summary.draining && summary.silent.length === 0) told.push("The route server is starting: not everything is advertised yet.");
  if (summary.unconfirmed_s !== null) told.push(`A reload waits to be confirmed, for ${duration(summary.unconfirmed_s)}.`);
  if (summary.silent.length > 0) told.push(`Part of the route server does not answer: ${summary.silent.join("; ")}`);
  put(alert, told.join(" "));
  alert.hidden = told.length === 0;
}

let came = 0;
window.addEventListener("hashchange", () => {
  came += 1;
  // Whoever hears the page is to hear what is new.
  main.focus({ preventScroll: true });
  show();
});
show();
every(10_000, new AbortController().signal, look);
