"""The environment in which gcloud meets the loopback Google, and nothing else."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

from kit.rehearsal.plane import Plane

_HTTP = 80
_OFF = (
    "CLOUDSDK_CORE_DISABLE_PROMPTS",
    "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING",
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK",
    "CLOUDSDK_SURVEY_DISABLE_PROMPTS",
)


def environment(plane: Plane, folder: Path) -> dict[str, str]:
    """What to add to a process's environment: signed in with an access token, which gets no identity tokens.

    Args:
        plane: the loopback Google.
        folder: a folder of the test's own, for gcloud's configuration and HOME.
    """
    home, config = folder / "home", folder / "gcloud"
    for path in (home, config):
        path.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{plane.port}"
    return {
        "HOME": str(home),
        "CLOUDSDK_CONFIG": str(config),
        "CLOUDSDK_AUTH_ACCESS_TOKEN": sorted(plane.project.access)[0],
        "CLOUDSDK_CORE_PROJECT": plane.project.id,
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(plane.ca_file),
        "CLOUDSDK_PROXY_TYPE": "http",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": str(plane.port),
        # A tripwire for whatever goes around gcloud's own transport.
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), url),
        "TERM": "dumb",
        **dict.fromkeys(_OFF, "1"),
    }


def clusters_need(plane: Plane, path: str) -> str | None:
    """What a cluster of this Google's needs and this machine lacks, with a remedy; None for nothing.

    Args:
        plane: the loopback Google.
        path: where programs are looked for, as in PATH.
    """
    for program in ("kubectl", "gke-gcloud-auth-plugin"):
        if shutil.which(program, path=path) is None:
            return f"{program} is not on the PATH. → gcloud components install {program}"
    try:
        socket.create_server((plane.gateway_host, _HTTP)).close()
    except OSError as error:
        return (
            f"its Gateway answers at port {_HTTP} of {plane.gateway_host}, which cannot be used: "
            f"{error.strerror}. → Rehearse as root, or: sysctl net.ipv4.ip_unprivileged_port_start={_HTTP}"
        )
    return None


def service_account_environment(plane: Plane, folder: Path) -> dict[str, str]:
    """The same, signed in with a throw-away service-account key: identity tokens can be had."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = environment(plane, folder)
    del made["CLOUDSDK_AUTH_ACCESS_TOKEN"]
    # gcloud checks the key anew for each client that it makes, twice for each file that it uploads: with 2048
    # bits that is most of what an upload computes.
    private = rsa.generate_private_key(65537, 1024).private_bytes(  # guards nothing
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "project_id": plane.project.id,
        "private_key_id": "0" * 40,
        "private_key": private.decode(),
        "client_email": f"tests@{plane.project.id}.iam.gserviceaccount.com",
        "client_id": "100000000000000000001",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    file = folder / "key.json"
    file.write_text(json.dumps(key))
    file.chmod(0o600)
    return {**made, "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(file)}
