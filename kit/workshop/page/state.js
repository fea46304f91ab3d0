// The page's state, and what follows from it alone.

import { scenes } from "./scene.js";
import { WORDS } from "./words.js";

const MOST_WAIT_S = 60;

export const state = {
  site: null, // what the server says there is
  usual: null, // the settings of a link that says nothing
  scene: null,
  words: WORDS.en,
  views: [],
  path: null, // the browser's own path: {path, held, verdict, …}
  running: null, // {abort, hidden} while a run or a replay goes on
  kept: {}, // header → {prompt, measured_at, lanes, ok}: what may be saved
  recorded: null, // {mark, prompt, lanes} while a recording is shown
  notice: () => "",
  stage: "",
  chart: false, // whether each lane shows what was sent and received in place of its words
  more: false, // whether the controls that a room needs seldom are shown, where there is little room
};

/** In which positions of the header there is something to show. */
export function arms() {
  const { recorded, site } = state;
  if (!recorded) return site.lanes[0].arms;
  return ["on", "off"].filter((arm) => recorded.lanes.some(({ lane }) => lane.header === arm));
}

/** Whether a control does anything: "question" (its speed and polling too) or "header". */
export function takes(what) {
  if (state.recorded) return what === "header" && arms().length > 1;
  const lanes = state.site.lanes.filter(({ target }) => state.scene.lanes.includes(target));
  const found = lanes.map((lane) => lane.takes).filter(Boolean);
  const any = !found.length || found.some((lane) => lane[what]);
  return any && (what !== "header" || arms().length > 1);
}

/** The first deadline of a lane's front end that a room has the time to wait for, in seconds; or undefined. */
export function cutAfterS() {
  const lanes = state.site.lanes.filter(({ target }) => state.scene.lanes.includes(target));
  const deadlines = lanes.map((lane) => lane.deadline_s).filter((s) => s !== null && s <= MOST_WAIT_S);
  return deadlines.sort((a, b) => a - b)[0];
}

/** The scenes that there are, and which of them this is. */
export function sceneList() {
  const { scene, recorded, site } = state;
  const others = recorded || site.environment === "url" ? [] : ["leave", ...(cutAfterS() ? ["cut"] : [])];
  if (takes("question") && !recorded) others.unshift("poll");
  const all = scenes(takes("header") ? arms() : arms().slice(0, 1), others);
  const isHere = ({ how, header }) => how === scene.how && (how !== "stream" || header === scene.header);
  return { all, at: all.findIndex(isHere) };
}

/** A scene's title; it claims nothing of a header that the kit neither switches nor knows. */
export function titleOf({ how, header }) {
  if (how !== "stream") return state.words.scenes[how];
  const known = state.recorded || takes("header") || state.site.environment === "lab";
  return state.words.scenes[known ? header : "as-is"];
}
