"""Networks: graphs bound to arrays."""

from cnnkit.network.network import Network

__all__ = ["Network"]
