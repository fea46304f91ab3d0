// A stream of the proof's that is held open, with a beat each second: whether something on the way ends it.

import { note } from "./answer.js";
import { ask } from "./side.js";
import { Stream } from "./stream.js";

const BEAT_MS = 1000;
const PATIENCE_MS = 5000; // for what was held back to come out

/**
 * @param {{url: string, method: string, headers: object, bytes: number, feed: string, end: string}} held
 * @param {object} run from newRun(); filled as it arrives
 * @param {{signal: AbortSignal, forMs: number, onText: (text: string) => void}} how
 * @returns {Promise<{cut: boolean, opened: boolean, ms: number}>} ms: how long it was open
 */
export async function hold({ url, method, headers, bytes, feed, end }, run, { signal, forMs, onText }) {
  const began = (run.began = performance.now());
  const stream = new Stream(url, { method, headers }, (at) => {
    // A beat has an exact number of octets; what is not whole yet comes with the next.
    const beats = Math.floor(stream.octets / bytes) - run.reads.reduce((sum, { events }) => sum + events, 0);
    onText(note(run, at, Array(beats).fill("• ")));
  });
  const leave = () => stream.leave();
  signal.addEventListener("abort", leave);
  for (let beat = 1; beat * BEAT_MS < forMs; beat++) {
    await stream.until(null, began + beat * BEAT_MS - performance.now());
    if (stream.ended || stream.failed || signal.aborted) break;
    await ask("POST", feed, PATIENCE_MS, signal);
  }
  await stream.until(null, began + forMs - performance.now());
  const cut = stream.ended !== null;
  run.ended = stream.ended?.at ?? performance.now();
  if (!cut && !signal.aborted) {
    await ask("POST", end, PATIENCE_MS, signal);
    await stream.until(null, PATIENCE_MS);
    run.ended = stream.ended?.at ?? run.ended;
  }
  signal.removeEventListener("abort", leave);
  leave();
  return { opened: stream.head?.status === 200, cut, ms: run.ended - began };
}
