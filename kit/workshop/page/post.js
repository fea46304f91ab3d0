// Speaks to the page's own server. What went wrong there is an Error with its sentence.

// A report is sent in pieces of this many octets: a proxy in front of the page may not let more through.
const PIECE = 400_000;

/** Posts JSON (or nothing), and gives the JSON that comes back. */
export async function post(url, content, signal) {
  const body = content === undefined ? undefined : JSON.stringify(content);
  return read(await fetch(url, { method: "POST", body, cache: "no-store", signal }));
}

/** Gets JSON. */
export async function get(url) {
  return read(await fetch(url, { cache: "no-store" }));
}

/** Posts what was seen: a line of JSON, then the octets of its reads ({at, octets}) as they came. */
export async function report(url, seen, reads, signal) {
  const pieces = [...inPieces(reads)];
  const last = pieces.pop() ?? [];
  for (const piece of pieces) await send(url, { now_ms: seen.now_ms, head: seen.head, more: true }, piece, signal);
  if (pieces.length) delete seen.head;
  return send(url, seen, last, signal);
}

async function send(url, seen, reads, signal) {
  const sizes = reads.map(({ at, octets }) => [at, octets.length]);
  const line = new TextEncoder().encode(`${JSON.stringify({ ...seen, reads: sizes })}\n`);
  const body = joined([line, ...reads.map(({ octets }) => octets)]);
  return read(await fetch(url, { method: "POST", body, cache: "no-store", signal }));
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

function* inPieces(reads) {
  let [piece, size] = [[], 0];
  for (const { at, octets } of reads) {
    for (let start = 0; start < octets.length; ) {
      const part = octets.subarray(start, start + PIECE - size);
      piece.push({ at, octets: part });
      start += part.length;
      size += part.length;
      if (size < PIECE) continue;
      yield piece;
      [piece, size] = [[], 0];
    }
  }
  if (size) yield piece;
}

async function read(response) {
  const reply = await response.json().catch(() => null);
  if (response.ok && reply) return reply;
  const { message, hint } = reply?.error ?? { message: `HTTP ${response.status}`, hint: "" };
  throw new Error(`${message} ${hint}`.trim());
}
