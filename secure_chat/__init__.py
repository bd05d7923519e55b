"""Secure Chat: a chat that a small group owns."""
