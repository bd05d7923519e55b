"""The server: the only place where rules, network and storage are wired together."""
