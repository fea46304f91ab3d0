"""A Kubernetes API on 127.0.0.1, for the real kubectl: a store, its rules, and what a cluster does by itself.

kubectl is real, the API server is this one: it knows a few kinds, refuses every field that is not in its own
table (`kinds.py`), and merges server-side applies more simply than Kubernetes does (`store.py`).
"""
