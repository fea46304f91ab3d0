// An answer that grows while it is written, also where the platform holds streams. For browsers and for Node; all
// that it needs is sse.js beside it.
//
//   const answer = new Answer("https://SERVICE", { ai_prompt: "Why is the sky blue?" });
//   for await (const text of answer.text()) show(text);
//
// It begins as a stream. When nothing has come for a second, it asks in another request how far the answer has been
// written. No further: the model is slow, and it goes on waiting. Further, and nothing of that comes on the stream in
// the time that a second such question takes: the stream is held on the way. Then it leaves the stream and asks for
// the rest in pieces. Nothing is written, or paid for, twice.
//
// examples/answer.py is the same for Python; docs/polling.md says what both of them rely on.

import { SseParser } from "./sse.js";

const WAIT_S = 20; // how long the service may hold a request open until there is something to tell
const PATH_S = 10; // how much longer than that an answer to it may take
const TRIES = 5;
const SILENCE = {};

/**
 * There is no answer, or not the whole of it. The message is for a person.
 *
 * - kind: "problem", from the service; "lost", it keeps the answer no longer; "cut", the stream broke off and the
 *   answer was not kept; "foreign", a response that the service did not write; "unreachable"
 * - problem: the service's, of RFC 9457; {} where it sent none
 * - status, statusText, type: of the HTTP response; undefined where there was none
 * - retryAfterS: when to try again; undefined where none was given
 */
export class AnswerError extends Error {
  problem = {};

  constructor(kind, message, more) {
    super(message);
    Object.assign(this, { name: "AnswerError", kind }, more);
  }
}

/** One answer. Iterate over it once: over its events, {seq, event, data}, or over `text()` or `reads()`. */
export class Answer {
  /** "stream" or "polling" */
  mode = "stream";

  #asked;
  #url;
  #headers;
  #name = Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");
  #options;
  #last = -1; // the number of the last event that came

  /**
   * @param {string} url of the service
   * @param {object} asked what /search takes, such as {ai_prompt: "Why?"}
   * @param {object} [options]
   * @param {string} [options.token] for a service that wants one
   * @param {AbortSignal} [options.signal] ends it: the iteration then throws
   * @param {(why: "held" | "cut", missing: number) => void} [options.onSwitch] called when the stream is given up for
   *   polling: with "held" and how many events were missing, or with "cut" and 0
   * @param {boolean} [options.polls] false: stream and nothing else
   * @param {number} [options.patienceMs] how long nothing may come before it asks how far the answer is
   * @param {number} [options.allowanceMs] how late an event may be without being held: TCP takes 200 ms and more to
   *   repeat what was lost. Where three round trips are longer, those.
   */
  constructor(url, asked, options = {}) {
    this.#options = { polls: true, patienceMs: 1000, allowanceMs: 400, onSwitch() {}, ...options };
    this.#url = `${url.replace(/\/+$/, "")}/search`;
    // An answer that its client has named is kept, and can be asked for in another request.
    this.#asked = this.#options.polls ? { ...asked, answer: this.#name } : asked;
    // A header cannot carry any character, and a token has none of the others.
    this.#headers = options.token ? { Authorization: `Bearer ${encodeURI(options.token)}` } : {};
  }

  /** The text alone, as it comes. */
  async *text() {
    for await (const { event, data } of this) if (event === "token") yield data.text;
  }

  /** The events as they come, up to `done`. Leaving the loop ends the request. Throws AnswerError without a `done`. */
  async *[Symbol.asyncIterator]() {
    for await (const events of this.reads()) yield* events;
  }

  /** The same, as arrays of the events that came together. */
  async *reads() {
    for await (const events of this.#written()) {
      const end = events.findIndex(({ event }) => event === "error");
      const good = end < 0 ? events : events.slice(0, end);
      if (good.length) {
        this.#last = good.at(-1).seq;
        yield good;
      }
      if (end >= 0) throw problemOf(events[end].data);
      if (good.at(-1)?.event === "done") return;
    }
  }

  async *#written() {
    const broken = yield* this.#stream();
    yield* this.#poll(broken);
  }

  // ---- The stream

  /** What comes on the stream while it is of use. Returns what broke it; undefined if it was held. */
  async *#stream() {
    const { polls, patienceMs, allowanceMs } = this.#options;
    const leave = new AbortController();
    const stream = this.#receive(leave.signal);
    let [coming, asking, missing, pauseMs] = [null, null, 0, patienceMs];
    try {
      for (;;) {
        coming ??= stream.next();
        const piece = await first(coming, asking, polls ? pauseMs : Infinity);
        if (piece === SILENCE) {
          asking = this.#ask(this.#last);
        } else if ("value" in piece) {
          [coming, missing, pauseMs] = [null, 0, patienceMs];
          yield piece.value;
        } else {
          asking = null;
          if (!piece.events) {
            // Another instance was asked, or this one takes one request at a time: it cannot tell.
            [missing, pauseMs] = [0, 4 * patienceMs];
          } else if (!piece.events.length || piece.after !== this.#last) {
            [missing, pauseMs] = [0, patienceMs]; // slow, and not held
          } else if (!missing) {
            // All these were written before this reply, but may be on their way: wait, and ask again.
            [missing, pauseMs] = [piece.events.length, Math.max(allowanceMs, 3 * piece.tookMs)];
          } else {
            // Another reply, written so much later, is here, and of those still none: they are held.
            this.#switch("held", missing);
            yield piece.events;
            return undefined;
          }
        }
      }
    } catch (error) {
      if (!polls || !(error instanceof AnswerError)) throw error;
      return error;
    } finally {
      leave.abort();
      coming?.catch(() => {});
    }
  }

  /** The events of each read of the stream; throws what ended it. */
  async *#receive(left) {
    let head = false;
    try {
      const response = await this.#fetch(this.#url, left, {
        method: "POST",
        headers: { ...this.#headers, "Content-Type": "application/json", Accept: "text/event-stream" },
        body: JSON.stringify(this.#asked), // never in the URL: logs keep URLs
      });
      await as("text/event-stream", response);
      head = true;
      const reader = response.body.getReader();
      const [decoder, parser] = [new TextDecoder(), new SseParser()];
      let [seq, lastId] = [-1, ""];
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const events = [];
        for (const { type, data, id } of parser.feed(decoder.decode(value, { stream: true }))) {
          const parsed = JSON.parse(data);
          if (this.#options.polls && id === lastId) {
            // An error without a number of its own ends this response, while the answer goes on.
            if (events.length) yield events;
            throw problemOf(parsed);
          }
          [seq, lastId] = [parsed.seq ?? seq + 1, id];
          events.push({ seq, event: type, data: parsed });
        }
        if (events.length) yield events; // else it was a heartbeat, or half an event
      }
    } catch (error) {
      if (error instanceof AnswerError || left.aborted || this.#options.signal?.aborted) throw error;
      if (!head) throw unreachable(error);
    }
    throw new AnswerError("cut", "The stream broke off, and the answer was not kept. Ask again.");
  }

  /** What has been written after number `after`; never throws. */
  async #ask(after) {
    const began = performance.now();
    const piece = await this.#piece(after, 0).catch(() => ({}));
    return { after, events: piece.events, tookMs: performance.now() - began };
  }

  #switch(why, missing) {
    this.mode = "polling";
    this.#options.onSwitch(why, missing);
  }

  // ---- Polling

  /** What is written after the last event, in pieces. `broken` is thrown where the answer is not kept. */
  async *#poll(broken) {
    // A refusal, unless the request was sent twice on the way (409), or only its response was late (504).
    if (broken?.kind === "problem" && ![undefined, 409, 504].includes(broken.status)) throw broken;
    for (let failures = 0; ; ) {
      let piece;
      try {
        piece = await this.#piece(this.#last, WAIT_S);
      } catch (error) {
        if (!(error instanceof AnswerError)) throw error;
        failures += 1;
        if (error.status < 500 && error.status !== 429) throw broken ?? error;
        // No response at all, twice: it does not take five tries to see that no server is there.
        if (failures === TRIES || broken?.kind === "unreachable") throw error;
        await sleep(1000 * (error.retryAfterS ?? 2 ** (failures - 2)), this.#options.signal);
        continue;
      }
      failures = 0;
      if (broken) this.#switch("cut", 0);
      broken = undefined;
      if (piece.events.length) yield piece.events;
      if (piece.done) return;
    }
  }

  /** {events, done}: what is written after number `after`, and whether that is all. Throws AnswerError. */
  async #piece(after, waitS) {
    const late = AbortSignal.timeout(1000 * (waitS + PATH_S));
    try {
      const where = `${this.#url}/${this.#name}?after=${after}&wait=${waitS}`;
      const response = await this.#fetch(where, late, { headers: this.#headers });
      await as("application/json", response);
      return await response.json();
    } catch (error) {
      if (error instanceof AnswerError || this.#options.signal?.aborted) throw error;
      throw unreachable(error);
    }
  }

  #fetch(url, end, request) {
    const { signal } = this.#options;
    return fetch(url, { cache: "no-store", ...request, signal: signal ? AbortSignal.any([end, signal]) : end });
  }
}

/** Throws AnswerError unless the response is a good one of that type. */
async function as(media, response) {
  const { ok, status, statusText } = response;
  const type = (response.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
  if (ok && type === media) return;
  const after = response.headers.get("retry-after") ?? "";
  const more = { status, statusText, type, retryAfterS: /^\d+$/.test(after) ? Number(after) : undefined };
  if (type === "application/problem+json") throw problemOf(await response.json(), more);
  await response.body?.cancel();
  throw new AnswerError("foreign", `Not the service answered, but a proxy on the way: HTTP ${status}, ${type}.`, more);
}

function problemOf(problem, more = {}) {
  const said = [problem.title, problem.detail].filter(Boolean).join(" ");
  return new AnswerError(more.status === 410 ? "lost" : "problem", said, { ...more, problem });
}

function unreachable(error) {
  return new AnswerError("unreachable", `The service cannot be reached (${error.message}).`);
}

/** What comes first: what the stream brings, the reply to a question, or SILENCE, for so long and without a reply. */
async function first(coming, asking, pauseMs) {
  if (asking || pauseMs === Infinity) return Promise.race([coming, asking].filter(Boolean));
  let timer;
  const silence = new Promise((resolve) => {
    timer = setTimeout(resolve, pauseMs, SILENCE);
  });
  return Promise.race([coming, silence]).finally(() => clearTimeout(timer));
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
