"""Storage behind the ports of `chat`: SQLite."""
