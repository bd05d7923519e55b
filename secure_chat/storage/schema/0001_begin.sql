-- Times are µs since 1970 UTC. Ids of accounts and rooms are random, so that no single writer hands them out.

CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    administrator INTEGER NOT NULL DEFAULT 0 CHECK (administrator IN (0, 1)),
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),
    epoch INTEGER NOT NULL DEFAULT 0,
    muted_until_us INTEGER NOT NULL DEFAULT 0,
    created_us INTEGER NOT NULL,
    -- The last private message (message.id) that need not be given again.
    delivered_id INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE login (
    account_id INTEGER NOT NULL REFERENCES account,
    address TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    PRIMARY KEY (account_id, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE room (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    folded TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL,
    founder_id INTEGER REFERENCES account,
    topic TEXT,
    topic_by TEXT,
    topic_us INTEGER,
    flags TEXT NOT NULL,
    key TEXT,
    member_limit INTEGER
) STRICT;

-- A conversation is a room's, or that of two accounts (low_id <= high_id).
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    room_id INTEGER UNIQUE REFERENCES room,
    low_id INTEGER REFERENCES account,
    high_id INTEGER REFERENCES account,
    next_sequence INTEGER NOT NULL DEFAULT 1,
    UNIQUE (low_id, high_id),
    CHECK ((room_id IS NULL) = (low_id IS NOT NULL AND high_id IS NOT NULL AND low_id <= high_id))
) STRICT;

-- One row for each stretch of membership: what was said from from_sequence until until_sequence may be read.
CREATE TABLE membership (
    room_id INTEGER NOT NULL REFERENCES room,
    account_id INTEGER NOT NULL REFERENCES account,
    from_sequence INTEGER NOT NULL,
    until_sequence INTEGER,
    role INTEGER NOT NULL,
    PRIMARY KEY (room_id, account_id, from_sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX membership_now ON membership (account_id, room_id) WHERE until_sequence IS NULL;

CREATE TABLE ban (
    room_id INTEGER NOT NULL REFERENCES room,
    mask TEXT NOT NULL,
    banned_by TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    PRIMARY KEY (room_id, mask)
) STRICT, WITHOUT ROWID;

CREATE TABLE room_invitation (
    room_id INTEGER NOT NULL REFERENCES room,
    account_id INTEGER NOT NULL REFERENCES account,
    PRIMARY KEY (room_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL REFERENCES conversation,
    sequence INTEGER NOT NULL,
    msgid TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    sender_id INTEGER NOT NULL REFERENCES account,
    sender_user TEXT NOT NULL,
    -- Of a private message: to whom. Of a kick: who.
    recipient_id INTEGER REFERENCES account,
    subject_id INTEGER REFERENCES account,
    text TEXT NOT NULL,
    tags TEXT,
    time_us INTEGER NOT NULL,
    UNIQUE (conversation_id, sequence)
) STRICT;
CREATE INDEX message_to ON message (recipient_id, id) WHERE recipient_id IS NOT NULL;

CREATE TABLE post_id (
    account_id INTEGER NOT NULL REFERENCES account,
    id TEXT NOT NULL,
    digest BLOB NOT NULL,
    message_id INTEGER NOT NULL REFERENCES message,
    PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- One row: a mark written in every transaction, so that after a failed commit one can tell whether it is there.
CREATE TABLE tick (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    mark INTEGER NOT NULL
) STRICT;
INSERT INTO tick VALUES (1, 0);
