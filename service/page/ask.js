// One question and its answer as it arrives. Knows nothing of the page: it fills a `run` and says so.

import { SseParser } from "./sse.js";

/** An answer before anything is known of it; times are milliseconds of performance.now(). */
export function newRun() {
  return {
    state: "waiting", // then "receiving"; in the end "done", "stopped", "cut", "failed"
    began: performance.now(),
    ended: null,
    firstWord: null,
    reads: [], // {at, events}: what one read brought
    events: 0,
    words: [], // {at, written}
    problem: null, // {title, detail} from the service, or {word, …} for one that this page puts into words
  };
}

/**
 * Asks, and fills the run until it has ended; never throws.
 *
 * @param {object} run from newRun()
 * @param {{body: object, accel: boolean, token: string, signal: AbortSignal}} asked token: empty for none
 * @param {(text: string) => void} onText called with each piece of the answer
 */
export async function ask(run, { body, accel, token, signal }, onText) {
  try {
    // The prompt is in the body, never in the URL: logs keep URLs.
    const response = await fetch(accel ? "search" : "search?accel=off", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "text/event-stream",
        // A header cannot carry any character, and a token has none of the others.
        ...(token && { Authorization: `Bearer ${encodeURI(token)}` }),
      },
      body: JSON.stringify(body),
      cache: "no-store",
      signal,
    });
    if (isEventStream(response)) await receive(run, response.body.getReader(), onText);
    else await refuse(run, response, token);
  } catch (error) {
    if (signal.aborted) end(run, "stopped");
    else if (run.response) end(run, "cut", { word: "cut" });
    else end(run, "failed", { word: "unreachable" });
  }
  run.ended ??= performance.now();
}

function end(run, state, problem = null) {
  run.state = state;
  run.problem = problem;
}

function isEventStream(response) {
  return response.ok && mediaType(response) === "text/event-stream";
}

function mediaType(response) {
  return (response.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
}

async function refuse(run, response, token) {
  const status = `${response.status} ${response.statusText}`.trim();
  if (mediaType(response) !== "application/problem+json") {
    await response.body?.cancel();
    const problem = { word: response.ok ? "notAStream" : "notTheService", status, type: mediaType(response) };
    end(run, "failed", problem);
    return;
  }
  if (response.status === 401) end(run, "failed", { word: token ? "tokenWrong" : "tokenMissing", status: 401 });
  else end(run, "failed", await response.json());
}

async function receive(run, reader, onText) {
  run.response = true;
  const decoder = new TextDecoder();
  const parser = new SseParser();
  for (;;) {
    const { done, value } = await reader.read();
    const at = performance.now();
    if (done) break;
    const events = parser.feed(decoder.decode(value, { stream: true }));
    if (!events.length) continue; // a heartbeat, or half an event
    run.reads.push({ at, events: events.length });
    run.events += events.length;
    let text = "";
    for (const { type, data } of events) {
      if (type === "token") {
        const told = JSON.parse(data);
        run.words.push({ at, written: told.t_ms });
        text += told.text;
      } else if (type === "done") {
        end(run, "done");
      } else if (type === "error") {
        end(run, "failed", JSON.parse(data));
      }
    }
    if (text) {
      run.firstWord ??= at;
      if (run.state === "waiting") run.state = "receiving";
      onText(text);
    }
    if (run.state === "done" || run.state === "failed") {
      run.ended = at;
      return;
    }
  }
  end(run, "cut", { word: "cut" });
}
