"""Fixtures of the check-up's tests: certificates, and no waiting, as for the client."""

from client.conftest import certificates, naps

__all__ = ["certificates", "naps"]
