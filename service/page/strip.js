// The timeline: light while waiting, dark while receiving, a tick for each arrival, on an axis of seconds.

const WIDTH = 1000; // of the viewBox, which the browser stretches
const HEIGHT = 36;
// The axis ends at one of these while time runs, so that it moves now and then, not all the time.
const ENDS_S = [1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600];
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];
// A tick's class by the events that one read brought.
const THICKNESS = [[40, "w4"], [15, "w3"], [5, "w2"], [2, "w1"], [0, "w0"]];

const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

/** Where the axis of a run ends, in seconds. */
export function axisEnd(run, now) {
  const elapsed = Math.max((run.ended ?? now) - run.began, 1) / 1000;
  return run.ended === null ? (ENDS_S.find((s) => s > elapsed) ?? elapsed) : elapsed;
}

/** Draws the run as it is at `now` (milliseconds) into the SVG, on an axis of `endS` seconds. */
export function draw(strip, run, now, endS) {
  const x = (at) => (((at - run.began) / 1000 / endS) * WIDTH).toFixed(1);
  const here = x(run.ended ?? now);
  const first = run.reads.length ? x(run.reads[0].at) : here;
  const last = run.ended === null ? here : run.reads.length ? x(run.reads[run.reads.length - 1].at) : here;
  const drawn = [
    svg("rect", { class: "wait", x: 0, y: 6, width: here, height: HEIGHT - 12 }),
    svg("rect", { class: "flow", x: first, y: 6, width: Math.max(0, last - first), height: HEIGHT - 12 }),
  ];
  const paths = Object.fromEntries(THICKNESS.map(([, name]) => [name, ""]));
  for (const { at, events } of run.reads) {
    paths[THICKNESS.find(([least]) => events >= least)[1]] += `M${x(at)} 0V${HEIGHT}`;
  }
  for (const [name, d] of Object.entries(paths)) if (d) drawn.push(svg("path", { class: `got ${name}`, d }));
  strip.replaceChildren(...drawn);
}

/** Writes the seconds along an axis. */
export function label(axis, endS, seconds = (s) => `${s} s`) {
  const key = seconds(endS.toFixed(3));
  if (axis.dataset.end === key) return;
  axis.dataset.end = key;
  const step = STEPS_S.find((s) => endS / s <= 6) ?? endS;
  const labels = [];
  for (let s = 0; s <= endS * 1.0001; s += step) {
    const span = document.createElement("span");
    span.textContent = seconds(Number(s.toFixed(1)));
    span.style.left = `${(s / endS) * 100}%`;
    if (s / endS > 0.97) span.className = "last"; // inside the card
    labels.push(span);
  }
  axis.replaceChildren(...labels);
}
