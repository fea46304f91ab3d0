// A recorded lane shown again, at its own speed.

import { newRun, note } from "./answer.js";

/**
 * Shows the lane's arrivals as they came.
 *
 * @param {object} lane as `kit compare` writes it, with or without the events' text
 * @param {number} began performance.now() of its first moment, common to all lanes
 * @param {{signal: AbortSignal, onBegin: (run: object) => void, onText: (text: string) => void}} how
 */
export async function replay(lane, began, { signal, onBegin, onText }) {
  const run = newRun(began);
  onBegin(run);
  const withText = lane.timeline.some(({ text }) => text);
  for (const { at, arrivals } of together(lane.timeline)) {
    await until(began + at, signal);
    if (signal.aborted) return;
    // What was recorded without its text shows a block for each event.
    onText(note(run, began + at, arrivals.map((one) => (withText ? (one.text ?? null) : "▪"))));
  }
  const over = lane.duration_ms ?? lane.timeline.at(-1)?.arrived_ms ?? 0;
  await until(began + over, signal);
  if (!signal.aborted) run.ended = began + over;
}

/** Arrivals of the same read, together. */
export function together(timeline) {
  const reads = [];
  for (const one of timeline) {
    if (reads.at(-1)?.at === one.arrived_ms) reads.at(-1).arrivals.push(one);
    else reads.push({ at: one.arrived_ms, arrivals: [one] });
  }
  return reads;
}

function until(at, signal) {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, at - performance.now());
    signal.addEventListener("abort", over);
    if (signal.aborted) over();
  });
}
