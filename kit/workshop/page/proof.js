// Takes the steps of a proof: the page's server says each, gets what was seen, and judges.

import { report } from "./post.js";
import { ask, waited } from "./side.js";
import { Stream } from "./stream.js";

/**
 * @param {object} said the server's last word: {step, …}; a step is {do: "ask" | "open" | "wait", …}
 * @param {string} url where to report
 * @param {{signal: AbortSignal, hidden: () => boolean}} how
 * @returns {Promise<object>} the server's last word, which has no further step
 */
export async function prove(said, url, { signal, hidden }) {
  let stream = null;
  let headSent = false;
  let side = null;
  let now = 0; // when the last step was over, which is not when it is reported
  const leave = () => stream?.leave();
  signal.addEventListener("abort", leave);
  try {
    while (said.step && !signal.aborted) {
      const { step } = said;
      let reply = null;
      if (step.do === "ask") {
        side ??= step.url.slice(0, step.url.lastIndexOf("/") + 1);
        reply = await ask(step.method, step.url, step.within_ms, signal);
        now = reply?.arrived_ms ?? performance.now();
      } else if (step.do === "open") {
        stream?.leave();
        stream = new Stream(step.url, { method: step.method, headers: step.headers });
        headSent = false;
        now = performance.now();
      } else {
        now = Math.max(now, (await stream?.until(step.octets, step.within_ms)) ?? 0);
      }
      const seen = { now_ms: now, reply, hidden: hidden(), waited: side !== null && waited(side) };
      if (stream) {
        seen.head = headSent ? null : stream.head;
        seen.ended = stream.ended;
        seen.failed = stream.failed;
        headSent ||= stream.head !== null;
      }
      said = await report(url, seen, stream?.take() ?? [], signal);
    }
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
  return said;
}
