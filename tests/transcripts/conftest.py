"""Fixtures of the transcripts' tests: a server, certificates, and no waiting, as for the client."""

from client.conftest import certificates, mails, naps, server, to_server

__all__ = ["certificates", "mails", "naps", "server", "to_server"]
