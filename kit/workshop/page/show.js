// Writes the page's state into the document.

import { stopOf, wordsOf } from "./speed.js";
import { sceneList, state, takes, titleOf } from "./state.js";
import { axisEnd, label } from "./strip.js";
import { WORDS } from "./words.js";

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const STILL_MS = 500; // between two pictures for who wants less motion
let drawnAt = 0;

/** All of it, in the scene's language. */
export function translate() {
  const { scene, usual, site } = state;
  const words = (state.words = WORDS[scene.lang]);
  const other = WORDS[scene.lang === "en" ? "zh" : "en"];
  document.documentElement.lang = words.language;
  document.title = words.title;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  $("lanes").setAttribute("aria-label", words.lanes);
  $("language").textContent = words.other;
  $("language").lang = other.language;
  if (!$("prompt").value || $("prompt").value === other.example) $("prompt").value = scene.prompt = words.example;
  usual.prompt = words.example;
  $("environment").textContent = words.environments[site.environment];
  for (const view of state.views) view.translate(words);
  show();
}

/** What may have changed with the last thing that happened. */
export function show() {
  const { scene, words, views, recorded, running, notice } = state;
  const root = document.documentElement.classList;
  root.toggle("large", scene.large);
  root.toggle("open", state.more);
  root.toggle("chart", state.chart);
  root.toggle("keys", scene.keys);
  $("scene").textContent = titleOf(scene);
  $("header-row").hidden = !takes("header");
  $("header").checked = scene.header === "on";
  $("poll-row").hidden = $("speed-row").hidden = !takes("question");
  $("prompt").hidden = !takes("question") && !recorded?.prompt;
  $("prompt").readOnly = recorded !== null;
  for (const how of ["stream", "poll"]) $(how).checked = scene.how === how;
  $("leave").hidden = $("cut").hidden = true;
  for (const { how } of sceneList().all) if (how === "leave" || how === "cut") $(how).hidden = false;
  $("speed").value = stopOf(scene.speed);
  showSpeed(scene.speed);
  $("keys").checked = scene.keys;
  $("large").setAttribute("aria-pressed", String(scene.large));
  $("more").setAttribute("aria-expanded", String(state.more));
  $("next").hidden = sceneList().all.length < 2;
  $("go").disabled = running !== null;
  $("chart").disabled = running !== null || !views.some((view) => view.result?.timeline.length);
  $("chart").setAttribute("aria-pressed", String(state.chart));
  const nothing = scene.how !== "stream" ? words.notSaved : words.nothingYet;
  const unsaved = recorded ? words.isRecording : Object.keys(state.kept).length ? "" : nothing;
  $("save").disabled = unsaved !== "";
  set($("save-why"), unsaved);
  set($("stage"), stageNow());
  set($("notice"), notice(words));
  $("notice").hidden = !$("notice").textContent;
  $("mark").hidden = $("live").hidden = !recorded;
  $("stage").hidden = recorded !== null; // the mark stands there
  set($("mark"), recorded ? words.recorded(recorded.mark) : "");
  showPath();
  showTime();
}

// What happens, or else what to press.
function stageNow() {
  const { words, stage, running, views, site, scene } = state;
  if (stage || running) return words.stages[stage] ?? "";
  if (!views.some((view) => view.run)) return words.idle(views.length, site.environment === "url", takes("question"));
  const { all, at } = sceneList();
  return all.length < 2 ? words.done : words.doneNext(titleOf(all[(at + 1) % all.length]));
}

/** The speed beside its slider, also while that moves. */
export function showSpeed(speed) {
  const said = wordsOf(speed, state.site.tokens_per_s, state.words);
  set($("speed-state"), said);
  $("speed").setAttribute("aria-valuetext", said);
}

/** What is known of the browser's own path. */
export function showPath() {
  const { path, words } = state;
  const flows = path?.verdict === "incremental";
  const held = path?.held === true;
  const said = flows ? words.pathFlows : held ? words.pathHeld(path.words) : words.pathUnsure;
  set($("path"), path?.verdict ? said : words.pathProving);
  $("path").dataset.tone = !path?.verdict ? "" : flows ? "flows" : held ? "held" : "unsure";
}

function showTime() {
  const now = (drawnAt = performance.now());
  const { views } = state;
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
  label($("axis"), endS, state.words.seconds);
  if (!state.chart) return;
  const ticks = [...$("axis").children].map(({ style }) => parseFloat(style.left) / 100);
  for (const view of views) view.drawChart(endS, ticks);
}

/** Draws time as long as something runs. */
export function tick(now) {
  if (!state.running) return;
  if (!still.matches || now - drawnAt >= STILL_MS) showTime();
  requestAnimationFrame(tick);
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
