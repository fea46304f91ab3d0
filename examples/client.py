"""The smallest client that shows an answer grow: requests, `stream=True`, `iter_lines()`.

    pip install requests        # in an environment that uv made: uv pip install requests
    python examples/client.py https://SERVICE "Why is the sky blue?"

The service writes a line a sentence. Where the platform streams, they are printed one by one; where it
holds the response, all at once at the end. For a private service:

    export TOKEN=$(gcloud auth print-identity-token)
"""

from __future__ import annotations

import os
import sys

import requests


def ask(url: str, prompt: str) -> None:
    """Print the answer's lines as they arrive.

    Raises:
        requests.RequestException: the service cannot be reached, refuses, or breaks off.
    """
    headers = {"Accept": "text/plain"}
    if token := os.environ.get("TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    # In the query, as a first attempt has it; the platform's request log keeps queries, so a
    # confidential prompt belongs in the body: json={"ai_prompt": prompt}.
    with requests.post(
        f"{url.rstrip('/')}/search",
        params={"ai_prompt": prompt},
        headers=headers,
        stream=True,
        timeout=(10, 60),
    ) as response:
        response.raise_for_status()
        response.encoding = "utf-8"
        for line in response.iter_lines(decode_unicode=True):
            print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/client.py URL PROMPT")
    try:
        ask(sys.argv[1], sys.argv[2])
    except requests.RequestException as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # the reader of what is printed has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
