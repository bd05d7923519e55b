"""The rules and the state of the chat: who is in which room, who may do what. No I/O, no lock, no clock."""
