// One lane's answer: asked for, stamped, shown, reported.

import { AnswerText } from "./answer_text.js";
import { ask } from "./side.js";
import { Stream } from "./stream.js";

/** A lane's run as it is drawn; times are milliseconds of performance.now(). */
export const newRun = (began) => ({ began, ended: null, first: null, last: null, reads: [] });

/** Notes a read that brought events with these texts (null: only that the answer is over), and gives the text. */
export function note(run, at, texts) {
  if (!texts.length) return "";
  run.reads.push({ at, events: texts.length });
  if (texts.some((text) => text !== null)) run.first ??= at;
  if (run.first !== null) run.last = at;
  return texts.join("");
}

/** The round trips from which the server knows how far the clocks are apart. */
export async function pings(urls, signal) {
  const replies = [];
  for (const url of urls) {
    const reply = await ask("GET", url, 5000, signal);
    if (reply) replies.push(reply);
  }
  return replies;
}

/**
 * Asks for the answer and reads it to its end.
 *
 * @param {object} request {method, url, headers, body} as the server says
 * @param {object} run from newRun(); filled as it arrives
 * @param {{signal: AbortSignal, timeoutMs: number, onText: (text: string) => void}} how
 * @returns {Promise<{seen: object, reads: object[], texts: (string | null)[]}>} what to report; each event's text
 */
export async function answer({ method, url, headers, body }, run, { signal, timeoutMs, onText }) {
  const asked_ms = (run.began = performance.now());
  const texts = [];
  let reader = null;
  const stream = new Stream(url, { method, headers, body: body ?? undefined }, (at, octets) => {
    if (stream.head.status !== 200) return;
    reader ??= new AnswerText(stream.head.headers["content-type"] ?? "");
    const came = reader.feed(octets);
    const text = note(run, at, came);
    texts.push(...came);
    if (came.length) onText(text);
  });
  const leave = () => stream.leave();
  signal.addEventListener("abort", leave);
  const timer = setTimeout(leave, timeoutMs);
  await stream.done;
  clearTimeout(timer);
  signal.removeEventListener("abort", leave);
  run.ended = stream.ended?.at ?? performance.now();
  const seen = { now_ms: performance.now(), asked_ms, head: stream.head, ended: stream.ended, failed: stream.failed };
  return { seen, reads: stream.take(), texts };
}
