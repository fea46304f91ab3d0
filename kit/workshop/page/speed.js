// The slider of the model's speed. Slower than its first stop, an answer of the usual length takes longer than a
// lane may. null is the service's own speed, which stands where the embedded generator's is.

export const STOPS = [3, 5, 10, 20, null, 50, 100, 300, 1000];

/** The stop nearest to a speed; a link may name one between two. */
export function stopOf(speed) {
  if (speed === null) return STOPS.indexOf(null);
  const apart = STOPS.map((stop) => (stop === null ? Infinity : Math.abs(Math.log(stop / speed))));
  return apart.indexOf(Math.min(...apart));
}

/** A speed in words; `own` is the services' own, null where it is not known. */
export function wordsOf(speed, own, words) {
  if (speed !== null) return words.tokensPerS(speed);
  return own === null ? words.ownSpeed : words.ownTokensPerS(own);
}
