// What happens now: rates, who is busiest, and events as they come.

import { get, every } from "./api.js";
import { h, put, rate, octets, hash, escape, told } from "./html.js";

const KEPT = 90;
const EVENTS_MAX = 300;
// Kept while other pages are looked at.
const history = [];

const svg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

function chart() {
  const line = svg("polyline", { points: "", fill: "none", "vector-effect": "non-scaling-stroke" });
  const element = svg("svg", { viewBox: `0 0 ${KEPT - 1} 100`, preserveAspectRatio: "none", class: "chart", "aria-hidden": "true" });
  element.append(line);
  return {
    element,
    draw(values) {
      const most = Math.max(...values, 1);
      const points = values.map((value, index) => `${KEPT - values.length + index},${(97 - (94 * value) / most).toFixed(1)}`);
      line.setAttribute("points", points.join(" "));
    },
  };
}

const figures = [
  ["UPDATEs in", "updates_in", rate, "/s"],
  ["UPDATEs out", "updates_out", rate, "/s"],
  ["Octets in", "octets_in", octets, "/s"],
  ["Octets out", "octets_out", octets, "/s"],
];

export function show({ main, query, signal }) {
  const tiles = figures.map(([title, key, text, unit]) => {
    const number = h("span", { class: "figure" }, "–");
    const drawn = chart();
    return { key, text, unit, number, drawn, element: h("div", { class: "tile" }, h("span", { class: "name" }, title), number, drawn.element) };
  });
  const busiest = h("tbody");
  const status = h("p", { class: "count" });
  main.append(
    h("div", { class: "title" }, h("h1", null, "Live"), status),
    h("div", { class: "tiles" }, tiles.map((tile) => tile.element)),
    h("h2", null, "Busiest clients"),
    h("table", { class: "busiest" },
      h("thead", null, h("tr", null, ["Client", "UPDATEs in/s", "UPDATEs out/s", "Octets in/s", "Octets out/s"].map((title, index) => h("th", { scope: "col", class: index > 0 ? "number" : null }, title)))),
      busiest),
  );
  events({ main, query, signal });
  every(2_000, signal, async () => {
    let rates;
    try {
      rates = await get("rates", null, signal);
    } catch (error) {
      if (error.name !== "AbortError") put(status, error.message);
      return;
    }
    if (!rates.total) return put(status, "Counting…");
    put(status, `Over the last ${Math.round(rates.over_s)} s`);
    history.push(rates.total);
    history.splice(0, history.length - KEPT);
    for (const tile of tiles) {
      put(tile.number, `${tile.text(rates.total[tile.key])}${tile.unit}`);
      tile.drawn.draw(history.map((total) => total[tile.key]));
    }
    const order = (one) => one.updates_in + one.updates_out;
    const most = [...rates.clients].sort((a, b) => order(b) - order(a)).slice(0, 10);
    busiest.replaceChildren(...(most.length > 0 ? most.map((one) => h("tr", null,
      h("td", { "data-label": "Client" }, h("a", { href: hash(`/client/${escape(one.name)}`), "data-item": true }, one.name)),
      figures.map(([title, key, text]) => h("td", { class: "number", "data-label": `${title}/s` }, text(one[key]))))) : [h("tr", null, h("td", { colspan: "5" }, told("All is quiet.")))]));
  });
}

const words = {
  up: "session up", down: "session down", failed: "connection failed", announced: "announces", withdrawn: "withdraws",
  best: "is preferred", no_best: "has no path any more", sent: "is sent", unsent: "is sent no more", missed: "some events were missed",
};
const signs = { up: "▲", down: "▼", failed: "✕", announced: "+", withdrawn: "−", best: "●", no_best: "○", sent: "→", unsent: "×", missed: "…" };

function events({ main, query, signal }) {
  const kinds = query.get("kinds") ?? "sessions,routes";
  const options = { "sessions,routes": "Sessions and routes", sessions: "Sessions", routes: "Routes", best: "Best paths" };
  const select = h("select", { "aria-label": "Kind of events" }, Object.entries(options).map(([value, title]) => h("option", { value, selected: value === kinds }, title)));
  const client = h("input", { type: "search", value: query.get("client") ?? "", placeholder: "All clients", "aria-label": "Events of this client", autocapitalize: "off", spellcheck: "false" });
  const pause = h("button", { type: "button", "aria-pressed": "false" }, "Pause");
  const again = (event) => {
    event.preventDefault();
    location.hash = hash("/live", { kinds: select.value, client: client.value.trim() });
  };
  const form = h("form", { class: "find", onsubmit: again }, select, client, h("button", null, "Watch"), pause);
  select.addEventListener("change", again);
  const list = h("ol", { class: "events", role: "log", "aria-label": "Events", tabindex: "0" });
  const note = h("p", { class: "count", "aria-live": "polite" }, "Waiting for the first event…");
  main.append(h("h2", null, "Events"), form, note, list);

  const parameters = new URLSearchParams({ kinds });
  if (query.get("client")) parameters.set("client", query.get("client"));
  const source = new EventSource(`api/v1/events?${parameters}`);
  signal.addEventListener("abort", () => source.close());
  let isPaused = false;
  let waiting = [];
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", `${isPaused}`);
    put(pause, isPaused ? "Go on" : "Pause");
  });
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const about = ({ attributes, accepted, text }) => [
    attributes ? (attributes.as_path ? `AS_PATH ${attributes.as_path}` : "empty AS_PATH") : null,
    accepted === false ? `✕ rejected: ${text}` : text,
  ].filter(Boolean).join("  ");
  const row = (kind, event) => h("li", { class: kind },
    h("time", null, time.format(new Date(event.time_ms))), h("span", { class: "sign", "aria-hidden": "true" }, signs[kind]),
    event.client ? h("a", { href: hash(`/client/${escape(event.client)}`) }, event.client) : h("span"),
    h("span", { class: "what" }, words[kind], " ",
      event.prefix ? h("a", { class: "mono", href: hash("/search", { q: event.prefix }) }, event.prefix) : null,
      h("span", { class: "text" }, ` ${about(event)}`)));
  for (const kind of Object.keys(words)) {
    source.addEventListener(kind, (message) => {
      if (isPaused) return;
      waiting.push([kind, JSON.parse(message.data)]);
      if (waiting.length > EVENTS_MAX) waiting.shift();
    });
  }
  source.addEventListener("open", () => put(note, "Listening"));
  source.addEventListener("error", () => put(note, source.readyState === EventSource.CLOSED ? "There are no events to be had: too many listen, or the client is unknown." : "Not connected; trying again."));
  // Drawn a few times a second, however many come.
  const timer = setInterval(() => {
    if (waiting.length === 0) return;
    const rows = waiting.reverse().map(([kind, event]) => row(kind, event));
    waiting = [];
    list.prepend(...rows);
    while (list.children.length > EVENTS_MAX) list.lastChild.remove();
  }, 250);
  signal.addEventListener("abort", () => clearInterval(timer));
}
