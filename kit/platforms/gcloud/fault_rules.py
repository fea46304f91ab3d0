"""How gcloud and Google word what went wrong, and what it means. Data; `faults.py` applies it.

The texts are gcloud's own (googlecloudsdk 528: core/exceptions.py, core/credentials/exceptions.py,
api_lib/util/exceptions.py, command_lib/app/exceptions.py, api_lib/cloudbuild/build.py) or Google's answers as
gcloud passes them on.

The first rule that fits is taken. What is narrow stands before what is wide: a 403 may be an API that is off,
a closed billing account, a region that does not exist, or a permission that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kit.errors import Code
from kit.platforms.gcloud.retry import Again


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault.

    Attributes:
        pattern: in what gcloud said, in any case of letters.
        code: which of the closed list.
        message: one sentence. It may name {verb} (`gcloud app deploy`), {project}, {said} (gcloud's own first
            sentence) and the details.
        hint: the remedy, with the same names.
        again: whether trying again may help.
        log: whether the end of what was printed tells more.
        details: what else to find: by name the patterns, whose first group is taken; they are tried in order.
        otherwise: message and hint where a detail was not found.
    """

    pattern: str
    code: Code
    message: str
    hint: str
    again: Again = "no"
    log: bool = False
    details: dict[str, tuple[str, ...]] = field(default_factory=dict)
    otherwise: tuple[str, str] = ("", "")


_CONSOLE: Final = "https://console.cloud.google.com"
_LATER: Final = "Try again in a while; https://status.cloud.google.com tells of what lasts."
LOOK: Final = "`kit status --refresh` looks at what is there."
UPDATE: Final = "Update it: `gcloud components update`, or by the package manager that installed it."

# First, for the end of a build's log may be in the error, with whatever went wrong in there.
_BUILT: Final = (
    Rule(
        r"build failed because.{0,80}(?:service account|permission)",
        Code.PERMISSION_DENIED,
        "The service account that builds images lacks a role in the project {project}.",
        "Give it roles/run.builder: "
        "https://cloud.google.com/run/docs/configuring/services/build-service-account",
    ),
    Rule(
        r"failed to start and listen|failed to become healthy|container failed to start|"
        r"health ?check.{0,40}fail",
        Code.SERVICE_NOT_READY,
        "The new version was built, but it did not start or did not become healthy in time.",
        "Its log: {url}",
        log=True,
        details={"url": (rf"({_CONSOLE}/logs[^\s\]\"'<>]*[\w/=%-])",)},
        otherwise=(
            "The new version was built, but it did not start or did not become healthy in time.",
            "`kit logs` shows what it printed.",
        ),
    ),
    Rule(
        r"build failed|build timed out|build error|container build|cloud build.{0,40}fail|"
        r"cloud build \S+ status: |FAILED_BUILD",
        Code.BUILD_FAILED,
        "The build of the image failed.",
        "Its log: {url}",
        log=True,
        details={"url": (rf"({_CONSOLE}/[^\s\]\"'<>]*build[^\s\]\"'<>]*[\w/=%-])",)},
        otherwise=(
            "The build of the image failed.",
            "Its log: `gcloud builds list --limit=1 --project={project}{region}` names the build, "
            "`gcloud builds log ID` shows it.",
        ),
    ),
)

# gcloud tries a 5xx again by itself for some 30 s, and then takes the network for the culprit.
_GAVE_UP: Final = (
    Rule(
        r"HttpError accessing.{0,2000}?'status': '?503",
        Code.CLOUD_UNAVAILABLE,
        "Google answered `{verb}` with 503 (service unavailable).",
        _LATER,
        again="transient",
    ),
    Rule(
        r"HttpError accessing.{0,2000}?'status': '?5\d\d",
        Code.CLOUD_UNAVAILABLE,
        "Google answered `{verb}` with an error of its own, {status}.",
        _LATER,
        details={"status": (r"'status': '?(5\d\d)",)},
    ),
)

_THIS_MACHINE: Final = (
    Rule(
        r"no space left on device|\[Errno 28\]|disk quota exceeded|\[Errno 122\]",
        Code.CANNOT_WRITE,
        "`{verb}` found no space left on this machine's disk.",
        "Free some; gcloud writes to its configuration folder and to the folder for temporary files.",
    ),
    # gcloud waits one second for its configuration (core/config.py); on a busy machine others keep it longer.
    Rule(
        r"database is locked",
        Code.GCLOUD_FAILED,
        "Another gcloud kept the configuration locked that `{verb}` was to read.",
        "Try again when no other gcloud runs.",
        again="transient",
    ),
    Rule(
        r"certificate.verify.failed",
        Code.TLS_FAILED,
        "gcloud does not trust the certificate that answered for Google.",
        "Behind a proxy that opens TLS, name its certificate: "
        "`gcloud config set core/custom_ca_certs_file FILE`.",
    ),
    # `gcloud run` puts the region into the name of the host that it asks.
    Rule(
        r"failed to resolve '[a-z0-9-]+-run\.",
        Code.BAD_CONFIG,
        "Nothing answers for Cloud Run in the region {region}, so there is none, or this machine is offline.",
        "`gcloud run regions list` shows the regions; name one with --region.",
        details={"region": (r"failed to resolve '([a-z0-9-]+?)-run\.",)},
    ),
    Rule(
        r"connection reset|connection aborted|connection broken|broken pipe|RemoteDisconnected|"
        r"IncompleteRead|ResponseNotReady|BadStatusLine|remote end closed|EOF occurred",
        Code.CLOUD_UNAVAILABLE,
        "The connection from `{verb}` to Google was cut.",
        "Try again; if it stays so, look at the network and the proxy on the way.",
        again="transient",
    ),
    Rule(
        r"failed to resolve|name or service not known|name resolution|nodename nor servname|getaddrinfo|"
        r"unable to find the server|connection refused|network is (?:unreachable|down)|no route to host|"
        r"cannot connect to proxy|tunnel connection failed|network connectivity issues|"
        r"connect(?:ion)? timed? ?out",
        Code.UNREACHABLE,
        "`{verb}` could not reach Google.",
        "Look at this machine's network and proxy settings: `gcloud info --run-diagnostics` checks them.",
    ),
)

_ACCOUNT: Final = (
    # The credentials are good, and whoever makes tokens of them has trouble of its own.
    Rule(
        r"refreshing .{0,120}auth tokens.{0,400}?(?:'(?:code|status)': '?5\d\d|UNAVAILABLE|internal_failure)",
        Code.CLOUD_UNAVAILABLE,
        "Google's sign-in service answered `{verb}` with an error of its own.",
        _LATER,
        again="transient",
    ),
    Rule(
        r"no identity token can be obtained|invalid account type for .--audiences",
        Code.NOT_SIGNED_IN,
        "gcloud's credentials cannot make an identity token, which a private service asks for.",
        "Sign in as a person or a service account, `gcloud auth login`: a bare access token makes none.",
    ),
    Rule(
        r"have an active account|credentialed account|could not automatically determine credentials",
        Code.NOT_SIGNED_IN,
        "gcloud is not signed in.",
        "Sign in: `gcloud auth login`.",
    ),
    Rule(
        r"reauth|invalid_grant|invalid_rapt|refreshing (?:your current )?auth tokens|\bUNAUTHENTICATED\b|"
        r"invalid authentication credentials|expired or revoked|ACCESS_TOKEN_(?:EXPIRED|TYPE)|"
        r"have any valid credentials|HTTPError 401",
        Code.NOT_SIGNED_IN,
        "Google does not accept gcloud's credentials, which have expired or were revoked.",
        "Sign in again: `gcloud auth login`. Where CLOUDSDK_AUTH_ACCESS_TOKEN is set, put a fresh one there.",
    ),
)

_PROJECT: Final = (
    Rule(
        r"SERVICE_DISABLED|has not been used in project|accessNotConfigured|"
        r"API \[[\w.-]+\] (?:is )?not enabled|enable it by visiting|"
        r"API (?:has not been|is not|must be) enabled",
        Code.API_OFF,
        "The API {api} is off in the project {project}.",
        "Switch it on: `gcloud services enable {api} --project {project}`.",
        details={"api": (r"/api/([a-z0-9-]+\.googleapis\.com)", r"\b([a-z][a-z0-9-]*\.googleapis\.com)")},
        otherwise=(
            "An API that `{verb}` needs is off in the project {project}: {said}.",
            "Switch it on: `gcloud services enable API --project {project}`.",
        ),
    ),
    Rule(
        r"BILLING_DISABLED|UREQ_PROJECT_BILLING|requires billing|enable billing|"
        r"billing(?: account)?\b.{0,80}\b(?:disabled|closed|not open|not found|to be enabled|must be enabled|"
        r"not enabled|not been enabled|is off)",
        Code.BILLING_OFF,
        "Billing is off for the project {project}, or its billing account is closed.",
        f"Link an account: {_CONSOLE}/billing/linkedaccount?project={{project}}",
    ),
    Rule(
        r"more than '?\d+'? (?:versions|services)|too many (?:versions|services)",
        Code.QUOTA_EXCEEDED,
        "The App Engine app of the project {project} has all the {what} that it may have: {said}.",
        "Delete some: `gcloud app {what} list --project {project}`, then `gcloud app {what} delete`.",
        details={"what": (r"(?:more than '?\d+'?|too many) (versions|services)",)},
    ),
    Rule(
        r"first service.{0,80}must be.{0,10}default",
        Code.NOT_READY_TO_DEPLOY,
        "The first service of an App Engine app must be `default`.",
        "Deploy the target that becomes `default` first: `kit deploy standard`.",
    ),
    Rule(
        r"does not contain an App Engine application|could not find application",
        Code.NOT_READY_TO_DEPLOY,
        "The project {project} has no App Engine app yet.",
        "Make one with --create-app REGION; its region is for ever.",
    ),
    Rule(
        r"stopped apps|app(?:lication)? is (?:disabled|stopped)",
        Code.NOT_READY_TO_DEPLOY,
        "The App Engine app of the project {project} is disabled, and takes no deployment.",
        f"Enable it: {_CONSOLE}/appengine/settings?project={{project}}",
    ),
)

_WORK: Final = (
    Rule(
        r"already in progress|operation in progress|\bABORTED\b|concurrent (?:policy )?changes|"
        r"conflict for resource",
        Code.CLOUD_BUSY,
        "Another operation is in progress in the project {project}.",
        "Try again when it has ended.",
        again="busy",
    ),
    Rule(
        r"\bRESOURCE_EXHAUSTED\b|quota.{0,60}exceed|exceed.{0,60}quota|too many requests|rate ?limit|"
        r"HTTPError 429|(?:code|status)\W{1,3}429",
        Code.QUOTA_EXCEEDED,
        "A quota of the project {project} is used up: {said}.",
        "Wait a minute if it is one per minute, or ask for more: "
        f"{_CONSOLE}/iam-admin/quotas?project={{project}}",
    ),
    Rule(
        r"denied on 'locations/|invalid region|not a valid (?:region|location)|"
        r"unsupported (?:region|location)|"
        r"(?:region|location) .{1,60}(?:is not supported|not found|does not exist|is invalid)",
        Code.BAD_CONFIG,
        "Google does not know the region for `{verb}`: {said}.",
        "`gcloud run regions list` and `gcloud app regions list` show the regions; name one with --region.",
    ),
)

_ACCESS: Final = (
    # One made a moment ago is not known everywhere at once.
    Rule(
        r"service account .{0,120}(?:does not exist|not found)|unknown service account",
        Code.BAD_CONFIG,
        "The service account {account} does not exist.",
        "`gcloud iam service-accounts list --project {project}` shows those that do.",
        again="transient",
        details={"account": (r"([\w.-]+@[\w.-]+\.gserviceaccount\.com)",)},
        otherwise=(
            "The service account that was named does not exist.",
            "`gcloud iam service-accounts list --project {project}` shows those that do.",
        ),
    ),
    Rule(
        r"required property \[project\]",
        Code.NO_PROJECT,
        "No project was named.",
        "Name one with --project.",
    ),
    Rule(
        r"property must be set to a valid project|projects? instance \[|invalid project|"
        r"project .{1,60}(?:not found|does not exist|has been deleted|is not active)|"
        r"USER_PROJECT_DENIED|resource in projects \[",
        Code.NO_PROJECT,
        "There is no project {project}, or this account may not use it.",
        "Look for its ID (not its name or number) with `gcloud projects list`, and name it with --project.",
    ),
    Rule(
        r"permission.{0,400}(?:take|wait) (?:a few|several|up to \w+) minutes|permission.{0,200}propagat",
        Code.PERMISSION_DENIED,
        "A permission for `{verb}` is missing in the project {project}: {said}.",
        f"A role given just now may take minutes to count; else ask for it: {_CONSOLE}/iam-admin/iam",
        again="transient",
    ),
    Rule(
        r"PERMISSION_DENIED|permission|forbidden|HTTPError 403|not authorized|IAM_",
        Code.PERMISSION_DENIED,
        "This account lacks {what} for `{verb}` in the project {project}.",
        f"Ask an owner of the project for it: {_CONSOLE}/iam-admin/iam?project={{project}}",
        details={
            "what": (
                r"permissions? \[?['\"`]?([a-z]+\.\w[\w.]*\w)",
                r"\b([a-z]+(?:\.[a-zA-Z]+){1,3}) (?:permission|access)\b",
                r"\b(roles/[\w.]+\w)",
            )
        },
        otherwise=(
            "This account may not do `{verb}` in the project {project}: {said}.",
            f"Ask an owner of the project for it: {_CONSOLE}/iam-admin/iam?project={{project}}",
        ),
    ),
)

_GOOGLE: Final = (
    Rule(
        r"\bUNAVAILABLE\b|service (?:is )?(?:currently |temporarily )?unavailable|\b503\b",
        Code.CLOUD_UNAVAILABLE,
        "Google answered `{verb}` with 503 (service unavailable).",
        _LATER,
        again="transient",
    ),
    Rule(
        r"\bALREADY_EXISTS\b|already exists|HTTPError 409|is the subject of a conflict",
        Code.GCLOUD_FAILED,
        "`{verb}` would make what is there already: {said}.",
        LOOK,
    ),
    Rule(
        r"\bINTERNAL\b|internal error|bad gateway|gateway time-?out|HTTPError 5\d\d|backend error",
        Code.CLOUD_UNAVAILABLE,
        "Google answered `{verb}` with an error of its own: {said}.",
        _LATER,
    ),
    Rule(
        r"gcloud crashed",
        Code.GCLOUD_FAILED,
        "`{verb}` crashed: {said}.",
        f"Try again. {UPDATE}",
        log=True,
    ),
)

RULES: Final = (*_BUILT, *_GAVE_UP, *_THIS_MACHINE, *_ACCOUNT, *_PROJECT, *_WORK, *_ACCESS, *_GOOGLE)
