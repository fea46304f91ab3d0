// Server-sent events, parsed as text arrives: an event is out as soon as its blank line has ended.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
// `retry` is passed over: nothing here reconnects, which would buy the same answer twice.

export class SseParser {
  #rest = "";
  #afterCr = false;
  #type = "";
  #data = [];
  #id = "";

  /** The events, as {type, data, id}, that this text completed. An event without an id has the last one's. */
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
      else {
        const [type, data, id] = [this.#type || "message", this.#data.join("\n"), this.#id];
        if (this.#data.length) events.push({ type, data, id });
        [this.#type, this.#data] = ["", []];
      }
    }
    return events;
  }

  #field(line) {
    const [, name, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }
}
