// Server-sent events, parsed as text arrives: an event is out as soon as its blank line has ended.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
// `id` and `retry` are passed over: this page never reconnects, which would buy the same answer twice.

export class SseParser {
  #rest = "";
  #afterCr = false;
  #type = "";
  #data = [];

  /** The events, as {type, data}, that this text completed. */
  feed(text) {
    // A CR ends its line at once, to wait for an LF would make each event one read late; an LF after it is no line.
    if (this.#afterCr && text) {
      this.#afterCr = false;
      if (text[0] === "\n") text = text.slice(1);
    }
    if (text.endsWith("\r")) this.#afterCr = true;
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    const events = [];
    for (const line of lines) {
      if (line) this.#field(line);
      else if (this.#data.length) events.push({ type: this.#type || "message", data: this.#data.join("\n") });
      if (!line) [this.#type, this.#data] = ["", []];
    }
    return events;
  }

  #field(line) {
    const [, name, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data.push(value);
  }
}
