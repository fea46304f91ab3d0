// A run: one question to all lanes at once, and then the proof of each.

import { answer, newRun, pings } from "./answer.js";
import { hold } from "./hold.js";
import { post, report } from "./post.js";
import { poll } from "./poll.js";
import { prove } from "./proof.js";
import { keep } from "./recordings.js";
import { show, showPath, tick } from "./show.js";
import { forget } from "./side.js";
import { cutAfterS, state, takes } from "./state.js";

const LEAVE_MS = 2000; // the middle of an answer at the usual speed
const CUT_MARGIN_MS = 3000;
const APART_MS = 200; // proofs begin a moment apart: all at once, their pings would measure each other

/** Runs the scene, from the question to the last verdict. */
export async function runScene() {
  const { scene, views } = state;
  const abort = new AbortController();
  const mine = (state.running = { abort, hidden: document.hidden });
  const { signal } = abort;
  const at = (stage) => {
    state.stage = stage;
    show();
  };
  at("finding");
  try {
    if (state.path?.verdict !== "incremental") await provePath(mine);
    const { prompt, header, how, tokens, speed } = scene;
    const lanes = views.map((view) => view.about.target);
    const path = state.path?.path ?? null;
    const run = await post("api/runs", { prompt, header, how, lanes, tokens, tokens_per_s: speed, path }, signal);
    const url = `api/runs/${run.run}`;
    const tasks = run.lanes.map((lane, place) => ({ ...lane, view: views[place], url: `${url}/${place}` }));
    for (const { view, relayed, lane, said } of tasks) {
      view.relayed = relayed;
      if (lane) view.judged(lane, said);
    }
    const there = tasks.filter((task) => !task.lane);
    await Promise.all(there.map(async (task) => (task.replies = await pings(task.pings, signal))));
    at("answering");
    requestAnimationFrame(tick);
    await Promise.all(there.map((task) => ask(task, mine)));
    if (how === "leave") {
      at("leaving");
      await Promise.all(there.map((task) => left(task, signal)));
    } else if (how === "stream") {
      at(there.some((task) => !task.view.said) ? "proving" : "");
      await Promise.all(bySameServer(there).map((group, place) => proveAll(group, place * APART_MS, mine)));
      if (signal.aborted) return;
      keep(run, header, takes("question") ? prompt : "");
    }
    if (mine.hidden) state.notice = (w) => w.hidden;
  } catch (error) {
    if (!signal.aborted) state.notice = (w) => (error instanceof TypeError ? w.gone : error.message);
  } finally {
    if (state.running === mine) {
      state.running = null;
      at("");
    }
    forget();
  }
}

async function ask(task, mine) {
  const { view } = task;
  const { signal } = mine.abort;
  const run = newRun(performance.now());
  view.begin(run);
  const onText = (text) => view.text(text);
  const { how } = state.scene;
  if (how === "poll") {
    const { pieces, problem } = await poll(task, run, { signal, onText });
    const say = (w) => (problem ? [w.notPolled, w[problem] ?? problem] : [w.polled(pieces), w.polledWhy]);
    if (!signal.aborted) view.ended(problem ? "failed" : "polled", say);
    return;
  }
  if (how === "cut") {
    const forMs = cutAfterS() * 1000 + CUT_MARGIN_MS;
    const { opened, cut, ms } = task.hold ? await hold(task.hold, run, { signal, forMs, onText }) : {};
    const emulated = state.site.environment === "lab";
    const t = (ms / 1000).toFixed(1);
    const say = (w) =>
      opened ? [cut ? w.cutAfter(t) : w.heldOpen(t), w.deadline(view.about.deadline_s, emulated)] : [w.notHeld, ""];
    if (!signal.aborted) view.ended(!opened || cut ? "failed" : "polled", say);
    return;
  }
  const timeoutMs = how === "leave" ? LEAVE_MS : state.site.timeout_ms;
  const { seen, reads, texts } = await answer(task.request, run, { signal, timeoutMs, onText });
  if (signal.aborted) return;
  if (how === "leave") return view.answered();
  task.texts = texts;
  view.answered();
  const seenAll = { ...seen, pings: task.replies, hidden: mine.hidden };
  judged(task, await report(`${task.url}/answer`, seenAll, reads, signal));
}

// What its service does then.
async function left({ url, view }, signal) {
  const { said } = await post(`${url}/left`, undefined, signal);
  view.ended("polled", (w) => [w.left(LEAVE_MS / 1000), said.map((one) => one[w.key]).join(" ")]);
}

async function proveAll(tasks, afterMs, mine) {
  const { signal } = mine.abort;
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  for (const task of tasks) {
    if (task.view.said || signal.aborted) continue;
    const url = `${task.url}/proof`;
    const begun = await post(url, undefined, signal);
    judged(task, await prove(begun, url, { signal, hidden: () => mine.hidden }));
  }
}

// A browser opens six connections to a server; lanes that share one are proved one after the other.
function bySameServer(tasks) {
  const groups = new Map();
  for (const task of tasks) {
    const { origin } = new URL(task.request.url, location.href);
    groups.set(origin, [...(groups.get(origin) ?? []), task]);
  }
  return [...groups.values()];
}

// Its recording shows the text that was seen; an event that only said that the answer is over has none.
function judged({ view, texts, url }, { lane, said }) {
  if (!lane) return;
  if (lane.timeline.length === texts.length) {
    lane.timeline.forEach((one, n) => texts[n] !== null && (one.text = texts[n]));
  }
  view.judged(lane, said);
  view.contract.offer(`${url}/contract`, (clauses) => (lane.clauses = clauses));
}

/** The proof of the browser's own path to the page's server. */
export async function provePath(mine = { abort: new AbortController(), hidden: document.hidden }) {
  const { signal } = mine.abort;
  state.path = null;
  showPath();
  try {
    const begun = await post("api/path", undefined, signal);
    const last = await prove(begun, `api/path/${begun.path}`, { signal, hidden: () => mine.hidden });
    state.path = { ...last, path: begun.path };
  } catch (error) {
    if (signal.aborted) return;
    state.path = { verdict: "inconclusive" };
    if (error instanceof TypeError) throw error;
  } finally {
    showPath();
  }
}
