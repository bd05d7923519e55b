-- Finding a conversation's messages by time, and how far people have read (ms since 1970 UTC).

CREATE INDEX message_at ON message (conversation_id, time_us);

CREATE TABLE read_marker (
    account_id INTEGER NOT NULL REFERENCES account,
    conversation_id INTEGER NOT NULL REFERENCES conversation,
    time_ms INTEGER NOT NULL,
    PRIMARY KEY (account_id, conversation_id)
) STRICT, WITHOUT ROWID;
