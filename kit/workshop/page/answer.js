// One lane's answer: asked for, stamped, shown, reported.

import { SseParser } from "./sse.js";
import { ask } from "./side.js";
import { Stream } from "./stream.js";
import { textOf } from "./text.js";

/** A lane's run as it is drawn; times are milliseconds of performance.now(). */
export const newRun = (began) => ({ began, ended: null, firstWord: null, reads: [] });

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
 * @returns {Promise<{seen: object, reads: object[]}>} what to report
 */
export async function answer({ method, url, headers, body }, run, { signal, timeoutMs, onText }) {
  const asked_ms = (run.began = performance.now());
  let show = null;
  const stream = new Stream(url, { method, headers, body: body ?? undefined }, (at, octets) => {
    show ??= shower(stream.head.headers["content-type"] ?? "");
    const { events, text } = stream.head.status === 200 ? show(octets) : { events: 0, text: "" };
    if (events) run.reads.push({ at, events });
    if (!text) return;
    run.firstWord ??= at;
    onText(text);
  });
  const leave = () => stream.leave();
  signal.addEventListener("abort", leave);
  const timer = setTimeout(leave, timeoutMs);
  await stream.done;
  clearTimeout(timer);
  signal.removeEventListener("abort", leave);
  run.ended = stream.ended?.at ?? performance.now();
  const seen = { now_ms: performance.now(), asked_ms, head: stream.head, ended: stream.ended, failed: stream.failed };
  return { seen, reads: stream.take() };
}

// What of a read is text to be shown, and how many events it completed. Only for the eye: the server judges the
// octets themselves.
function shower(type) {
  const decoder = new TextDecoder();
  if (!type.startsWith("text/event-stream")) {
    return (octets) => ({ events: 1, text: decoder.decode(octets, { stream: true }) });
  }
  const parser = new SseParser();
  return (octets) => {
    const events = parser.feed(decoder.decode(octets, { stream: true }));
    return { events: events.length, text: events.map(textOf).join("") };
  };
}
