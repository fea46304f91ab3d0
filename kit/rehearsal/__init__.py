"""A Google on 127.0.0.1, for the real gcloud: three APIs' state, uploads that run, and no account.

It must not import the kit's own cloud code (`kit.platforms`, `kit.cloud`): what shares the parsers of the kit
would agree with its mistakes. What the APIs take and give is held against the installed Cloud SDK (`sdk.py`).
"""
