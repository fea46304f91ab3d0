// The scenes, and what a link says of one: lanes and settings, never an address.

const HEADERS = ["on", "off"];
const HOW = ["stream", "poll", "leave", "cut"];

/** The scenes in their order, by what each sets: a stream in each position of the header, then the others there are. */
export function scenes(arms, others) {
  return [
    ...arms.map((header) => ({ how: "stream", header })),
    ...others.map((how) => ({ how, header: arms[0] })),
  ];
}

/** The settings in a hash such as "#lanes=standard,run&header=off"; what it does not say is left out. */
export function fromHash(hash) {
  const link = new URLSearchParams(hash.replace(/^#/, ""));
  const scene = {};
  if (link.get("lanes")) scene.lanes = link.get("lanes").split(",").filter(Boolean);
  if (HEADERS.includes(link.get("header"))) scene.header = link.get("header");
  if (HOW.includes(link.get("how"))) scene.how = link.get("how");
  const tokens = Number(link.get("tokens"));
  if (Number.isInteger(tokens) && tokens >= 1 && tokens <= 4096) scene.tokens = tokens;
  const speed = Number(link.get("speed"));
  if (speed >= 0.1 && speed <= 1000) scene.speed = speed;
  if (["en", "zh"].includes(link.get("lang"))) scene.lang = link.get("lang");
  if (link.get("large") === "1") scene.large = true;
  if (link.get("keys") === "0") scene.keys = false;
  if (link.get("prompt")) scene.prompt = link.get("prompt").slice(0, 8000);
  return scene;
}

/** The same the other way; what is as it is without saying is left out. */
export function toHash(scene, usual) {
  const link = new URLSearchParams();
  if (scene.lanes.join() !== usual.lanes.join()) link.set("lanes", scene.lanes.join(","));
  if (scene.header !== usual.header) link.set("header", scene.header);
  if (scene.how !== usual.how) link.set("how", scene.how);
  if (scene.tokens !== usual.tokens) link.set("tokens", scene.tokens);
  if (scene.speed !== usual.speed) link.set("speed", scene.speed);
  if (scene.lang !== usual.lang) link.set("lang", scene.lang);
  if (scene.large) link.set("large", "1");
  if (!scene.keys) link.set("keys", "0");
  if (scene.prompt !== usual.prompt) link.set("prompt", scene.prompt);
  return link.size ? `#${link.toString().replaceAll("%2C", ",")}` : "";
}
