"""Measures a version that was just deployed, at its own URL, with what lets it in: the kit's service in both
arms, the user's app once, as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kit.cloud.tokens import Runs, credentials, identity_token
from kit.config import Config
from kit.events import Event, ProofStep, Stage, Step, Watch, output_of
from kit.flows.compare import compare
from kit.flows.deployed import lanes_of, settled
from kit.flows.described import as_described
from kit.flows.lanes import BOTH, arms_deployed, ask
from kit.language import text
from kit.platforms import load
from kit.platforms.service import Service
from kit.probe.client import Ask
from kit.probe.ready import wait_until_ready
from kit.probe.spec import LaneSpec
from kit.proof.lane import Lane
from kit.proof.version import ExpectedVersion
from kit.targets import Target

# Two seconds of the embedded text: enough to judge an answer by.
_TOKENS = 60
# Who was just given the right to call a private service may be refused for a while: in general two minutes
# (https://docs.cloud.google.com/iam/docs/access-change-propagation, documented, not observed).
_LET_IN_S = 120.0


class Measuring:
    """A `kit.flows.trial.Measure`.

    Args:
        gcloud: who gives identity tokens.
        config: whose app is measured.
        watch: is given each event, as it happens.
        token: the service's own token, in clear.
        prompt: the question.
        timeout_s: for each answer.
    """

    def __init__(
        self,
        gcloud: Runs,
        config: Config,
        watch: Watch,
        *,
        token: str | None,
        prompt: str,
        timeout_s: float,
    ) -> None:
        self._gcloud = gcloud
        self._config = config
        self._watch = watch
        self._token = token
        self._prompt = prompt
        self._timeout_s = timeout_s

    async def __call__(
        self, target: Target, url: str, service: Service, version: str, proof_token: str | None = None
    ) -> Sequence[Lane]:
        identity = None
        if service.public is not True and not load(service.place.platform).open_to_all:
            # A tag's URL wants a token for the service's own
            # (https://docs.cloud.google.com/run/docs/authenticating/service-to-service).
            identity = await identity_token(self._gcloud, service.url or url)
        headers = credentials(url, identity=identity, token=self._token)
        say = output_of(target.name, self._watch)
        # A user's app may have no /ready. Where its answer is asked for otherwise, that it takes no GET is an
        # answer too.
        place = f"{url.rstrip('/')}/ready" if self._config.app is None else ask(self._config, url).url
        platform = load(service.place.platform)
        await wait_until_ready(Ask("GET", place, headers), within_s=platform.ready_within_s, waiting=say)
        config = await as_described(
            self._config, url, headers, prompt=self._prompt, timeout_s=self._timeout_s, say=say
        )
        asked = ask(config, url, headers)
        like = LaneSpec(
            target.name,
            asked,
            prompt=self._prompt,
            max_output_tokens=min(_TOKENS, self._config.max_output_tokens),
            timeout_s=self._timeout_s,
            # At the app's root, which need not be that of its origin.
            proof_url=None if self._config.app is None else f"{url.rstrip('/')}/proof",
            proof_token=proof_token,
        )
        wanted = ExpectedVersion(
            version, says=self._config.app is None
        )  # the kit's own service, of this very run
        specs = lanes_of(
            {target.name: asked},
            {target.name: target},
            arms_deployed(config, BOTH),
            like,
            config,
            {target.name: wanted},
        )
        # Where traffic moves late, what answers at a new URL may not be the new version for as long.
        late_s = platform.ready_within_s if platform.moves_within_s else 0.0
        waited = await settled(
            specs,
            lambda says: self._watch(Step(target.name, says)),
            within_s=max(late_s, self._timeout_s),
            let_in_s=_LET_IN_S,
        )
        if waited:
            self._watch(Step(target.name, text("measuring {url}", url=url)))
        return (await compare(specs, "cloud", _as_output(say))).lanes


def _as_output(say: Callable[[str], None]) -> Watch:
    def watch(event: Event) -> None:
        match event:
            case Stage(says):
                say(says)
            case ProofStep(key, says):
                say(text("header {header}: {said}", header=key.header, said=says))

    return watch
