// The same answer without a stream: asked for again and again, each piece a whole small response of its own.

import { note } from "./answer.js";

// How long the service may wait for something new. The next piece is asked for at once: between two requests an
// instance may have no CPU to write with.
const WAIT_S = 20;
const APART_MS = 100; // a service that does not wait is not asked more often than this

/**
 * Asks for an answer and then for its pieces, to its end.
 *
 * @param {object} task {request: {method, url, headers, body}, pieces: where they are asked for}
 * @param {object} run from newRun(); filled as it arrives
 * @param {{signal: AbortSignal, onText: (text: string) => void}} how
 * @returns {Promise<{pieces: number, problem: string | null}>} pieces: those that brought something; problem:
 *   "notKept", "cut", or a sentence
 */
export async function poll({ request, pieces }, run, { signal, onText }) {
  const usual = { cache: "no-store", signal };
  run.began = performance.now();
  try {
    const { method, url, headers, body } = request;
    const response = await fetch(url, { ...usual, method, headers, body: body ?? undefined });
    if (response.status !== 202) {
      return { pieces: 0, problem: response.ok ? "notKept" : await reason(response) };
    }
    for (let [after, done] = [-1, false]; !done; ) {
      const asked = performance.now();
      const reply = await fetch(`${pieces}?after=${after}&wait=${WAIT_S}`, usual);
      const piece = reply.ok ? await reply.json() : null;
      const at = performance.now();
      if (!piece) return { pieces: run.reads.length, problem: `HTTP ${reply.status}` };
      if (piece.events.length) {
        after = piece.events.at(-1).seq;
        onText(note(run, at, piece.events.map(({ event, data }) => (event === "done" ? null : (data.text ?? "")))));
        const error = piece.events.find(({ event }) => event === "error");
        if (error) return { pieces: run.reads.length, problem: error.data.detail ?? error.data.title };
      }
      ({ done } = piece);
      if (!piece.events.length && !done) await pause(asked + APART_MS - performance.now(), signal);
    }
    return { pieces: run.reads.length, problem: null };
  } catch {
    return { pieces: run.reads.length, problem: "cut" };
  } finally {
    run.ended = performance.now();
  }
}

// Why it was refused, in the service's words where it gave any (RFC 9457).
async function reason(response) {
  const problem = await response.json().catch(() => null);
  const why = problem?.detail ?? problem?.title;
  return typeof why === "string" ? `HTTP ${response.status}: ${why}` : `HTTP ${response.status}`;
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal.addEventListener("abort", resolve, { once: true });
  });
}
