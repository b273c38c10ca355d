// Why a client has a prefix, or has it not: every path with what became of it.

import { get } from "./api.js";
import { h, hash, told } from "./html.js";
import { heads, route } from "./routes.js";

const signs = { best: ["●", "up"], additional: ["●", "up"], lost: ["○", "off"], rejected: ["✕", "down"], own: ["○", "off"] };

function fate(path) {
  const [sign, kind] = signs[path.fate] ?? ["▲", "odd"];
  return h("span", { class: `verdict ${kind}` }, h("span", { "aria-hidden": "true" }, sign), ` ${path.text.replace(/^./, (letter) => letter.toUpperCase())}`);
}

export async function show({ main, query, signal }) {
  const [asked, to] = [query.get("prefix") ?? "", query.get("to") ?? ""];
  const prefix = h("input", { id: "prefix", required: true, value: asked, placeholder: "192.0.2.0/24", autocapitalize: "off", spellcheck: "false" });
  const client = h("input", { id: "to", required: true, value: to, list: "names", placeholder: "Name or address", autocapitalize: "off", spellcheck: "false" });
  const names = h("datalist", { id: "names" });
  const form = h("form", { class: "ask", onsubmit: (event) => {
    event.preventDefault();
    location.hash = hash("/explain", { prefix: prefix.value.trim(), to: client.value.trim() });
  } },
    h("label", { for: "prefix" }, "Prefix or address", prefix),
    h("label", { for: "to" }, "Client that gets it, or does not", client),
    names, h("button", null, "Explain"));
  main.append(h("div", { class: "title" }, h("h1", null, "Explain")), form);
  get("clients", null, signal).then(
    ({ clients }) => names.append(...clients.map((one) => h("option", { value: one.name }, `AS${one.asn} ${one.address}`))),
    () => {},
  );
  if (!asked || !to) {
    (asked ? client : prefix).focus();
    return;
  }
  try {
    const answer = await get("explain", { prefix: asked, to }, signal);
    main.append(h("p", { class: "answer" }, answer.answer));
    if (answer.paths.length > 0) main.append(h("h2", null, "Every path, the preferred first"));
    const lines = answer.paths.map((path) => route(path.path, { fate: fate(path), explainTo: to }));
    if (lines.length > 0) lines.unshift(heads({ fate: true }, "What became of it"));
    main.append(h("div", { class: "routes fates" }, lines));
  } catch (error) {
    if (error.name !== "AbortError") main.append(told(error.message, "error"));
  }
}
