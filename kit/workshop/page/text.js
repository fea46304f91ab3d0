// What an answer's events say, for the eye; kit/workshop/text.py says it for a recording.

// Under which names text stands in the events of this kit's service and of OpenAI's, Anthropic's and Google's.
const NAMES = ["text", "content", "delta", "token"];

/** The text of one event; empty for one that has none of its own. */
export function textOf({ type, data }) {
  let told;
  try {
    told = JSON.parse(data);
  } catch {
    return type === "message" && data !== "[DONE]" ? data : "";
  }
  if (told === null || typeof told !== "object" || Array.isArray(told)) return "";
  // An event of a form of its own is shown as it is, so that it is seen to arrive.
  return said(told, false) ?? (type === "message" ? data : "");
}

// All texts under those names; null where there is no such name.
function said(told, named) {
  if (told === null || typeof told !== "object") return named ? (typeof told === "string" ? told : "") : null;
  const inner = Object.entries(told).map(([name, value]) =>
    said(value, Array.isArray(told) ? named : NAMES.includes(name)),
  );
  const found = inner.filter((text) => text !== null);
  return found.length || named ? found.join("") : null;
}
