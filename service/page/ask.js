// One question and its answer as it arrives. Knows nothing of the page: it fills a `run` and says so.

import { Answer, AnswerError } from "./answer.js";

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
    switched: null, // {at, why, missing}: when and why it was asked for in pieces
    problem: null, // {title, detail} from the service, or {word, …} for one that this page puts into words
  };
}

/**
 * Asks, and fills the run until it has ended; never throws.
 *
 * @param {object} run from newRun()
 * @param {{body: object, token: string, polls: boolean, signal: AbortSignal}} asked token: empty for none
 * @param {(text: string) => void} onNews called with each piece of the answer, and with none when it is asked for in
 *   pieces from here on
 */
export async function ask(run, { body, token, polls, signal }, onNews) {
  const onSwitch = (why, missing) => {
    run.switched = { at: performance.now(), why, missing };
    onNews("");
  };
  try {
    for await (const events of new Answer(".", body, { token, polls, signal, onSwitch }).reads()) {
      const at = performance.now();
      run.reads.push({ at, events: events.length });
      run.events += events.length;
      const tokens = events.filter(({ event }) => event === "token");
      run.words.push(...tokens.map(({ data }) => ({ at, written: data.t_ms })));
      if (events.length > tokens.length) end(run, "done", at);
      else run.state = "receiving";
      if (tokens.length) run.firstWord ??= at;
      onNews(tokens.map(({ data }) => data.text).join(""));
    }
  } catch (error) {
    const state = signal.aborted ? "stopped" : error.kind === "cut" ? "cut" : "failed";
    end(run, state, performance.now(), signal.aborted ? null : toTell(error, token));
  }
}

function end(run, state, at, problem = null) {
  Object.assign(run, { state, ended: at, problem });
}

/** The service's own words, or the name of this page's. */
function toTell(error, token) {
  if (!(error instanceof AnswerError)) return { title: String(error) };
  const { kind, problem, status, statusText, type } = error;
  if (kind === "cut" || kind === "unreachable") return { word: kind };
  if (kind === "foreign") {
    return { word: status < 300 ? "notAStream" : "notTheService", status: `${status} ${statusText}`.trim(), type };
  }
  return status === 401 ? { word: token ? "tokenWrong" : "tokenMissing", status } : problem;
}
