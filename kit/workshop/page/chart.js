// The staircase: events sent against events received, on the lanes' own axis of time. What lies between the two
// lines is what is held.

const [WIDTH, HEIGHT] = [1000, 100]; // of the viewBox, which the browser stretches

const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

/** The corners of a staircase: [time, how many by then], from nothing to the last. */
export function stairs(times) {
  const corners = [[0, 0]];
  times.forEach((at, n) => corners.push([at, n], [at, n + 1]));
  return corners;
}

/**
 * One lane's picture.
 *
 * @param {object} lane as `kit compare` writes it
 * @param {number} endS where the axis ends
 * @param {number[]} ticks where it has labels, as parts of its length
 * @param {string} label for who cannot see it
 */
export function chart(lane, endS, ticks, label) {
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  picture.setAttribute("aria-label", label);
  const arrived = lane.timeline.map(({ arrived_ms }) => arrived_ms);
  const sent = lane.timeline.map(({ sent_ms }) => sent_ms).filter((at) => at !== null);
  const grid = ticks.map((part) => `M${(part * WIDTH).toFixed(1)} 0V${HEIGHT}`);
  picture.append(svg("path", { class: "grid", d: `${grid.join("")}M0 ${HEIGHT}H${WIDTH}M0 0H${WIDTH}` }));
  const point = ([at, n]) =>
    `${((at / 1000 / endS) * WIDTH).toFixed(1)} ${(HEIGHT - (n / arrived.length) * HEIGHT).toFixed(1)}`;
  const got = stairs(arrived).map(point);
  // The last event, which only says that it is over, bears no time.
  if (sent.length >= arrived.length - 1 && sent.length) {
    if (sent.length < arrived.length) sent.push(sent.at(-1));
    const gone = stairs(sent).map(point);
    picture.append(svg("path", { class: "gap", d: `M${[...gone, ...got.toReversed()].join("L")}Z` }));
    picture.append(svg("path", { class: "sent", d: `M${gone.join("L")}` }));
  }
  picture.append(svg("path", { class: "got", d: `M${got.join("L")}` }));
  return picture;
}
