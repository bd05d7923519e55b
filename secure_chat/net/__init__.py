"""Sockets, TLS and lines: connections owned by worker threads. Knows nothing of the chat."""
