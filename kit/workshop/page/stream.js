// One response, read as it arrives. Each read is stamped before anything else is done with it.

/** The state of a response: {head, octets, ended, failed}; `reads` holds what `take()` has not taken yet. */
export class Stream {
  #reads = [];
  #totals = []; // [when, octets by then]
  #waiting = new Set();
  #abort = new AbortController();
  head = null;
  ended = null;
  failed = false;
  octets = 0;

  /** Sends the request; onRead(at, octets) is called with each read, after it was stamped. */
  constructor(url, options, onRead = () => {}) {
    this.done = this.#run(url, options, onRead);
  }

  async #run(url, options, onRead) {
    let clean = false;
    try {
      const response = await fetch(url, {
        cache: "no-store",
        ...options,
        signal: this.#abort.signal,
      });
      this.head = { at: performance.now(), status: response.status, headers: Object.fromEntries(response.headers) };
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        const at = performance.now();
        if (done) break;
        this.octets += value.length;
        this.#reads.push({ at, octets: value });
        this.#totals.push([at, this.octets]);
        this.#news();
        onRead(at, value);
      }
      clean = true;
    } catch {
      // A cut, or no server: what is known of it is in the fields.
    }
    if (this.#abort.signal.aborted) return;
    if (this.head) this.ended = { at: performance.now(), clean };
    else this.failed = true;
    this.#news();
  }

  /** What was read since the last time. */
  take() {
    return this.#reads.splice(0);
  }

  /** Leaves it. */
  leave() {
    this.#abort.abort();
    this.#news();
  }

  /**
   * Until there are so many octets (null: never), or it is over, or the time is.
   *
   * Gives when that was: what had come before it was waited for came then, and not now.
   */
  until(octets, withinMs) {
    return new Promise((resolve) => {
      const over = () => this.ended || this.failed || this.#abort.signal.aborted;
      const look = () => {
        if (!over() && (octets === null || this.octets < octets)) return;
        const reached = octets !== null && this.#totals.find(([, total]) => total >= octets);
        finish(reached ? reached[0] : (this.ended?.at ?? performance.now()));
      };
      const finish = (at) => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        resolve(at);
      };
      const timer = setTimeout(() => finish(performance.now()), withinMs);
      this.#waiting.add(look);
      look();
    });
  }

  #news() {
    for (const look of this.#waiting) look();
  }
}
