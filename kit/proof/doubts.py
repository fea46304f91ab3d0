"""The closed list of reasons not to trust a figure; doubts.toml says of each what to do about it."""

from __future__ import annotations

from kit.language import text
from kit.proof.texts import Explained


class Doubt(Explained):
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
    PROOF_OLDER = "proof-older"
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
    CUT_AT_DEADLINE = "cut-at-deadline"
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


# What is the same in every measurement until something is changed.
LASTING = frozenset(
    {
        Doubt.PROOF_EXPIRED,
        Doubt.PROOF_UNTIL_UNREADABLE,
        Doubt.PROOF_TOKEN,
        Doubt.PROOF_TOKEN_UNUSABLE,
        Doubt.PROOF_REFUSED,
        Doubt.NO_PROOF,
        Doubt.PROOF_OLDER,
        Doubt.CLOCKS_NOT_ALIGNED,
        Doubt.ARRIVALS_ALONE,
    }
)
# With one of these the answer did not come whole, or not so that a client can read it: what became of it,
# the worst first. `{after}` is for how long it lived.
BROKEN = {
    Doubt.NO_ANSWER: text("could not be had"),
    Doubt.UNDECODABLE: text("cannot be decoded"),
    Doubt.CUT_AT_DEADLINE: text("was cut after {after}"),
    Doubt.STREAM_CUT: text("was cut"),
    Doubt.REPLAYED: text("is a stored copy"),
    Doubt.END_UNKNOWN: text("may have been cut"),
    Doubt.NO_EVENTS: text("forms no events"),
    Doubt.CODING_NOT_ACCEPTED: text("is in a coding that was not accepted"),
}
