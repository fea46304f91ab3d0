// The page: what is pressed becomes a run of all lanes, or a recording shown again.

import { LaneView } from "./lane.js";
import { get, post } from "./post.js";
import { listen } from "./keys.js";
import { lanesIn, playLanes, save } from "./recordings.js";
import { provePath, runScene } from "./run.js";
import { fromHash, toHash } from "./scene.js";
import { show, showSpeed, translate } from "./show.js";
import { STOPS } from "./speed.js";
import { arms, sceneList, state, takes } from "./state.js";
import { WORDS } from "./words.js";

const $ = (id) => document.getElementById(id);

async function go() {
  if (state.running) return;
  if (state.recorded) return play();
  const { scene } = state;
  scene.prompt = $("prompt").value;
  if (!scene.prompt.trim()) {
    state.notice = (w) => w.empty;
    $("prompt").focus();
    return show();
  }
  keepLink();
  reset();
  await runScene();
}

function reset() {
  scrollTo(0, 0);
  state.chart = false;
  state.notice = () => "";
  for (const view of state.views) view.reset();
}

function stop() {
  state.running?.abort.abort();
  state.running = null;
  state.stage = "";
}

// ---- Recordings

async function load(asked) {
  stop();
  try {
    state.recorded = await asked;
    state.scene.how = "stream";
    if (!arms().includes(state.scene.header)) [state.scene.header] = arms();
    play();
  } catch (error) {
    state.notice = (w) => (error instanceof TypeError ? w.gone : error.message);
    show();
  }
}

function play() {
  stop();
  const lanes = lanesIn(state.scene.header);
  setLanes(lanes.map(({ lane, title }) => ({ target: lane.target, title, place: lane.url })));
  $("prompt").value = state.recorded.prompt;
  reset();
  return playLanes(lanes);
}

function live() {
  stop();
  state.recorded = null;
  const { scene, site } = state;
  if (!arms().includes(scene.header)) [scene.header] = arms();
  setLanes(site.lanes.filter(({ target }) => scene.lanes.includes(target)));
  $("prompt").value = scene.prompt;
  reset();
  show();
}

async function opened(file) {
  try {
    return await post("api/recording", JSON.parse(await file.text()));
  } catch (error) {
    throw error instanceof SyntaxError ? new Error(`${file.name}: JSON? ${error.message}`) : error;
  }
}

// ---- The scene

function setLanes(abouts) {
  state.views = abouts.map((about) => new LaneView(about, state.words));
  $("lanes").replaceChildren(...state.views.map((view) => view.element));
}

function change(settings) {
  if (settings.header && settings.header !== state.scene.header && !takes("header")) return;
  if (settings.how && !sceneList().all.some(({ how }) => how === settings.how)) return;
  Object.assign(state.scene, settings);
  keepLink();
  if (state.recorded) return play();
  // What is on the screen is of the other position.
  stop();
  reset();
  show();
}

function turn(by) {
  const { all, at } = sceneList();
  change(all[(at + by + all.length) % all.length]);
}

// A clicker's first press begins with the scene that is there.
function click(by) {
  const idle = !state.views.some((view) => view.run) && !state.running;
  if (!idle) turn(by);
  go();
}

function keepLink() {
  history.replaceState(null, "", toHash(state.scene, state.usual) || location.pathname + location.search);
}

function open(hash) {
  const { site, usual } = state;
  const asked = fromHash(hash);
  const here = site.lanes.map(({ target }) => target);
  const unknown = (asked.lanes ?? []).filter((name) => !here.includes(name));
  const lanes = here.filter((name) => (asked.lanes ?? here).includes(name));
  if (!site.lanes[0].arms.includes(asked.header)) delete asked.header;
  const scene = (state.scene = { ...usual, ...asked, lanes: lanes.length ? lanes : here });
  state.words = WORDS[scene.lang];
  scene.prompt = asked.prompt ?? state.words.example;
  if (sceneList().at < 0) scene.how = "stream";
  $("prompt").value = scene.prompt;
  setLanes(site.lanes.filter(({ target }) => scene.lanes.includes(target)));
  state.notice = unknown.length ? (w) => w.unknownLanes(unknown.join(", ")) : () => "";
  translate();
}

// ---- What is pressed

function toggle(what) {
  state[what] = !state[what];
  show();
}

function choose(settings) {
  Object.assign(state.scene, settings);
  keepLink();
  translate();
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  document.activeElement.blur();
  go();
});
$("reset").addEventListener("click", () => {
  stop();
  reset();
  show();
});
$("next").addEventListener("click", () => turn(1));
$("header").addEventListener("change", () => change({ header: $("header").checked ? "on" : "off" }));
for (const how of ["stream", "poll"]) $(how).addEventListener("change", () => change({ how }));
for (const how of ["leave", "cut"]) {
  $(how).addEventListener("click", () => {
    change({ how });
    go();
  });
}
$("speed").max = STOPS.length - 1;
$("speed").addEventListener("input", () => showSpeed(STOPS[$("speed").value]));
$("speed").addEventListener("change", () => change({ speed: STOPS[$("speed").value] }));
$("language").addEventListener("click", () => choose({ lang: state.scene.lang === "en" ? "zh" : "en" }));
$("large").addEventListener("click", () => choose({ large: !state.scene.large }));
$("keys").addEventListener("change", () => choose({ keys: $("keys").checked }));
$("chart").addEventListener("click", () => toggle("chart"));
$("more").addEventListener("click", () => toggle("more"));
$("save").addEventListener("click", save);
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) load(opened(file));
  $("file").value = "";
});
$("shipped").addEventListener("click", () => load(get("api/recording")));
$("live").addEventListener("click", live);
listen(
  {
    g: go,
    r: () => $("reset").click(),
    h: () => $("header").click(),
    p: () => change({ how: state.scene.how === "poll" ? "stream" : "poll" }),
    s: () => {
      state.more = true;
      show();
      $("speed").focus();
    },
    n: () => turn(1),
    l: () => $("large").click(),
    c: () => $("chart").click(),
    m: () => $("more").click(),
  },
  {
    Escape: () => {
      document.activeElement.blur();
      stop();
      show();
    },
    PageDown: () => click(1),
    PageUp: () => click(-1),
  },
  () => state.scene.keys,
);
document.addEventListener("visibilitychange", () => {
  if (document.hidden && state.running) state.running.hidden = true;
});
addEventListener("hashchange", () => {
  stop();
  state.recorded = null;
  open(location.hash);
});

state.site = await get("api/site");
state.usual = {
  lanes: state.site.lanes.map(({ target }) => target),
  header: state.site.lanes[0].arms[0],
  how: "stream",
  tokens: 150,
  speed: null,
  lang: navigator.language.startsWith("zh") ? "zh" : "en",
  large: false,
  keys: true,
  prompt: "",
};
open(location.hash);
document.documentElement.dataset.ready = "true";
provePath().catch(() => {});
