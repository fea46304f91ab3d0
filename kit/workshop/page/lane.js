// One lane as it is seen. Everything that comes from outside is put in as text, never as markup.

import { draw } from "./strip.js";

const MARKS = { flows: "●", held: "■", unsure: "?", failed: "✗" };
const seconds = (ms) => (ms / 1000).toFixed(ms < 9995 ? 2 : 1);

export class LaneView {
  /** @param {{target: string, title: string, place: string}} about */
  constructor(about) {
    this.about = about;
    this.element = document.getElementById("lane").content.firstElementChild.cloneNode(true);
    this.element.dataset.target = about.target;
    this.$(".title").textContent = about.title;
    this.$(".title").title = about.place ?? "";
    this.$(".evidence").addEventListener("click", () => this.toggle());
    this.reset();
  }

  $(selector) {
    return this.element.querySelector(selector);
  }

  reset() {
    this.run = null;
    this.said = null;
    this.result = null;
    this.relayed = false;
    this.polled = null;
    this.#state("idle");
    for (const name of [".text", ".word", ".promise", ".why", ".clock-label"]) this.$(name).textContent = "";
    this.$(".clock").textContent = "–";
    this.$(".strip").replaceChildren();
    this.#more([]);
    this.$(".relayed").hidden = true;
    delete this.element.dataset.tone;
  }

  /** The clock runs from here. */
  begin(run) {
    this.run = run;
    this.#state("waiting");
    this.$(".text").setAttribute("aria-busy", "true");
  }

  text(text) {
    if (this.element.dataset.state === "waiting") this.#state("receiving");
    const box = this.$(".text");
    box.append(text);
    box.scrollTop = box.scrollHeight;
  }

  /** The answer is over, and is read from its beginning; the proof may go on. */
  answered() {
    this.#state("answered");
    this.$(".text").setAttribute("aria-busy", "false");
    this.$(".text").scrollTop = 0;
  }

  /** The verdict is in: `lane` as `kit compare` writes it, `said` in both languages. */
  judged(lane, said) {
    this.result = lane;
    this.said = said;
    this.#state("judged");
    this.element.dataset.tone = said.tone;
    this.$(".text").setAttribute("aria-busy", "false");
  }

  /** The answer is over, and was asked for in pieces: no verdict, only what came. */
  ended(polled) {
    this.polled = polled;
    this.#state("polled");
    this.element.dataset.tone = polled.problem ? "failed" : "polled";
    this.$(".text").setAttribute("aria-busy", "false");
  }

  /** Writes what does not change with time. */
  translate(words) {
    const { said } = this;
    this.words = words;
    const state = this.element.dataset.state;
    const relayed = this.$(".relayed");
    relayed.hidden = !this.relayed;
    relayed.textContent = words.relayed;
    relayed.title = words.relayedMeans;
    if (this.polled) {
      const { pieces, problem } = this.polled;
      this.#set(".word", problem ? `${MARKS.failed} ${words.notPolled}` : words.polled(pieces));
      this.#set(".promise", "");
      this.#set(".why", problem ? (words[problem] ?? problem) : words.polledWhy);
      return;
    }
    if (!said) {
      const proving = state === "answered" ? words.proving : (words[state] ?? "");
      this.#set(".word", proving);
      this.#set(".promise", "");
      this.#set(".why", "");
      this.#more([]);
      return;
    }
    const told = said[words.key];
    this.#set(".word", `${MARKS[said.tone]} ${told.verdict}`);
    this.#set(".promise", told.promise ?? "");
    this.$(".why").replaceChildren(...prose([told.why, told.advice ?? told.note].filter(Boolean).join(" ")));
    // A doubt stands whole among the evidence.
    this.$(".why").classList.toggle("cut", !told.advice && Boolean(told.note));
    const more = [told.remark, ...told.doubts].filter(Boolean);
    this.$(".evidence").classList.toggle("doubt", told.doubts.length > 0);
    this.$(".evidence").textContent = told.doubts.length ? words.doubts(told.doubts.length) : words.evidence;
    this.#more([...more, ...(told.evidence ?? [])]);
  }

  /** Opens or closes what the verdict rests on. */
  toggle() {
    const open = this.$(".evidence").getAttribute("aria-expanded") !== "true";
    this.$(".evidence").setAttribute("aria-expanded", String(open));
    this.$(".more").hidden = !open;
  }

  #more(texts) {
    const items = texts.map((text) => {
      const item = document.createElement("li");
      item.append(...prose(text));
      return item;
    });
    this.$(".more").replaceChildren(...items);
    this.$(".evidence").hidden = !items.length;
    if (!items.length && this.$(".evidence").getAttribute("aria-expanded") === "true") this.toggle();
  }

  /** Draws time as it is now, on an axis of `endS` seconds that all lanes share. */
  draw(now, endS) {
    const { run, words } = this;
    if (!run) return;
    const stands = run.firstWord !== null;
    const over = run.ended !== null;
    this.$(".clock").textContent = stands || !over ? words.seconds(seconds((run.firstWord ?? now) - run.began)) : "–";
    this.#set(".clock-label", stands ? words.firstWord : over ? words.noWord : words.waitingClock);
    draw(this.$(".strip"), run, now, endS);
    const label = words.strip(this.about.title, run.reads.length, seconds((run.ended ?? now) - run.began));
    if (over || this.$(".strip").getAttribute("aria-label") === null) this.$(".strip").setAttribute("aria-label", label);
  }

  #state(state) {
    this.element.dataset.state = state;
  }

  // Only when it changes: each time it is set, a screen reader says it again.
  #set(selector, text) {
    const element = this.$(selector);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Text as nodes: what is between `backticks` is code, and so is the header, which must not be broken. */
export function prose(text) {
  return text.split(/(`[^`]+`|X-Accel-Buffering: no)/).map((piece, at) => {
    if (at % 2 === 0) return piece;
    const code = document.createElement("code");
    code.textContent = piece.replaceAll("`", "");
    return code;
  });
}
