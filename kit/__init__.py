"""streamproof: does a streamed answer arrive as it is written, and if not, who holds it and what frees it?"""

__version__ = "0.1.0"
