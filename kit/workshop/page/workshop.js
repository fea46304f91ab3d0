// The page: what is pressed becomes a run of all lanes, or a recording shown again.

import { answer, newRun, pings } from "./answer.js";
import { chart } from "./chart.js";
import { LaneView } from "./lane.js";
import { get, post, report } from "./post.js";
import { poll } from "./poll.js";
import { prove } from "./proof.js";
import { replay } from "./replay.js";
import { fromHash, toHash } from "./scene.js";
import { forget } from "./side.js";
import { axisEnd, label } from "./strip.js";
import { WORDS } from "./words.js";

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const STILL_MS = 500; // between two pictures for who wants less motion
// Where the slider stops, in tokens a second; null is the service's own pace. Slower than the first, an answer of
// the usual length takes longer than a lane may.
const SPEEDS = [null, 3, 5, 10, 20, 50, 100, 300, 1000];
const APART_MS = 200; // proofs begin a moment apart: all at once, their pings would measure each other

let site = null;
let usual = null; // the settings of a link that says nothing
let scene = null;
let words = WORDS.en;
let views = [];
let path = null; // the browser's own path: {path, held, verdict, …}
let running = null; // {abort, hidden} while a run or a replay goes on
let kept = {}; // header → {prompt, measured_at, lanes, states}: what may be saved
let recorded = null; // {mark, prompt, lanes} while a recording is shown
let notice = () => "";
let stage = "";
let drawnAt = 0;

// ---- Words

function translate() {
  words = WORDS[scene.lang];
  document.documentElement.lang = words.language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  $("lanes").setAttribute("aria-label", words.lanes);
  $("language").textContent = words.other;
  $("language").lang = WORDS[scene.lang === "en" ? "zh" : "en"].language;
  const other = WORDS[scene.lang === "en" ? "zh" : "en"].example;
  if (!$("prompt").value || $("prompt").value === other) $("prompt").value = scene.prompt = words.example;
  usual.prompt = words.example;
  $("environment").textContent = words.environments[site.environment];
  show();
}

function show() {
  $("header-row").hidden = !switches();
  $("header").checked = scene.header === "on";
  $("header-state").textContent = scene.header === "on" ? words.sent : words.notSent;
  $("poll").checked = scene.how === "poll";
  $("poll-state").textContent = scene.how === "poll" ? words.polls : words.streams;
  $("poll-row").hidden = $("speed-row").hidden = recorded !== null;
  $("speed").value = stopOf(scene.speed);
  showSpeed(scene.speed);
  $("scene").textContent = words.scenes[scene.how === "poll" ? 2 : scene.header === "on" ? 0 : 1];
  document.documentElement.classList.toggle("large", scene.large);
  $("large").setAttribute("aria-pressed", String(scene.large));
  set($("stage"), stage ? words[stage] : "");
  set($("notice"), notice(words));
  $("notice").hidden = !$("notice").textContent;
  $("mark").hidden = !recorded;
  $("live").hidden = !recorded;
  set($("mark"), recorded ? words.recorded(recorded.mark) : "");
  $("save").disabled = recorded !== null || !Object.keys(kept).length;
  $("go").disabled = running !== null;
  for (const view of views) view.translate(words);
  showPath();
  showTime();
}

function showSpeed(speed) {
  const told = speed === null ? words.ownSpeed : words.tokensPerS(speed);
  set($("speed-state"), told);
  $("speed").setAttribute("aria-valuetext", told);
}

// A link may name a speed between two stops.
function stopOf(speed) {
  if (speed === null) return 0;
  const apart = SPEEDS.map((stop) => (stop === null ? Infinity : Math.abs(Math.log(stop / speed))));
  return apart.indexOf(Math.min(...apart));
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A user's own app may know one position only.
function switches() {
  return recorded !== null || site.lanes.some(({ arms }) => arms.length > 1);
}

function showPath() {
  const flows = path?.verdict === "incremental";
  const held = path?.held === true;
  const said = !path?.verdict
    ? words.pathProving
    : flows
      ? words.pathFlows
      : held
        ? words.pathHeld(path.words)
        : words.pathUnsure;
  set($("path"), said);
  $("path").dataset.tone = !path?.verdict ? "" : flows ? "flows" : held ? "held" : "unsure";
}

function showTime() {
  const now = (drawnAt = performance.now());
  const runs = views.map((view) => view.run).filter(Boolean);
  if (!runs.length) {
    $("axis").replaceChildren();
    delete $("axis").dataset.end;
    return;
  }
  const going = runs.some((run) => run.ended === null);
  const longest = { began: 0, ended: going ? null : Math.max(...runs.map((run) => run.ended - run.began)) };
  const elapsed = Math.max(...runs.map((run) => (run.ended ?? now) - run.began));
  const endS = axisEnd(longest, elapsed);
  for (const view of views) view.draw(now, endS);
  label($("axis"), endS);
}

function tick(now) {
  if (!running) return;
  if (!still.matches || now - drawnAt >= STILL_MS) showTime();
  requestAnimationFrame(tick);
}

function showChart() {
  const lanes = views.filter((view) => view.result?.timeline.length);
  $("chart").hidden = !lanes.length;
  const endMs = 1.02 * Math.max(...lanes.map(({ result }) => result.timeline.at(-1).arrived_ms));
  const pictures = lanes.map(({ about, result, element }) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = about.title;
    figure.dataset.tone = element.dataset.tone;
    figure.append(caption, chart(result, endMs, words.stairs(about.title, result.timeline.length)));
    return figure;
  });
  $("stairs").replaceChildren(...pictures);
}

// ---- A run

async function go() {
  if (running) return;
  if (recorded) return play();
  scene.prompt = $("prompt").value;
  if (!scene.prompt.trim()) {
    notice = (w) => w.empty;
    $("prompt").focus();
    return show();
  }
  keepLink();
  const abort = new AbortController();
  const mine = (running = { abort, hidden: document.hidden });
  const { signal } = abort;
  reset();
  notice = () => "";
  stage = "finding";
  show();
  try {
    if (path?.verdict !== "incremental") await provePath(mine);
    const { prompt, header, how, tokens, speed } = scene;
    const lanes = views.map((view) => view.about.target);
    const asked = { prompt, header, how, lanes, tokens, tokens_per_s: speed, path: path?.path ?? null };
    const run = await post("api/runs", asked, signal);
    const tasks = run.lanes.map((lane, place) => ({ ...lane, view: views[place], url: `api/runs/${run.run}/${place}` }));
    for (const { view, relayed, lane, said } of tasks) {
      view.relayed = relayed;
      if (lane) view.judged(lane, said);
    }
    const there = tasks.filter((task) => !task.lane);
    await Promise.all(there.map(async (task) => (task.replies = await pings(task.pings, signal))));
    stage = "answering";
    show();
    requestAnimationFrame(tick);
    await Promise.all(there.map((task) => ask(task, mine)));
    if (how === "poll") {
      if (mine.hidden) notice = (w) => w.hidden;
      return;
    }
    stage = there.some((task) => !task.view.said) ? "provingAll" : "";
    show();
    await Promise.all(bySameServer(there).map((group, place) => proveAll(group, place * APART_MS, mine)));
    if (signal.aborted) return;
    keep(run, header, prompt);
    if (mine.hidden) notice = (w) => w.hidden;
  } catch (error) {
    if (!signal.aborted) notice = (w) => (error instanceof TypeError ? w.gone : error.message);
  } finally {
    if (running === mine) {
      running = null;
      stage = "";
      showChart();
      show();
    }
    forget();
  }
}

async function ask(task, mine) {
  const { view } = task;
  const { signal } = mine.abort;
  const run = newRun(performance.now());
  view.begin(run);
  view.translate(words);
  const onText = (text) => {
    const first = view.element.dataset.state === "waiting";
    view.text(text);
    if (first) view.translate(words);
  };
  if (task.pieces) {
    const polled = await poll(task, run, { signal, onText });
    if (signal.aborted) return;
    view.ended(polled);
    view.translate(words);
    return;
  }
  const { seen, reads } = await answer(task.request, run, { signal, timeoutMs: site.timeout_ms, onText });
  if (signal.aborted) return;
  view.answered();
  view.translate(words);
  const told = await report(`${task.url}/answer`, { ...seen, pings: task.replies, hidden: mine.hidden }, reads, signal);
  if (told.lane) judged(view, told);
}

async function proveAll(tasks, afterMs, mine) {
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  for (const task of tasks) {
    if (task.view.said || mine.abort.signal.aborted) continue;
    const url = `${task.url}/proof`;
    const told = await post(url, undefined, mine.abort.signal);
    judged(task.view, await prove(told, url, { signal: mine.abort.signal, hidden: () => mine.hidden }));
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

function judged(view, { lane, said }) {
  if (!lane) return;
  view.judged(lane, said);
  view.translate(words);
}

function reset() {
  scrollTo(0, 0);
  for (const view of views) view.reset();
  $("chart").hidden = true;
}

function stop() {
  running?.abort.abort();
  running = null;
  stage = "";
}

// ---- The browser's own path

async function provePath(mine = { abort: new AbortController(), hidden: document.hidden }) {
  path = null;
  showPath();
  try {
    const begun = await post("api/path", undefined, mine.abort.signal);
    const told = await prove(begun, `api/path/${begun.path}`, { signal: mine.abort.signal, hidden: () => mine.hidden });
    path = { ...told, path: begun.path };
  } catch (error) {
    if (mine.abort.signal.aborted) return;
    path = { verdict: "inconclusive" };
    if (error instanceof TypeError) throw error;
  } finally {
    showPath();
  }
}

// ---- Recordings

function keep(run, header, prompt) {
  const lanes = views.filter((view) => view.result).map((view) => view.result);
  const ok = views.every((view) => view.said?.state === "ok");
  // Both arms of one question make one recording.
  const other = Object.values(kept).find((one) => one.prompt !== prompt);
  if (other) kept = {};
  kept[header] = { prompt, measured_at: run.measured_at, lanes, ok };
}

/** The runs kept, as `kit compare` would have printed them. */
function recording() {
  const runs = Object.values(kept);
  return {
    schema_version: 1,
    data: {
      as_expected: runs.every((run) => run.ok),
      environment: site.environment,
      measured_at: runs.map((run) => run.measured_at).sort()[0],
      kit_version: site.kit_version,
      prompt: runs[0].prompt,
      lanes: ["on", "off"].flatMap((header) => kept[header]?.lanes ?? []),
    },
    warnings: [],
  };
}

function save() {
  const text = `${JSON.stringify(recording(), null, 1)}\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const when = recording().data.measured_at.replace(/[:]/g, "").replace("T", "-").replace("Z", "");
  link.download = `streamproof-${site.environment}-${when}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function load(asked) {
  stop();
  try {
    recorded = await asked;
    notice = () => "";
    if (!recorded.lanes.some(({ lane }) => lane.header === scene.header)) scene.header = recorded.lanes[0].lane.header;
    play();
  } catch (error) {
    notice = (w) => (error instanceof TypeError ? w.gone : error.message);
    show();
  }
}

async function play() {
  stop();
  const abort = new AbortController();
  const mine = (running = { abort, hidden: false });
  const lanes = recorded.lanes.filter(({ lane }) => lane.header === scene.header);
  setLanes(lanes.map(({ lane, title }) => ({ target: lane.target, title, place: lane.url })));
  $("prompt").value = recorded.prompt;
  notice = lanes.length ? () => "" : (w) => w.noLanes;
  reset();
  show();
  const began = performance.now();
  requestAnimationFrame(tick);
  await Promise.all(
    lanes.map(async ({ lane, said }, place) => {
      const view = views[place];
      await replay(lane, began, {
        signal: abort.signal,
        onBegin: (run) => view.begin(run),
        onText: (text) => view.text(text),
      });
      if (abort.signal.aborted) return;
      view.judged(lane, said);
      view.translate(words);
    }),
  );
  if (running !== mine) return;
  running = null;
  showChart();
  show();
}

function live() {
  stop();
  recorded = null;
  setLanes(site.lanes.filter(({ target }) => scene.lanes.includes(target)));
  $("prompt").value = scene.prompt;
  reset();
  show();
}

// ---- The scene

function setLanes(abouts) {
  views = abouts.map((about) => new LaneView(about));
  for (const view of views) view.words = words;
  $("lanes").replaceChildren(...views.map((view) => view.element));
}

function change(settings) {
  if (settings.header && !switches()) return;
  Object.assign(scene, settings);
  keepLink();
  if (recorded) return play();
  // What is on the screen is of the other position.
  stop();
  reset();
  show();
}

/** The header is sent, it is not sent, and polling; a recording has no third. */
function nextScene() {
  if (scene.how === "poll") return change({ how: "stream", header: site.lanes[0].arms[0] });
  if (scene.header === "on" && switches()) return change({ header: "off" });
  return change(recorded ? { header: "on" } : { how: "poll", header: site.lanes[0].arms[0] });
}

function keepLink() {
  history.replaceState(null, "", toHash(scene, usual) || location.pathname + location.search);
}

function open(hash) {
  const told = fromHash(hash);
  const here = site.lanes.map(({ target }) => target);
  const unknown = (told.lanes ?? []).filter((name) => !here.includes(name));
  notice = unknown.length ? (w) => w.unknownLanes(unknown.join(", ")) : () => "";
  const lanes = here.filter((name) => (told.lanes ?? here).includes(name));
  if (!site.lanes[0].arms.includes(told.header)) delete told.header;
  scene = { ...usual, ...told, lanes: lanes.length ? lanes : here };
  words = WORDS[scene.lang];
  usual.prompt = words.example;
  scene.prompt = told.prompt ?? words.example;
  $("prompt").value = scene.prompt;
  setLanes(site.lanes.filter(({ target }) => scene.lanes.includes(target)));
  translate();
}

// ---- What is pressed

const KEYS = {
  g: go,
  r: () => $("reset").click(),
  h: () => $("header").click(),
  p: () => $("poll").click(),
  s: () => $("speed").focus(),
  n: nextScene,
  l: () => $("large").click(),
};

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    document.activeElement.blur();
    stop();
    return show();
  }
  if (event.target.matches("input:not([type=checkbox], [type=range])")) return;
  KEYS[event.key.toLowerCase()]?.();
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  document.activeElement.blur();
  go();
});
$("reset").addEventListener("click", () => {
  stop();
  reset();
  notice = () => "";
  show();
});
$("next").addEventListener("click", nextScene);
$("header").addEventListener("change", () => change({ header: $("header").checked ? "on" : "off" }));
$("poll").addEventListener("change", () => change({ how: $("poll").checked ? "poll" : "stream" }));
$("speed").max = SPEEDS.length - 1;
$("speed").addEventListener("input", () => showSpeed(SPEEDS[$("speed").value]));
$("speed").addEventListener("change", () => change({ speed: SPEEDS[$("speed").value] }));
$("language").addEventListener("click", () => {
  scene.lang = scene.lang === "en" ? "zh" : "en";
  translate();
  keepLink();
});
$("large").addEventListener("click", () => {
  scene.large = !scene.large;
  keepLink();
  show();
});
$("save").addEventListener("click", save);
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) load(file.text().then((text) => post("api/recording", JSON.parse(text))).catch((error) => {
    throw error instanceof SyntaxError ? new Error(`${file.name}: JSON? ${error.message}`) : error;
  }));
  $("file").value = "";
});
$("shipped").addEventListener("click", () => load(get("api/recording")));
$("live").addEventListener("click", live);
document.addEventListener("visibilitychange", () => {
  if (document.hidden && running) running.hidden = true;
});
addEventListener("hashchange", () => {
  stop();
  recorded = null;
  open(location.hash);
});

site = await get("api/site");
usual = {
  lanes: site.lanes.map(({ target }) => target),
  header: site.lanes[0].arms[0],
  how: "stream",
  tokens: 150,
  speed: null,
  lang: navigator.language.startsWith("zh") ? "zh" : "en",
  large: false,
  prompt: "",
};
open(location.hash);
document.documentElement.dataset.ready = "true";
provePath().catch(() => {});
