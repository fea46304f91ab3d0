// Side requests, one at a time, and how long each had to wait for a connection.

const waits = new Map(); // url → milliseconds

// The browser opens six connections to a server over HTTP/1.1, for all its tabs; a request for which none is free
// waits, and that shows here. Another server's timing is seen only where it allows that (Timing-Allow-Origin).
new PerformanceObserver((list) => {
  for (const { name, fetchStart, requestStart, connectStart, connectEnd } of list.getEntries()) {
    if (waits.has(name) && requestStart) waits.set(name, requestStart - fetchStart - (connectEnd - connectStart));
  }
  performance.clearResourceTimings();
}).observe({ type: "resource" });

/** Asks, and gives what came back with its stamps; null where it hung or failed. */
export async function ask(method, url, withinMs, signal) {
  const sent_ms = performance.now();
  waits.set(new URL(url, location.href).href, 0);
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
  }
}

/** The longest wait of requests below this address so far. */
export function waited(base) {
  const below = new URL(base, location.href).href;
  return Math.max(0, ...[...waits].filter(([url]) => url.startsWith(below)).map(([, wait]) => wait));
}

/** Forgets what waited. */
export function forget() {
  waits.clear();
}
