// The quick clauses of a lane's contract: asked by a button, once the lane is judged.

import { post } from "./post.js";

export class Contract {
  /** @param {HTMLElement} lane a lane's element, with `.contract` and `.clauses` */
  constructor(lane) {
    this.button = lane.querySelector(".contract");
    this.list = lane.querySelector(".clauses");
    this.button.addEventListener("click", () => this.#check());
    this.reset();
  }

  reset() {
    this.url = null;
    this.said = null;
    this.failed = "";
    this.busy = false;
  }

  /** The lane was judged, live: its clauses are asked at `url`, and given to `keep`. */
  offer(url, keep) {
    Object.assign(this, { url, keep });
    this.translate();
  }

  async #check() {
    const { url } = this;
    this.busy = true;
    this.translate();
    try {
      const { said, clauses } = await post(url);
      if (url !== this.url) return;
      this.said = said;
      this.keep(clauses);
    } catch (error) {
      if (url === this.url) this.failed = error.message;
    }
    this.busy = false;
    this.translate();
  }

  translate(words = this.words) {
    this.words = words;
    const { said, failed, busy } = this;
    this.button.hidden = !this.url || Boolean(said);
    this.button.disabled = busy;
    if (words) this.button.textContent = busy ? words.checking : words.contract;
    const lines = said ? said.map((one) => one[words.key]) : failed ? [failed] : [];
    this.list.hidden = !lines.length;
    this.list.replaceChildren(
      ...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })),
    );
  }
}
