// One lane as it is seen. Everything that comes from outside is put in as text, never as markup.

import { chart } from "./chart.js";
import { Contract } from "./contract.js";
import { draw } from "./strip.js";

// Whether it streams; whether that is as documented is said in words.
const MARKS = { flows: "●", held: "■", unsure: "?", failed: "✗" };
const seconds = (ms) => (ms / 1000).toFixed(ms < 9995 ? 2 : 1);

export class LaneView {
  /**
   * @param {{target: string, title: string, place: string}} about
   * @param {object} words of words.js
   */
  constructor(about, words) {
    this.about = about;
    this.words = words;
    this.element = document.getElementById("lane").content.firstElementChild.cloneNode(true);
    this.element.dataset.target = about.target;
    this.element.setAttribute("aria-label", about.title);
    this.$(".title").textContent = about.title;
    this.$(".title").title = about.place ?? "";
    this.$(".evidence").addEventListener("click", () => this.toggle());
    this.contract = new Contract(this.element);
    this.reset();
  }

  $(selector) {
    return this.element.querySelector(selector);
  }

  reset() {
    this.run = null;
    this.contract.reset();
    this.said = null;
    this.result = null;
    this.relayed = false;
    this.say = null;
    for (const name of [".text", ".clock", ".clock-label", ".last", ".last-label"]) this.$(name).textContent = "";
    this.$(".strip").replaceChildren();
    this.$(".stairs").replaceChildren();
    delete this.element.dataset.tone;
    this.#state("idle");
  }

  /** The clock runs from here. */
  begin(run) {
    this.run = run;
    this.#state("waiting");
  }

  /** Something came; `text` is empty where it has none to be shown. */
  text(text) {
    if (this.element.dataset.state === "waiting") this.#state("receiving");
    const box = this.$(".text");
    box.append(text);
    box.scrollTop = box.scrollHeight;
  }

  /** The answer is over; the proof may go on. */
  answered() {
    this.#state("answered");
  }

  /** The verdict is in: `lane` as `kit compare` writes it, `said` in both languages. */
  judged(lane, said) {
    this.result = lane;
    this.said = said;
    this.element.dataset.tone = said.tone;
    this.#state("judged");
  }

  /** The scene is over and gives no verdict; `say` gives what happened, and why, in the words that it is given. */
  ended(tone, say) {
    this.say = say;
    this.element.dataset.tone = tone;
    this.#state("ended");
  }

  /** Writes what does not change with time. */
  translate(words = this.words) {
    this.words = words;
    this.contract.translate(words);
    const { said, say } = this;
    const relayed = this.$(".relayed");
    relayed.hidden = !this.relayed;
    relayed.textContent = words.relayed;
    relayed.title = words.relayedMeans;
    this.$(".text").setAttribute("aria-label", words.answerOf(this.about.title));
    if (say) {
      const [word, why] = say(words);
      this.#say(this.element.dataset.tone === "failed" ? `${MARKS.failed} ${word}` : word);
      this.$(".why").textContent = why;
    } else if (said) {
      const spoken = said[words.key];
      this.#say(`${MARKS[said.tone]} ${spoken.verdict}`, spoken.promise);
      const why = [spoken.why, spoken.advice ?? spoken.note].filter(Boolean).join(words.key === "zh" ? "" : " ");
      this.$(".why").replaceChildren(...prose(why));
      this.$(".evidence").classList.toggle("doubt", spoken.doubts.length > 0);
      this.$(".evidence").textContent = spoken.doubts.length ? words.doubts(spoken.doubts.length) : words.evidence;
      this.#more([spoken.remark, ...spoken.doubts, ...(spoken.evidence ?? [])].filter(Boolean));
      return;
    } else {
      this.#say(words.states[this.element.dataset.state] ?? "");
      this.$(".why").textContent = "";
    }
    this.#more([]);
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
    const came = run.first !== null;
    const over = run.ended !== null;
    this.$(".clock").textContent = came || !over ? words.seconds(seconds((run.first ?? now) - run.began)) : "–";
    this.#set(".clock-label", came ? words.firstEvent : over ? words.noEvent : words.waitingClock);
    this.#set(".last", came && over ? words.seconds(seconds(run.last - run.began)) : "");
    this.#set(".last-label", came && over ? words.lastEvent : "");
    draw(this.$(".strip"), run, now, endS);
    const label = words.strip(this.about.title, run.reads.length, seconds((run.ended ?? now) - run.began));
    if (over) this.$(".strip").setAttribute("aria-label", label);
  }

  /** Draws what was sent and received on that axis, with a line at each of `ticks` (parts of its length). */
  drawChart(endS, ticks) {
    if (!this.result?.timeline.length) return;
    const events = this.result.timeline.length;
    this.$(".stairs").replaceChildren(
      Object.assign(document.createElement("span"), { className: "all", textContent: this.words.events(events) }),
      Object.assign(document.createElement("span"), { className: "none", textContent: "0" }),
      chart(this.result, endS, ticks, this.words.stairs(this.about.title, events)),
    );
  }

  // What is over is read from its beginning.
  #state(state) {
    this.element.dataset.state = state;
    const going = ["waiting", "receiving"].includes(state);
    this.$(".text").setAttribute("aria-busy", String(going));
    if (!going) this.$(".text").scrollTop = 0;
    if (state === "idle") this.$(".strip").setAttribute("aria-label", this.about.title);
    this.translate();
  }

  #say(word, promise) {
    const shown = this.$(".word");
    if (shown.textContent !== word) shown.replaceChildren(...unbroken(word));
    this.#set(".promise", promise ?? "");
  }

  // Only when it changes: each time it is set, a screen reader says it again.
  #set(selector, text) {
    const element = this.$(selector);
    if (element.textContent !== text) element.textContent = text;
  }
}

// A number stays beside its unit.
const unbroken = (text) =>
  text.split(/([\d.,]+ (?:s|ms|KiB|octets)\b)/).map((piece, at) => {
    if (at % 2 === 0) return piece;
    return Object.assign(document.createElement("span"), { className: "unit", textContent: piece });
  });

/** Text as nodes: what is between `backticks` is code, and so is the header, which must not be broken. */
export function prose(text) {
  return text.split(/(`[^`]+`|X-Accel-Buffering: no)/).map((piece, at) => {
    if (at % 2 === 0) return piece;
    const code = document.createElement("code");
    code.textContent = piece.replaceAll("`", "");
    return code;
  });
}
