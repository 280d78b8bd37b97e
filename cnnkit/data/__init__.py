"""Images as people keep them: arrays in memory and in files."""

from cnnkit.data.lazy import LazyArray

__all__ = ["LazyArray"]
