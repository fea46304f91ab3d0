// Takes the steps of a proof: each is told by the page's server, which is told what was seen, and judges.

import { report } from "./post.js";
import { ask, waited } from "./side.js";
import { Stream } from "./stream.js";

/**
 * @param {object} told the server's last word: {step, …}; a step is {do: "ask" | "open" | "wait", …}
 * @param {string} url where to report
 * @param {{signal: AbortSignal, hidden: () => boolean, onTold: (told: object) => void}} how
 * @returns {Promise<object>} the server's last word, which has no further step
 */
export async function prove(told, url, { signal, hidden, onTold = () => {} }) {
  let stream = null;
  let headTold = false;
  let side = null;
  let now = 0; // when the last step was over, which is not when it is reported
  const leave = () => stream?.leave();
  signal.addEventListener("abort", leave);
  try {
    while (told.step && !signal.aborted) {
      const { step } = told;
      let reply = null;
      if (step.do === "ask") {
        side ??= step.url.slice(0, step.url.lastIndexOf("/") + 1);
        reply = await ask(step.method, step.url, step.within_ms, signal);
        now = reply?.arrived_ms ?? performance.now();
      } else if (step.do === "open") {
        stream?.leave();
        stream = new Stream(step.url, { method: step.method, headers: step.headers });
        headTold = false;
        now = performance.now();
      } else {
        now = Math.max(now, (await stream?.until(step.octets, step.within_ms)) ?? 0);
      }
      const seen = { now_ms: now, reply, hidden: hidden(), waited: side !== null && waited(side) };
      if (stream) {
        seen.head = headTold ? null : stream.head;
        seen.ended = stream.ended;
        seen.failed = stream.failed;
        headTold ||= stream.head !== null;
      }
      told = await report(url, seen, stream?.take() ?? [], signal);
      onTold(told);
    }
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
  return told;
}
