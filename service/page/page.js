// The page: what is typed and pressed becomes a run, and the run is shown. Everything that comes from outside is
// put in as text, never as markup.

import { ask, newRun } from "./ask.js";
import { howItCame } from "./hint.js";
import { axisEnd, draw, label } from "./strip.js";
import { WORDS } from "./words.js";

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const STILL_MS = 500; // between two pictures for who wants less motion

let language = location.hash === "#zh" || (location.hash !== "#en" && navigator.language.startsWith("zh")) ? "zh" : "en";
let words = WORDS[language];
let where = null;
let run = null;
let abort = null;
let drawnAt = 0;

// ---- Words

function translate() {
  const before = words;
  words = WORDS[language];
  document.documentElement.lang = words.language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  $("language").textContent = words.other;
  $("language").lang = WORDS[language === "en" ? "zh" : "en"].language;
  if (!$("prompt").value || $("prompt").value === before.example) $("prompt").value = words.example;
  showSwitches();
  showWhere();
  if (run) show();
}

function showSwitches() {
  $("accel-state").textContent = $("accel").checked ? words.sent : words.notSent;
  $("polls-state").textContent = $("polls").checked ? words.polls : words.waits;
}

function showWhere() {
  $("where").textContent = where ? words.where(where.target, where.generator) : "";
}

// ---- A run

const seconds = (ms) => (ms / 1000).toFixed(ms < 9995 ? 2 : 1);
const running = () => run !== null && run.ended === null;

async function start() {
  if (running()) return;
  const prompt = $("prompt").value;
  if (!prompt.trim()) {
    refuse();
    return;
  }
  const most = $("most").value;
  const accel = $("accel").checked ? {} : { accel: "off" };
  // In the body, never in the URL: logs keep URLs.
  const body = { ai_prompt: prompt, ...(most && { max_output_tokens: Number(most) }), ...accel };
  const mine = (run = newRun());
  abort = new AbortController();
  $("answer").textContent = "";
  $("result").hidden = false;
  show();
  requestAnimationFrame(tick);
  const token = $("token").value.trim();
  await ask(mine, { body, token, polls: $("polls").checked, signal: abort.signal }, (text) => {
    $("answer").append(text);
    show();
  });
  show();
  if (mine.problem?.status === 401 && mine.problem.word) wantToken();
  else if (token && mine.events) keep(token);
}

// ---- The token, for services that want one: it stands in this tab and in the request's header, nowhere else

const KEPT = "streamproof-token";

function wantToken() {
  $("token-row").hidden = false;
  $("token").focus();
  $("token").select();
}

function keep(token) {
  try {
    sessionStorage.setItem(KEPT, token);
  } catch {} // forbidden: then a reload asks again
}

function recall() {
  try {
    $("token").value = sessionStorage.getItem(KEPT) ?? "";
  } catch {}
  $("token-row").hidden = !$("token").value;
}

function refuse() {
  run = { ...newRun(), state: "failed", problem: { word: "empty" }, ended: performance.now() };
  $("answer").textContent = "";
  $("result").hidden = false;
  $("prompt").focus();
  show();
}

function stop() {
  if (running()) abort.abort();
}

function tick(now) {
  if (!running()) return;
  if (!still.matches || now - drawnAt >= STILL_MS) showTime();
  requestAnimationFrame(tick);
}

// ---- What is seen

function show() {
  const ended = run.ended !== null;
  const { word, kind } = outcome();
  $("result").dataset.state = run.state;
  $("result").dataset.asked = !["empty", "tokenMissing", "tokenWrong"].includes(run.problem?.word);
  // While it is busy a screen reader keeps quiet, and reads the answer once it is whole.
  $("answer").setAttribute("aria-busy", String(!ended));
  $("events").textContent = run.events;
  $("total").textContent = ended ? words.seconds(seconds(run.ended - run.began)) : "…";
  const judged = !ended || run.state !== "done" ? "" : run.switched ? "pieces" : howItCame(run.words).how;
  $("result").dataset.how = judged;
  // It keeps its place while time runs, so that the answer does not jump when it appears.
  $("hint").hidden = ended && !["bits", "blocks", "lump", "pieces"].includes(judged);
  $("hint").classList.toggle("later", !ended);
  // Only when it changes: each time it is set, a screen reader says it again.
  if ($("outcome").textContent !== word) $("outcome").textContent = word;
  $("outcome").className = `outcome ${kind}`;
  toggleButtons(ended);
  showTime();
}

function showTime() {
  const now = (drawnAt = performance.now());
  const stands = run.firstWord !== null;
  $("clock-label").textContent = stands ? words.clockStands : run.ended === null ? words.clockRuns : words.noWord;
  $("clock").textContent = words.seconds(seconds((run.firstWord ?? run.ended ?? now) - run.began));
  const endS = axisEnd(run, now);
  draw($("strip"), run, now, endS);
  label($("axis"), endS);
  $("strip").setAttribute("aria-label", words.strip(run.reads.length, seconds((run.ended ?? now) - run.began)));
}

function outcome() {
  if (run.problem) return { word: problem(run.problem), kind: "wrong" };
  if (run.state === "stopped") return { word: words.stopped, kind: "" };
  if (run.switched) {
    if (run.state !== "done") return { word: words.switched(run.switched), kind: "unsure" };
    return { word: words.pieces(run.switched, seconds(run.switched.at - run.began)), kind: "unsure" };
  }
  if (run.state !== "done") return { word: words[run.state], kind: "" };
  const { how, lateMs } = howItCame(run.words);
  if (how === "bits") return { word: words.bits(), kind: "ok" };
  if (how === "lump") return { word: words.lump(run.events, seconds(run.firstWord - run.began)), kind: "wrong" };
  if (how === "blocks") return { word: words.blocks(run.reads.length, seconds(lateMs)), kind: "unsure" };
  return { word: words.unclear(), kind: "" };
}

function problem(given) {
  const own = given.word && words[given.word];
  if (own) return typeof own === "function" ? own(given) : own;
  return [given.title, given.detail].filter(Boolean).join(" ");
}

function toggleButtons(ended) {
  // A button that is disabled under the focus swallows the keys.
  const focused = document.activeElement;
  $("ask").disabled = !ended;
  $("stop").disabled = ended;
  if (focused === $("ask") && !ended) $("stop").focus();
  if (focused === $("stop") && ended) $("ask").focus();
}

// ---- What is pressed

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
$("prompt").addEventListener("keydown", (event) => {
  // Enter that ends the input of Chinese characters is not meant for us.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  start();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) stop();
});
$("stop").addEventListener("click", stop);
for (const id of ["accel", "polls"]) $(id).addEventListener("change", showSwitches);
$("language").addEventListener("click", () => {
  language = language === "en" ? "zh" : "en";
  history.replaceState(null, "", `#${language}`); // kept by a reload, and in a link to the page
  translate();
});

$("probe").textContent = `kit probe ${new URL(".", location.href).href.replace(/\/$/, "")}`;
recall();
translate();
fetch("whoami", { headers: { Accept: "application/json" } })
  .then((response) => (response.ok ? response.json() : null))
  .then((answer) => {
    where = answer;
    showWhere();
  })
  .catch(() => {}); // only a name is missing then; asking says what is wrong
