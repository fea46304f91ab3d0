// The scenes, and what a link says of one: lanes and settings, never an address.

const HEADERS = ["on", "off"];
const HOW = ["stream", "poll"];

/** The scenes in their order, by what each sets: a stream in each position of the header, then polling if it can. */
export function scenes(arms, polls) {
  const streams = arms.map((header) => ({ how: "stream", header }));
  return polls ? [...streams, { how: "poll", header: arms[0] }] : streams;
}

/** The settings in a hash such as "#lanes=standard,run&header=off"; what it does not say is left out. */
export function fromHash(hash) {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  const scene = {};
  if (told.get("lanes")) scene.lanes = told.get("lanes").split(",").filter(Boolean);
  if (HEADERS.includes(told.get("header"))) scene.header = told.get("header");
  if (HOW.includes(told.get("how"))) scene.how = told.get("how");
  const tokens = Number(told.get("tokens"));
  if (Number.isInteger(tokens) && tokens >= 1 && tokens <= 4096) scene.tokens = tokens;
  const speed = Number(told.get("speed"));
  if (speed >= 0.1 && speed <= 1000) scene.speed = speed;
  if (["en", "zh"].includes(told.get("lang"))) scene.lang = told.get("lang");
  if (told.get("large") === "1") scene.large = true;
  if (told.get("keys") === "0") scene.keys = false;
  if (told.get("prompt")) scene.prompt = told.get("prompt").slice(0, 8000);
  return scene;
}

/** The same the other way; what is as it is without saying is left out. */
export function toHash(scene, usual) {
  const told = new URLSearchParams();
  if (scene.lanes.join() !== usual.lanes.join()) told.set("lanes", scene.lanes.join(","));
  if (scene.header !== usual.header) told.set("header", scene.header);
  if (scene.how !== usual.how) told.set("how", scene.how);
  if (scene.tokens !== usual.tokens) told.set("tokens", scene.tokens);
  if (scene.speed !== usual.speed) told.set("speed", scene.speed);
  if (scene.lang !== usual.lang) told.set("lang", scene.lang);
  if (scene.large) told.set("large", "1");
  if (!scene.keys) told.set("keys", "0");
  if (scene.prompt !== usual.prompt) told.set("prompt", scene.prompt);
  return told.size ? `#${told.toString().replaceAll("%2C", ",")}` : "";
}
