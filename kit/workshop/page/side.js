// Side requests, one at a time, and whether one had to wait for a connection.

// Round trips to the page's own server that were begun later: so many come back before a request is even sent only
// if that has no connection. A busy machine keeps both back.
const OVERTAKEN = 3;
const LOOK_MS = 50; // most side requests are back by then, and cost no round trip beside them

const asked = new Map(); // url → when round trips that were begun after it came back
const waits = new Set(); // the urls that had to wait

// The browser opens six connections to a server over HTTP/1.1, for all its tabs; a request for which none is free
// waits, and that shows here. Another server's timing is seen only where it allows that (Timing-Allow-Origin).
new PerformanceObserver((list) => {
  for (const { name, requestStart, domainLookupStart, connectStart, connectEnd } of list.getEntries()) {
    // A new connection takes its time by itself: what is begun for it, waits no more.
    const from = connectEnd > connectStart ? domainLookupStart : requestStart;
    const before = (asked.get(name) ?? []).filter((at) => at < from);
    if (before.length >= OVERTAKEN) waits.add(name);
  }
  performance.clearResourceTimings();
}).observe({ type: "resource" });

/** Asks, and gives what came back with its stamps; null where it hung or failed. */
export async function ask(method, url, withinMs, signal) {
  const over = new AbortController();
  overtake(new URL(url, location.href), over.signal);
  const sent_ms = performance.now();
  try {
    const response = await fetch(url, {
      method,
      cache: "no-store",
      signal: AbortSignal.any([signal, AbortSignal.timeout(withinMs)]),
    });
    const body = await response.text();
    return { status: response.status, body, sent_ms, arrived_ms: performance.now() };
  } catch {
    return null;
  } finally {
    over.abort();
  }
}

// What goes to the page's own server cannot be overtaken by what waits for the same connections.
async function overtake({ href, origin }, signal) {
  if (origin === location.origin) return;
  const came = [];
  asked.set(href, came);
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  while (!signal.aborted && came.length < OVERTAKEN) {
    const reply = await fetch("here/proof/ping", { cache: "no-store" }).catch(() => null);
    if (!reply) return;
    came.push(performance.now());
  }
}

/** Whether a request below this address had to wait so far. */
export function waited(base) {
  const below = new URL(base, location.href).href;
  return [...waits].some((url) => url.startsWith(below));
}

/** Forgets what waited. */
export function forget() {
  asked.clear();
  waits.clear();
}
