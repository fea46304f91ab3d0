"""gcloud's failures and what they mean, by how gcloud and Google word them. Data; `faults.py` applies it.

A rule stands here only if it changes what the kit does (it tries again, asks to enable an API, forgets what
left nothing, stops looking) or adds a remedy that gcloud's own words lack. All else keeps gcloud's words.
The texts are gcloud's (googlecloudsdk 528: core/exceptions.py, core/credentials/exceptions.py,
api_lib/util/exceptions.py, command_lib/app/exceptions.py, api_lib/cloudbuild/build.py) or Google's answers as
gcloud passes them on.

The first rule that fits is taken. What is narrow stands before what is wide: a 403 may be an API that is off,
a closed billing account, a region that does not exist, or a permission that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kit.errors import Code
from kit.platforms.gcloud.retry import Again


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault.

    Attributes:
        pattern: in what gcloud said, in any case of letters.
        code: which of the closed list.
        hint: the remedy. It may name {verb} (`gcloud app deploy`), {project} and what `find` finds, {found}.
        again: whether trying again may help.
        message: one sentence, with the same names, where gcloud's own is not for people; else empty, and
            gcloud's own is given.
        find: a pattern in all that was printed, whose first group is {found}.
        otherwise: the remedy where nothing is found; then gcloud's own sentence stands for a message that
            would name it.
        log: whether the end of what was printed tells more.
    """

    pattern: str
    code: Code
    hint: str
    again: Again = "no"
    message: str = ""
    find: str = ""
    otherwise: str = ""
    log: bool = False


LOOK: Final = "`kit status --refresh` looks at what is there."
UPDATE: Final = "Update it: `gcloud components update`, or by the package manager that installed it."

_CONSOLE: Final = "https://console.cloud.google.com"
_LATER: Final = "Try again in a while; https://status.cloud.google.com tells of what lasts."
_NETWORK: Final = (
    "Look at this machine's network and proxy settings: `gcloud info --run-diagnostics` checks them."
)

RULES: Final = (
    # First, for the end of a build's log may be in the error, with whatever went wrong in there.
    Rule(
        r"build failed because.{0,80}(?:service account|permission)",
        Code.PERMISSION_DENIED,
        "Give the service account that builds images roles/run.builder: "
        "https://cloud.google.com/run/docs/configuring/services/build-service-account",
    ),
    Rule(
        r"failed to start and listen|failed to become healthy|container failed to start|"
        r"health ?check.{0,40}fail",
        Code.SERVICE_NOT_READY,
        "Its log: {found}",
        message="The new version was built, but it did not start or did not become healthy in time.",
        find=rf"({_CONSOLE}/logs[^\s\]\"'<>]*[\w/=%-])",
        otherwise="`kit logs` shows what it printed.",
        log=True,
    ),
    Rule(
        r"build failed|build timed out|build error|container build|cloud build.{0,40}fail|"
        r"cloud build \S+ status: |FAILED_BUILD",
        Code.BUILD_FAILED,
        "Its log: {found}",
        message="The build of the image failed.",
        find=rf"({_CONSOLE}/[^\s\]\"'<>]*build[^\s\]\"'<>]*[\w/=%-])",
        otherwise="Its log: `gcloud builds list --limit=1 --project={project}{region}` names the build, "
        "`gcloud builds log ID` shows it.",
        log=True,
    ),
    # gcloud tries a 5xx again by itself for some 30 s, and then takes the network for the culprit.
    Rule(
        r"HttpError accessing.{0,2000}?'status': '?503",
        Code.CLOUD_UNAVAILABLE,
        _LATER,
        again="transient",
        message="Google answered `{verb}` with 503 (service unavailable).",
    ),
    Rule(
        r"HttpError accessing.{0,2000}?'status': '?5\d\d",
        Code.CLOUD_UNAVAILABLE,
        _LATER,
        message="Google answered `{verb}` with an error of its own.",
    ),
    # This machine
    Rule(
        r"no space left on device|\[Errno 28\]|disk quota exceeded|\[Errno 122\]",
        Code.CANNOT_WRITE,
        "Free some; gcloud writes to its configuration folder and to the folder for temporary files.",
    ),
    # gcloud waits one second for its configuration (core/config.py); on a busy machine others keep it longer.
    Rule(
        r"database is locked",
        Code.GCLOUD_FAILED,
        "Try again when no other gcloud runs.",
        again="transient",
        message="Another gcloud kept the configuration locked that `{verb}` was to read.",
    ),
    Rule(
        r"certificate.verify.failed",
        Code.TLS_FAILED,
        "Behind a proxy that opens TLS, name its certificate: "
        "`gcloud config set core/custom_ca_certs_file FILE`.",
        message="gcloud does not trust the certificate that answered for Google.",
    ),
    # `gcloud run` puts the region into the name of the host that it asks.
    Rule(
        r"failed to resolve '[a-z0-9-]+-run\.",
        Code.BAD_CONFIG,
        "`gcloud run regions list` shows the regions; name one with --region.",
        message="Nothing answers for Cloud Run in the region {found}, so there is none, or this machine is "
        "offline.",
        find=r"failed to resolve '([a-z0-9-]+?)-run\.",
    ),
    Rule(
        r"connection reset|connection aborted|connection broken|broken pipe|RemoteDisconnected|"
        r"IncompleteRead|ResponseNotReady|BadStatusLine|remote end closed|EOF occurred",
        Code.CLOUD_UNAVAILABLE,
        _NETWORK,
        again="transient",
        message="The connection from `{verb}` to Google was cut.",
    ),
    Rule(
        r"failed to resolve|name or service not known|name resolution|nodename nor servname|getaddrinfo|"
        r"unable to find the server|connection refused|network is (?:unreachable|down)|no route to host|"
        r"cannot connect to proxy|tunnel connection failed|network connectivity issues|"
        r"connect(?:ion)? timed? ?out",
        Code.UNREACHABLE,
        _NETWORK,
        message="`{verb}` could not reach Google.",
    ),
    # The account. Its credentials may be good, and the service that makes tokens of them in trouble.
    Rule(
        r"refreshing .{0,120}auth tokens.{0,400}?(?:'(?:code|status)': '?5\d\d|UNAVAILABLE|internal_failure)",
        Code.CLOUD_UNAVAILABLE,
        _LATER,
        again="transient",
        message="Google's sign-in service answered `{verb}` with an error of its own.",
    ),
    Rule(
        r"no identity token can be obtained|invalid account type for .--audiences",
        Code.NOT_SIGNED_IN,
        "Sign in as a person or a service account, `gcloud auth login`: a bare access token makes none.",
    ),
    Rule(
        r"have an active account|credentialed account|could not automatically determine credentials",
        Code.NOT_SIGNED_IN,
        "Sign in: `gcloud auth login`.",
        message="gcloud is not signed in.",
    ),
    Rule(
        r"reauth|invalid_grant|invalid_rapt|refreshing (?:your current )?auth tokens|\bUNAUTHENTICATED\b|"
        r"invalid authentication credentials|expired or revoked|ACCESS_TOKEN_(?:EXPIRED|TYPE)|"
        r"have any valid credentials|HTTPError 401",
        Code.NOT_SIGNED_IN,
        "Sign in again: `gcloud auth login`. Where CLOUDSDK_AUTH_ACCESS_TOKEN is set, put a fresh one there.",
        message="Google does not accept gcloud's credentials, which have expired or were revoked.",
    ),
    # The project
    Rule(
        r"SERVICE_DISABLED|has not been used in project|accessNotConfigured|"
        r"API \[[\w.-]+\] (?:is )?not enabled|enable it by visiting|"
        r"API (?:has not been|is not|must be) enabled",
        Code.API_OFF,
        "Switch it on: `gcloud services enable {found} --project {project}`.",
        message="The API {found} is off in the project {project}.",
        find=r"\b([a-z][a-z0-9-]*\.googleapis\.com)",
        otherwise="Switch it on: `gcloud services enable API --project {project}`.",
    ),
    Rule(
        r"BILLING_DISABLED|UREQ_PROJECT_BILLING|requires billing|enable billing|"
        r"billing(?: account)?\b.{0,80}\b(?:disabled|closed|not open|not found|to be enabled|must be enabled|"
        r"not enabled|not been enabled|is off)",
        Code.BILLING_OFF,
        f"Link an account: {_CONSOLE}/billing/linkedaccount?project={{project}}",
    ),
    Rule(
        r"does not contain an App Engine application|could not find application",
        Code.NOT_READY_TO_DEPLOY,
        "Make one with --create-app REGION; its region is for ever.",
    ),
    # What stands in the way for a while
    Rule(
        r"already in progress|operation in progress|\bABORTED\b|concurrent (?:policy )?changes|"
        r"conflict for resource",
        Code.CLOUD_BUSY,
        "Try again when it has ended.",
        again="busy",
    ),
    Rule(
        r"more than '?\d+'? (?:versions|services)|too many (?:versions|services)",
        Code.QUOTA_EXCEEDED,
        "Delete some: `gcloud app {found} list --project {project}`, then `gcloud app {found} delete`.",
        find=r"(?:more than '?\d+'?|too many) (versions|services)",
        otherwise="Delete some that are not needed any more.",
    ),
    Rule(
        r"\bRESOURCE_EXHAUSTED\b|quota.{0,60}exceed|exceed.{0,60}quota|too many requests|rate ?limit|"
        r"HTTPError 429|(?:code|status)\W{1,3}429",
        Code.QUOTA_EXCEEDED,
        "Wait a minute if it is one per minute, or ask for more: "
        f"{_CONSOLE}/iam-admin/quotas?project={{project}}",
    ),
    # What is named and does not exist, or may not be used
    Rule(
        r"denied on 'locations/|invalid region|not a valid (?:region|location)|"
        r"unsupported (?:region|location)|"
        r"(?:region|location) .{1,60}(?:is not supported|not found|does not exist|is invalid)",
        Code.BAD_CONFIG,
        "`gcloud run regions list` and `gcloud app regions list` show the regions; name one with --region.",
    ),
    # One made a moment ago is not known everywhere at once.
    Rule(
        r"service account .{0,120}(?:does not exist|not found)|unknown service account",
        Code.BAD_CONFIG,
        "`gcloud iam service-accounts list --project {project}` shows those that do.",
        again="transient",
    ),
    Rule(
        r"property must be set to a valid project|projects? instance \[|invalid project|"
        r"project .{1,60}(?:not found|does not exist|has been deleted|is not active)|"
        r"USER_PROJECT_DENIED|resource in projects \[|required property \[project\]",
        Code.NO_PROJECT,
        "Look for its ID (not its name or number) with `gcloud projects list`, and name it with --project.",
    ),
    Rule(
        r"permission.{0,400}(?:take|wait) (?:a few|several|up to \w+) minutes|permission.{0,200}propagat",
        Code.PERMISSION_DENIED,
        f"A role given just now may take minutes to count; else ask for it: {_CONSOLE}/iam-admin/iam",
        again="transient",
    ),
    Rule(
        r"PERMISSION_DENIED|permission|forbidden|HTTPError 403|not authorized|IAM_",
        Code.PERMISSION_DENIED,
        f"Ask an owner of the project for it: {_CONSOLE}/iam-admin/iam?project={{project}}",
    ),
    # Google's own trouble
    Rule(
        r"\bUNAVAILABLE\b|service (?:is )?(?:currently |temporarily )?unavailable|\b503\b",
        Code.CLOUD_UNAVAILABLE,
        _LATER,
        again="transient",
        message="Google answered `{verb}` with 503 (service unavailable).",
    ),
    Rule(
        r"\bALREADY_EXISTS\b|already exists|HTTPError 409|is the subject of a conflict",
        Code.GCLOUD_FAILED,
        LOOK,
    ),
    Rule(
        r"\bINTERNAL\b|internal error|bad gateway|gateway time-?out|HTTPError 5\d\d|backend error",
        Code.CLOUD_UNAVAILABLE,
        _LATER,
    ),
)
