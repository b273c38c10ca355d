// What a client announces against what it registered and what ROAs say (RFC 7948 §4.3).

import { get } from "./api.js";
import { h, count, duration, hash, escape, facts, told } from "./html.js";

// `data`: whether there is what the section is found by.
const sections = {
  not_registered: { title: "Announced, not registered", none: "All that it announces is registered.", data: (view) => view.irr === "known" },
  roa_mismatch: { title: "Forbidden by ROAs", none: "No ROA forbids what it announces.", data: (view) => view.rpki },
  not_announced: { title: "Registered, not announced", none: "It announces all that it registered.", data: (view) => view.irr === "known" },
  near_miss: { title: "Near misses", none: "Nothing is near to what is meant.", data: (view) => view.irr === "known" },
};
// Reasons to reject that the section says already.
const evident = { not_registered: ["irr_prefix", "irr_origin"], roa_mismatch: ["rpki_invalid"] };
const ages = "Ages count from the first report that had it, of those that somebody asked for: the table keeps no times of routes.";
const lacking = "Nothing can be said: what this is found by is not there.";
const BRIEF = 10;
const PAGE = 50;

const sentence = (text) => text.replace(/^[a-z]/, (letter) => letter.toUpperCase());

function missing(view) {
  return [
    view.irr === "missing" ? told("Its IRR data has not come, or not all of it: what it registered is not known.", "odd") : null,
    view.irr === "not_checked" ? told("It is not checked against the IRR: what it registered is not known.", "odd") : null,
    view.rpki ? null : told("There are no VRPs: nothing can be compared with ROAs.", "odd"),
    view.incomplete ? told("It announces more than a report looks at: this is about a part.", "odd") : null,
  ].filter(Boolean);
}

function head(view) {
  const made = view.age_s > 0 ? `${duration(view.age_s)} ago` : "now";
  return [
    ...missing(view),
    facts([
      ["Announced", `${count(view.counts.announced)} prefixes`],
      ["Registered", view.irr === "not_checked" ? "Not known" : `${count(view.counts.registered)} entries`],
      ["Session", view.session_s === null ? "Not up: it announces nothing" : `Up for ${duration(view.session_s)}; no path is older`],
      ["Report", `Made ${made}`],
    ]),
  ];
}

/** What is announced is looked for itself, what is registered with all that lies in it. */
function prefix(item) {
  const [base] = item.prefix.split(/[+{]/);
  const match = item.section === "not_announced" ? "more" : null;
  return h("a", { class: "mono", href: hash("/search", { q: base, match }), "data-item": true }, item.prefix);
}

function what(item) {
  const of = item.section === "roa_mismatch" ? item.vrps : item.near;
  if (of.length > 0) return of.map(({ text }) => h("p", item.section === "roa_mismatch" ? null : { class: "odd" }, sentence(text)));
  const kind = item.section === "not_announced" ? "announced" : "registered";
  return h("p", { class: "count" }, `Nothing like it is ${kind}`);
}

function verdict(item, texts) {
  if (!item.reject) return h("span", { class: "odd" }, h("span", { "aria-hidden": "true" }, "◆"), " Accepted all the same");
  const rejected = h("span", { class: "down" }, h("span", { "aria-hidden": "true" }, "✕"), " Rejected");
  return evident[item.section].includes(item.reject) ? rejected : [rejected, h("small", null, texts.get(item.reject) ?? item.reject)];
}

/** `isHeard`: the table has routes, and so columns for what became of them. */
function row(item, view, texts, isHeard) {
  const age = item.reported_s > view.age_s ? duration(item.reported_s) : "New";
  const cell = (label, kind, ...children) => h("td", { "data-label": label, class: kind }, ...children);
  const isOfRoute = item.section !== "not_announced";
  return h("tr", null,
    cell("Prefix", "range", prefix(item)),
    isHeard ? cell("Origin", isOfRoute ? "origin" : "none", item.origin === null ? "" : h("a", { href: hash("/search", { q: `AS${item.origin}`, role: "origin" }) }, `AS${item.origin}`)) : null,
    cell(said(item.section), "what", what(item)),
    isHeard ? cell("Verdict", isOfRoute ? "judged" : "none", isOfRoute ? verdict(item, texts) : "") : null,
    cell("In reports for", "number", age));
}

const said = (section) => (section === "roa_mismatch" ? "What ROAs say" : "What is near");

function table(view, texts) {
  const isHeard = view.items.some((item) => item.section !== "not_announced");
  const head = (title, kind) => h("th", { scope: "col", class: kind }, title);
  return h("table", { class: "report" },
    h("thead", null, h("tr", null, head("Prefix", "range"), isHeard ? head("Origin", "origin") : null, head(said(view.section)), isHeard ? head("Verdict", "judged") : null, head("In reports for", "number"))),
    h("tbody", null, view.items.map((item) => row(item, view, texts, isHeard))));
}

const number = (view, section) => (sections[section].data(view) || view.counts[section] > 0 ? count(view.counts[section]) : "not known");

function group(view, texts) {
  if (view.items.length > 0) return table(view, texts);
  return told(sections[view.section].data(view) ? sections[view.section].none : lacking);
}

export async function show({ main, parts, query, signal }) {
  const [name] = parts;
  const asked = query.get("section");
  const section = Object.hasOwn(sections, asked ?? "") ? asked : null;
  const at = (parameters) => hash(`/report/${escape(name)}`, parameters);
  const from = Number(query.get("from")) || 0;
  const ask = (of, limit, cursor) => get(`clients/${escape(name)}/report`, { section: of, limit, cursor }, signal);
  const note = h("p", { class: "count", "aria-live": "polite" }, "Looking…");
  main.append(note);
  const views = [];
  const texts = new Map();
  try {
    (await get("reasons", null, signal)).reasons.forEach((one) => texts.set(one.name, one.text));
    if (section) views.push(await ask(section, PAGE, query.get("cursor")));
    // The first makes the report, the others are of the same.
    else for (const of of ["not_registered", "roa_mismatch", "not_announced"]) views.push(await ask(of, BRIEF));
  } catch (error) {
    if (error.name === "AbortError") return;
    note.remove();
    main.append(h("h1", null, name), told(error.message, "error"), query.get("cursor") ? h("p", null, h("a", { class: "button", href: at({ section }) }, "Begin anew")) : "");
    return;
  }
  note.remove();
  const [view] = views;
  const tab = (of, title) => h("a", { href: at({ section: of }), "aria-current": of === section ? "page" : null }, title, of ? h("span", { class: "count" }, ` ${number(view, of)}`) : null);
  main.append(
    h("div", { class: "title" }, 
      h("h1", null, view.client),
      h("p", { class: "count" }, `AS${view.asn}: what it announces against what it registered`),
      h("a", { href: hash(`/client/${escape(view.client)}`) }, "Session and routes")),
    h("div", null, head(view)),
    h("div", { class: "tabs" }, h("nav", { "aria-label": "Sections" }, tab(null, "Overview"), Object.entries(sections).map(([of, { title }]) => tab(of, title)))),
  );
  if (!section) {
    for (const one of views) {
      const total = one.counts[one.section];
      main.append(h("section", null,
        h("h2", null, sections[one.section].title, h("span", { class: "count" }, ` ${number(one, one.section)}`)),
        group(one, texts),
        total > one.items.length ? h("p", null, h("a", { class: "button", href: at({ section: one.section }), "data-item": true }, `All ${count(total)}`)) : null));
    }
    main.append(told(ages));
    return;
  }
  const total = view.counts[section];
  const last = from + view.items.length;
  if (view.items.length > 0) main.append(h("p", { class: "count" }, last - from === total ? count(total) : `${count(from + 1)} to ${count(last)} of ${count(total)}`));
  main.append(group(view, texts));
  if (section === "not_registered") main.append(told(["Routes that were rejected before the IRR was asked are not here: ", h("a", { href: hash(`/client/${escape(view.client)}/rejected`) }, "all that is rejected"), "."]));
  main.append(told(ages));
  if (view.next !== null) main.append(h("p", { class: "pages" }, h("a", { class: "button", href: at({ section, cursor: view.next, from: last }), "data-next": true }, "Next page"), " ", h("kbd", { "aria-hidden": "true" }, "n")));
  else if (last < total) main.append(told("A report lists no more than these."));
}
