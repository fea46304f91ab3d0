"""The closed list of reasons not to trust a figure, each with what to do about it."""

from __future__ import annotations

from enum import StrEnum


class Doubt(StrEnum):
    """A reason not to trust a figure."""

    ANSWER_DISAGREES_WITH_PROOF = "answer-disagrees-with-proof"
    PROOF_UNLIKE_ANSWER = "proof-unlike-answer"
    CLOCKS_NOT_ALIGNED = "clocks-not-aligned"
    PROOF_EXPIRED = "proof-expired"
    PROOF_UNTIL_UNREADABLE = "proof-until-unreadable"
    PROOF_TOKEN = "proof-token"  # noqa: S105 - a code, no secret
    PROOF_TOKEN_UNUSABLE = "proof-token-unusable"  # noqa: S105 - a code, no secret
    PROOF_REFUSED = "proof-refused"
    NO_PROOF = "no-proof"
    OTHER_INSTANCE = "other-instance"
    OTHER_VERSION = "other-version"
    SIDE_REQUEST_HUNG = "side-request-hung"
    COLD_START = "cold-start"
    SLOW_LINK = "slow-link"
    LARGE_EVENTS_HELD = "large-events-held"
    BUFFER_SIZE_UNKNOWN = "buffer-size-unknown"
    ARRIVALS_ALONE = "arrivals-alone"
    LENGTHS_ALONE = "lengths-alone"
    ANSWER_NOT_CHECKED = "answer-not-checked"
    NO_EVENTS = "no-events"
    CODING_NOT_ACCEPTED = "coding-not-accepted"
    TOO_SHORT = "too-short"
    APP_BUNCHED = "app-bunched"
    STREAM_CUT = "stream-cut"
    END_UNKNOWN = "end-unknown"
    END_UNMARKED = "end-unmarked"
    UNDECODABLE = "undecodable"
    REPLAYED = "replayed"
    STILL_RUNNING = "still-running"
    NO_ANSWER = "no-answer"
    ANSWER_IN_CLUMPS = "answer-in-clumps"
    PLAIN_CLIENT_UNDECIDED = "plain-client-undecided"
    NOT_REPEATED = "not-repeated"
    BUSY_MACHINE = "busy-machine"
    PROOF_LIMITED = "proof-limited"
    BROWSER_CONNECTIONS = "browser-connections"
    TAB_HIDDEN = "tab-hidden"
    RELAYED = "relayed"
    OWN_PATH_HELD = "own-path-held"

    @property
    def remedy(self) -> str:
        """What it means and what to do about it, in one sentence for a person."""
        return _REMEDIES[self]


# What is the same in every measurement until something is changed.
LASTING = frozenset(
    {
        Doubt.PROOF_EXPIRED,
        Doubt.PROOF_UNTIL_UNREADABLE,
        Doubt.PROOF_TOKEN,
        Doubt.PROOF_TOKEN_UNUSABLE,
        Doubt.PROOF_REFUSED,
        Doubt.NO_PROOF,
        Doubt.CLOCKS_NOT_ALIGNED,
        Doubt.ARRIVALS_ALONE,
    }
)
_REMEDIES = {
    Doubt.ANSWER_DISAGREES_WITH_PROOF: (
        "The proof's stream and the answer's own stamps contradict each other: the app itself sends its "
        "answer so (it blocks its event loop, or collects), or a middleware or a proxy's rule treats the "
        "answer's path alone so; `kit doctor URL` looks which."
    ),
    Doubt.PROOF_UNLIKE_ANSWER: (
        "The proof's stream did not bear what the answer bears, so it says nothing of the answer; put the "
        "newest service/proof.py in place, or look for what changes the headers on one of the two paths."
    ),
    Doubt.CLOCKS_NOT_ALIGNED: (
        "The server's clock could not be mapped to ours, so send times are left out; mount the proof router "
        "to have them."
    ),
    Doubt.PROOF_EXPIRED: (
        "The service's proof is switched off (its STREAMPROOF_PROOF_UNTIL is not set or has passed), so only "
        "its answer was judged; deploy again, or set that to an epoch second ahead of now, or "
        "STREAMPROOF_PROOF_TOKEN for checks that go on."
    ),
    Doubt.PROOF_UNTIL_UNREADABLE: (
        "The service's STREAMPROOF_PROOF_UNTIL is not a number of seconds, so its proof is closed and only "
        "its answer was judged; set it to an epoch second ahead of now, as in $(($(date +%s) + 3600))."
    ),
    Doubt.PROOF_TOKEN: (
        "The service's proof is open to its own token alone, so only the answer was judged; give what the "
        "service has in STREAMPROOF_PROOF_TOKEN: set the same variable here, or --proof-token."
    ),
    Doubt.PROOF_TOKEN_UNUSABLE: (
        "The service's STREAMPROOF_PROOF_TOKEN is not 16 or more visible ASCII characters, so its proof is "
        "closed and only its answer was judged; give it another, as openssl rand -hex 16 makes one."
    ),
    Doubt.PROOF_REFUSED: (
        "The server lets nobody ask for its proof without the right token (401 or 403), so only its answer "
        "was judged; give that token: --bearer-env NAME names the variable that holds it."
    ),
    Doubt.NO_PROOF: (
        "The server does not speak the proof's protocol, so it could only be watched, whatever the "
        "arm; mount service/proof.py in it for a proof (--proof URL if it lies elsewhere)."
    ),
    Doubt.OTHER_INSTANCE: (
        "The side requests reached another instance or worker than the stream, so lock-step was not "
        "possible; run one instance and one worker while you measure."
    ),
    Doubt.OTHER_VERSION: (
        "Another version answered than the one that was deployed, so nothing was decided of that; measure "
        "again in a minute, or look with kit status which one serves (kit status --refresh puts the record "
        "right)."
    ),
    Doubt.SIDE_REQUEST_HUNG: (
        "Side requests wait while a stream is open (one request at a time?), so lock-step was not possible; "
        "allow the instance at least two concurrent requests."
    ),
    Doubt.COLD_START: (
        "The service was still starting when it was first asked; the times of the first answer may include "
        "that, so measure again."
    ),
    Doubt.SLOW_LINK: (
        "The link itself was too slow for this method; measure from nearer or with smaller events."
    ),
    Doubt.LARGE_EVENTS_HELD: (
        "Events of the size judged flow, but the end of larger ones is held until the next, unless the "
        "answer bears X-Accel-Buffering: no and nginx hides it; send that header, or keep events below the "
        "size shown."
    ),
    Doubt.BUFFER_SIZE_UNKNOWN: (
        "What held the stream is larger than what was sent, so its size and kind are not known; mount the "
        "proof router, or measure a longer answer."
    ),
    Doubt.ARRIVALS_ALONE: (
        "Arrival times alone cannot tell a fast server from a held stream, so this is a suspicion and not a "
        "verdict; mount the proof router, or send the time in each event (t_ms)."
    ),
    Doubt.LENGTHS_ALONE: (
        "Two lengths of an answer tell whether it comes whole, not whether the way or the service itself "
        "holds it, and not whether it comes in blocks; ask the service directly as well, or mount the proof "
        "router."
    ),
    Doubt.ANSWER_NOT_CHECKED: (
        "The answer bears no send times, so it could not be held against the proof, which speaks for its "
        "own path only; send the time in each event (t_ms)."
    ),
    Doubt.NO_EVENTS: (
        "The answer's bytes form no events (no blank line), so a client shows none of it: an event of "
        "text/event-stream has a line that begins with data: and ends with a blank line, one of NDJSON ends "
        "with a line break; write them so in the app."
    ),
    Doubt.CODING_NOT_ACCEPTED: (
        "The answer came in a coding that the request does not accept, so a client that asks so cannot read "
        "it; look at what compresses it, or at a cache that stored it for another client (Vary: "
        "Accept-Encoding)."
    ),
    Doubt.TOO_SHORT: (
        "The answer was too short to judge the path by; ask for a longer one, of two seconds or more."
    ),
    Doubt.APP_BUNCHED: "The service itself sent its events in a bunch, so the path cannot be judged by them; "
    "look at the app first.",
    Doubt.STREAM_CUT: (
        "The stream came to no proper end: it was cut; look at the log of the server, at its worker's time "
        "limit (gunicorn --timeout) and at those on the way (nginx proxy_read_timeout)."
    ),
    Doubt.END_UNKNOWN: (
        "Whether the answer is whole is not known: it ends within an event, or has no mark at its end "
        "([DONE], done, a last chunk), and a cut would look the same; send such an event at the end, and use "
        "HTTP/1.1 up to the service (in nginx proxy_http_version 1.1;)."
    ),
    Doubt.END_UNMARKED: (
        "The answer ended in order, but bears no mark of its own at its end ([DONE], done), so a hop that "
        "speaks HTTP/1.0 to the service could hide a cut; send such an event at the end to be sure."
    ),
    Doubt.UNDECODABLE: (
        "The answer is not what its Content-Encoding says, so a client shows none of it; take that header "
        "away where the body is decoded on the way, or pass the body on as it came."
    ),
    Doubt.REPLAYED: (
        "The answer was written before it was asked for: a cache kept the one to the same request; send "
        "Cache-Control: no-store with it, or measure with another query."
    ),
    Doubt.STILL_RUNNING: (
        "The answer went on for longer than was waited for, so its end was not seen; give more time "
        "(--timeout) or ask for a shorter one."
    ),
    Doubt.NO_ANSWER: (
        "The answer itself could not be had, so only the way to it was judged; look at what it answered, and "
        "measure again once it answers."
    ),
    Doubt.ANSWER_IN_CLUMPS: (
        "The answer came in one lump or in several, and not as its own stamps or the proof's stream do: the "
        "app writes so, or a hop treats the answer differently; kit doctor URL examines it."
    ),
    Doubt.PLAIN_CLIENT_UNDECIDED: (
        "Whether the stream also passes to a client that accepts no compression, as curl, was not decided; "
        "measure again, or ask for that alone: --header 'Accept-Encoding: identity'."
    ),
    Doubt.NOT_REPEATED: "A release was seen once and could not be repeated; measure again.",
    Doubt.BUSY_MACHINE: (
        "This machine is too busy: the measuring process itself had to wait for the processor, so times may "
        "be too long; measure again with less running beside it."
    ),
    Doubt.PROOF_LIMITED: (
        "The server or a hop answered some of the proof's requests with 429 or 503, so what they would have "
        "shown is not known; raise the limit on requests or connections for a moment, or measure again later."
    ),
    Doubt.BROWSER_CONNECTIONS: (
        "A side request had to wait for a free connection (a browser opens six to a server over HTTP/1.1, "
        "for all its tabs together), so times may be too long; close other tabs on it and measure again."
    ),
    Doubt.TAB_HIDDEN: (
        "The page was hidden while it measured, and a browser lets hidden pages wait, so times may be too "
        "long; measure again with the page in view."
    ),
    Doubt.RELAYED: (
        "The browser may not ask this service itself, so the page's server asked and passed everything on as "
        "it came; what is measured is the way through that server."
    ),
    Doubt.OWN_PATH_HELD: (
        "Something between the browser and the page's own server holds streams, so what comes through that "
        "server cannot be judged; open the page at its own address on the machine where it runs."
    ),
}

# With one of these the answer did not come whole, or not so that a client can read it: what became of it,
# the worst first.
BROKEN = {
    Doubt.NO_ANSWER: "could not be had",
    Doubt.UNDECODABLE: "cannot be decoded",
    Doubt.STREAM_CUT: "was cut",
    Doubt.REPLAYED: "is a stored copy",
    Doubt.END_UNKNOWN: "may have been cut",
    Doubt.NO_EVENTS: "forms no events",
    Doubt.CODING_NOT_ACCEPTED: "is in a coding that was not accepted",
}
