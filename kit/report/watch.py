"""`LaneKey` under its former address."""

from kit.events import LaneKey

__all__ = ["LaneKey"]
