// Elements and words. Whatever comes from the server becomes text, never markup: names, communities
// and errors are other people's.

/** An element. Attributes that are null or false are left out; children are nodes or text. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets text where it differs: what stands still is not drawn again. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const whole = new Intl.NumberFormat("en");
export const count = (number) => whole.format(number);

/** For each second: whole from ten on. */
export function rate(number) {
  if (!number) return "0";
  return number >= 10 ? whole.format(Math.round(number)) : number.toFixed(1);
}

export function octets(number) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) {
    number /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || number >= 100 ? 0 : 1;
  return `${number.toFixed(digits)} ${units[unit]}`;
}

/** The two largest units. */
export function duration(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let first = units.findIndex(([, length]) => seconds >= length);
  if (first < 0) return "0 s";
  const parts = [];
  for (const [name, length] of units.slice(first, first + 2)) {
    const number = Math.floor(seconds / length);
    if (number > 0) parts.push(`${number} ${name}`);
    seconds -= number * length;
  }
  return parts.join(" ");
}

/** Names in hashes. */
export const escape = encodeURIComponent;

/** A hash of this page: `#/search?q=…`. Empty parameters are left out. */
export function hash(path, parameters) {
  const query = new URLSearchParams(
    Object.entries(parameters ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ).toString();
  return `#${path}${query ? `?${query}` : ""}`;
}

/** Beside each other in a definition list: [[name, value], …]; what has no value is left out. */
export function facts(rows) {
  const present = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, present.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

export function told(text, kind) {
  return h("p", { class: `told ${kind ?? ""}`, role: kind === "error" ? "alert" : null }, text);
}

export const both = (by) => by.ipv4 + by.ipv6;
