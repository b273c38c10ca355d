// What is asked of the server, and how what is typed is understood.

/** The answer, or an error with the server's own words. */
export async function get(path, parameters, signal) {
  const query = new URLSearchParams(
    Object.entries(parameters ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ).toString();
  let response;
  try {
    response = await fetch(`api/v1/${path}${query ? `?${query}` : ""}`, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The route server does not answer.");
  }
  const answer = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    if (response.ok) throw new Error("The answer of the route server broke off.");
    return {};
  });
  if (!response.ok) throw new Error(answer.error ?? `The route server says ${response.status}.`);
  return answer;
}

const number = "(?:\\d{1,10}|\\*)";
const standard = new RegExp(`^${number}:${number}$`);
const large = new RegExp(`^${number}:${number}:${number}$`);
const extended = new RegExp(`^(?:(?:rt|ro|soo):${number}:${number}|[0-9a-f]{16})$`, "i");
const ipv4 = /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/;
const ipv6 = /^[0-9a-f:.]*:[0-9a-f:.]*(\/\d{1,3})?$/i;

/** Parameters of a search for what was typed, with the words for it; null where it is a name. */
export function understood(text) {
  text = text.trim();
  const asn = /^(?:as)?(\d{1,10})$/i.exec(text);
  if (asn) return { asn: asn[1], words: `routes with AS${asn[1]} in their path` };
  if (standard.test(text) || large.test(text) || extended.test(text)) {
    return { community: text.toLowerCase(), words: `routes with the community ${text.toLowerCase()}` };
  }
  if (ipv4.test(text) || (ipv6.test(text) && (text.includes("::") || text.split(":").length > 3))) {
    return { prefix: text, words: `routes to ${text}` };
  }
  return null;
}

/** Calls `look` now and every so often while the page can be seen, until the signal. */
export function every(milliseconds, signal, look) {
  let timer;
  const round = async () => {
    clearTimeout(timer);
    if (!document.hidden) await look().catch((error) => error.name === "AbortError" || console.warn(error));
    if (!signal.aborted) timer = setTimeout(round, milliseconds);
  };
  const seen = () => document.hidden || round();
  document.addEventListener("visibilitychange", seen, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return round();
}
