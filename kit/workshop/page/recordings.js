// Runs that are kept and saved, and recordings that are shown again.

import { replay } from "./replay.js";
import { show, tick } from "./show.js";
import { state } from "./state.js";

/** Keeps a run until the page is left; both arms of one question make one recording. */
export function keep(run, header, prompt) {
  const { views } = state;
  if (Object.values(state.kept).some((one) => one.prompt !== prompt)) state.kept = {};
  const lanes = views.filter((view) => view.result).map((view) => view.result);
  const ok = views.every((view) => view.said?.state === "ok");
  state.kept[header] = { prompt, measured_at: run.measured_at, lanes, ok };
}

// The runs kept, as `kit compare` would have printed them.
function recording() {
  const { kept, site } = state;
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

/** Saves them as a file. */
export function save() {
  const document_ = recording();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(document_, null, 1)}\n`], { type: "application/json" }));
  const when = document_.data.measured_at.replace(/[:]/g, "").replace("T", "-").replace("Z", "");
  link.download = `streamproof-${state.site.environment}-${when}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A recording's lanes in one position of the header; a target that was asked once only stands in both. */
export function lanesIn(header) {
  const { lanes } = state.recorded;
  const inIt = lanes.filter(({ lane }) => lane.header === header).map(({ lane }) => lane.target);
  return lanes.filter(({ lane }) => lane.header === header || !inIt.includes(lane.target));
}

/** Shows again the recorded lanes, which are on the page already, at their own speed. */
export async function playLanes(lanes) {
  const abort = new AbortController();
  const mine = (state.running = { abort, hidden: false });
  show();
  const began = performance.now();
  requestAnimationFrame(tick);
  await Promise.all(
    lanes.map(async ({ lane, said }, place) => {
      const view = state.views[place];
      await replay(lane, began, {
        signal: abort.signal,
        onBegin: (run) => view.begin(run),
        onText: (text) => view.text(text),
      });
      if (!abort.signal.aborted) view.judged(lane, said);
    }),
  );
  if (state.running !== mine) return;
  state.running = null;
  show();
}
