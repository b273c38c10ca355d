// A list of routes: one line each, opened for everything that is known of it; and pages of them.

import { get } from "./api.js";
import { h, count, hash, escape, facts, told } from "./html.js";

const searched = (text, title) => h("a", { class: "chip", href: hash("/search", { q: text }), title }, text);
const chips = (list) => (list.length > 0 ? h("span", { class: "chips" }, list.map((text) => searched(text, "All routes with this community"))) : null);

/** ASNs are links, sets keep their braces. */
function asPath(text) {
  const parts = text.split(/(\d+)/).map((part) => (/^\d+$/.test(part) ? h("a", { href: hash("/search", { q: `AS${part}` }), title: `All routes with AS${part} in their path` }, part) : part));
  return h("span", { class: "mono" }, parts);
}

const words = {
  valid: "Valid", invalid: "Invalid", not_found: "No ROA covers it", not_checked: null,
  exact: "Registered", more_specific: "More specific than what is registered", not_present: "Not registered",
  roa: "Allowed by a ROA", white_list: "On the white list", present: "Registered",
};
const inWords = (state) => (state in words ? words[state] : state);

export function verdict(path, isBrief) {
  if (path.accepted && path.remark) return h("span", { class: "verdict odd" }, h("span", { "aria-hidden": "true" }, "◆"), ` Accepted, though: ${path.remark.text}`);
  if (path.accepted) return h("span", { class: "verdict up" }, h("span", { "aria-hidden": "true" }, "✓"), " Accepted");
  return h("span", { class: "verdict down" }, h("span", { "aria-hidden": "true" }, "✕"), `${isBrief ? "" : " Rejected:"} ${path.reject?.text ?? ""}`);
}

/** `as`: what the line shows beside prefix and AS_PATH. */
export function route(path, as) {
  const { attributes } = path;
  const line = h("summary", { "data-item": true },
    as.fate ? null : h("span", { class: "prefix mono" }, path.prefix),
    as.isOneClients ? null : h("span", { class: "from" }, path.from),
    h("span", { class: "path mono" }, attributes.as_path || "(empty AS_PATH)"),
    as.fate ?? (as.hidesVerdict ? null : verdict(path, as.isBrief)));
  const others = attributes.others.map((other) => `type ${other.code}, flags ${other.flags}: ${other.value}`);
  const body = () => facts([
    ["From", h("a", { href: hash(`/client/${escape(path.from)}`) }, `${path.from} (AS${path.from_asn}, ${path.from_address})`)],
    ["Verdict", as.hidesVerdict ? null : verdict(path)],
    ["Stands for it", path.reject && path.reject.communities.length > 0 ? path.reject.communities.join(", ") : null],
    ["AS_PATH", asPath(attributes.as_path)],
    ["Next hop", h("span", { class: "mono" }, [attributes.next_hop, attributes.link_local_next_hop].filter(Boolean).join(", "))],
    ["Origin", attributes.origin.toUpperCase()],
    ["MED", attributes.med === null ? null : count(attributes.med)],
    ["Communities", chips(attributes.communities)],
    ["Large", chips(attributes.large_communities)],
    ["Extended", chips(attributes.extended_communities)],
    ["Other attributes", others.length > 0 ? h("span", { class: "mono" }, others.join("; ")) : null],
    ["RPKI", inWords(path.rpki)],
    ["IRR prefix", inWords(path.irr_prefix)],
    ["IRR origin", inWords(path.irr_origin)],
    ["Blackhole", path.blackhole ? "Yes (RFC 7999)" : null],
    ["Prepended", path.prepend > 0 ? `${path.prepend} times` : null],
    ["Path ID", path.path_id === null ? null : `${path.path_id}`],
    ["See also", h("span", { class: "links" },
      h("a", { href: hash("/search", { q: path.prefix }) }, "All paths of the prefix"),
      h("a", { href: hash("/explain", { prefix: path.prefix, to: as.explainTo }) }, "Why a client has it or not"))],
  ]);
  const details = h("details", { class: "route" }, line);
  details.addEventListener("toggle", () => details.open && (details.querySelector(".facts") ?? details.append(body())));
  return details;
}

/** What stands in the columns of `route`; on a phone the lines say it themselves. */
export function heads(as, last) {
  const names = [as.fate ? null : "Prefix", as.isOneClients ? null : "From", "AS_PATH", last];
  return h("div", { class: "heads", "aria-hidden": "true" }, names.filter(Boolean).map((name) => h("span", null, name)));
}

const PAGE = 50;
/** Answers in a row before one is asked whether to go on: routes that are few hide in large tables. */
const ANSWERS_MAX = 20;

/**
 * A page of routes under `into`: asks until it is full. `next` makes the address of the page after it.
 */
export async function page({ into, path, parameters, cursor, as, none, next, signal }) {
  const list = h("div", { class: `routes ${as.columns}` });
  const status = h("p", { class: "count", "aria-live": "polite" }, "Looking…");
  const foot = h("p", { class: "pages" });
  into.append(status, list, foot);
  let looked = 0;
  let shown = 0;
  const first = { prefix: null };
  const go = async () => {
    foot.replaceChildren();
    try {
      for (let answers = 0; answers < ANSWERS_MAX; answers += 1) {
        const answer = await get(path, { ...parameters, cursor, limit: `${PAGE - (shown % PAGE)}` }, signal);
        if (shown === 0 && answer.routes.length > 0) list.append(heads(as, as.hidesVerdict ? null : as.isBrief ? "Reason" : "Verdict"));
        list.append(...answer.routes.map((one) => route(one, as)));
        first.prefix ??= answer.routes[0]?.prefix ?? null;
        shown += answer.routes.length;
        looked += answer.looked_at ?? 0;
        cursor = answer.next;
        if (cursor === null || shown >= PAGE) break;
        status.textContent = `Looking… ${looked > 0 ? `${count(looked)} paths seen, ` : ""}${count(shown)} found`;
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      status.textContent = "";
      into.append(told(error.message, "error"));
      return;
    }
    const isFull = shown >= PAGE;
    status.textContent = shown === 0 ? "" : shown === 1 && cursor === null ? "One route" : `${count(shown)} routes${cursor === null ? "" : ", and there may be more"}`;
    if (shown === 0 && cursor === null) list.replaceChildren(told(none));
    if (cursor !== null && isFull) foot.append(h("a", { class: "button", href: next(cursor), "data-next": true }, "Next page"), " ", h("kbd", { "aria-hidden": "true" }, "n"));
    if (cursor !== null && !isFull) foot.append(h("button", { type: "button", "data-next": true, onclick: go }, `Go on (${count(looked)} paths seen)`));
  };
  await go();
  return { shown, prefix: first.prefix };
}
