// How an answer came, judged from when each word was written (the server's clock) and when it arrived (ours).
// Only differences on the same clock are used, so the clocks need not agree. It is a hint, never a proof: a
// server that says it wrote bit by bit may have been held itself.

const FEWEST_WORDS = 5;
// What was written within a shorter time looks the same however it comes.
const SHORTEST_WRITING_MS = 300;
// Held until the end, everything arrives in a small part of the time that it took to write.
const LUMP = 0.1;
// A reader does not notice less; a phone's network is often late by as much.
const UNNOTICED_MS = 250;

/**
 * @param {{at: number, written: number}[]} words in order; milliseconds.
 * @returns {{how: "bits" | "blocks" | "lump" | "unclear", lateMs: number}} lateMs: how much later than the
 *   promptest word the latest one came; all but a tenth of the words are judged by it.
 */
export function howItCame(words) {
  if (words.length < FEWEST_WORDS) return { how: "unclear", lateMs: 0 };
  const [first, last] = [words[0], words[words.length - 1]];
  const delays = words.map(({ at, written }) => at - written).sort((a, b) => a - b);
  const lateMs = delays[delays.length - 1] - delays[0];
  if (last.written - first.written < SHORTEST_WRITING_MS) return { how: "unclear", lateMs };
  if (last.at - first.at < LUMP * (last.written - first.written)) return { how: "lump", lateMs };
  const mostlyLateMs = delays[Math.floor(0.9 * (delays.length - 1))] - delays[0];
  return { how: mostlyLateMs > UNNOTICED_MS ? "blocks" : "bits", lateMs };
}
