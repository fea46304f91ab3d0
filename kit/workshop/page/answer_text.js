// The text in an answer's events, as they arrive; for the eye and for recordings. The verdict never reads it.

import { SseParser } from "./sse.js";

// Under which names text stands in the events of this kit's service and of OpenAI's, Anthropic's, Google's, Ollama's.
const NAMES = ["text", "content", "delta", "token", "response"];
const DEEPEST = 64;
const PULSE = /^(ping|heartbeat|keep-?alive)$/i;
// OpenAI's Responses repeat the whole text in their last events.
const REPEATS = /\.(done|completed)$/;
const WORD = /[\p{L}\p{N}]/u;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/** Reads one answer. */
export class AnswerText {
  #decoder = new TextDecoder();
  #split; // text → its complete events, {type, data}
  #known = false; // whether any text was found: from then on an event without one shows nothing
  #spaced = false; // whether the pieces of plain text have spaces of their own
  #before = ""; // the plain text that came last

  /** @param {string} type the answer's Content-Type; kit/proof/conditions.py says the same of it */
  constructor(type) {
    const media = type.split(";")[0].trim().toLowerCase();
    if (media === "text/event-stream") {
      const parser = new SseParser();
      this.#split = (text) => parser.feed(text);
    } else if (["application/x-ndjson", "application/jsonl", "application/jsonlines"].includes(media)) {
      let pending = "";
      this.#split = (text) => {
        const lines = (pending + text).split("\n");
        pending = lines.pop();
        return lines.map((line) => ({ type: "line", data: line.replace(/\r$/, "") }));
      };
    } else {
      this.#split = (text) => [{ type: "chunk", data: text }];
    }
  }

  /**
   * The events that these octets complete.
   *
   * @param {Uint8Array} octets
   * @returns {(string | null)[]} each one's text; null for one that only says that the answer is over
   */
  feed(octets) {
    return this.#split(this.#decoder.decode(octets, { stream: true })).map((event) => this.#textOf(event));
  }

  #textOf({ type, data }) {
    if (type === "chunk") return data;
    if (type === "done" || data.trim() === "[DONE]") return null;
    if (PULSE.test(type) || REPEATS.test(type)) return "";
    const content = parsed(data);
    if (content?.event === "done") return null;
    if (typeof content === "string") return this.#shown(content);
    if (content === undefined || typeof content === "number") return this.#plain(data, type === "line" ? "\n" : " ");
    const text = found(content);
    if (text !== null) return this.#shown(text);
    return this.#known ? "" : `${data}\n`;
  }

  #shown(text) {
    this.#known = true;
    return text;
  }

  // Many services send a word an event, without the space between them.
  #plain(text, between) {
    const [last, first] = [[...this.#before].at(-1) ?? "", [...text][0] ?? ""];
    this.#spaced ||= /^\s|\s$/.test(text);
    this.#before = text || this.#before;
    this.#known ||= text !== "";
    if (between === "\n") return `${text}\n`;
    const apart = !this.#spaced && last && !/\s/.test(last) && WORD.test(first) && !UNSPACED.test(last + first);
    return apart ? between + text : text;
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

// All texts under those names; null where there is no such name.
function found(content, named = false, depth = 0) {
  if (depth > DEEPEST) return null;
  if (content === null || typeof content !== "object") {
    return named ? (typeof content === "string" ? content : "") : null;
  }
  const inner = Array.isArray(content)
    ? content.map((value) => found(value, named, depth + 1))
    : Object.entries(content).map(([name, value]) => found(value, NAMES.includes(name), depth + 1));
  const texts = inner.filter((text) => text !== null);
  return texts.length || named ? texts.join("") : null;
}
