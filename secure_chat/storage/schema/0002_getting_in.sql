-- One-time codes, devices, and whom people do not want to hear. Of codes and tokens only SHA-256 digests are kept.

CREATE TABLE code (
    digest BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL CHECK (purpose IN ('owner', 'invitation', 'reset', 'recovery')),
    made_by TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    uses_left INTEGER NOT NULL CHECK (uses_left BETWEEN 0 AND uses),
    -- For somebody of this name only; '' for anybody.
    name TEXT NOT NULL,
    -- Whose password it sets.
    account_id INTEGER REFERENCES account,
    -- A room to become a member of.
    room_id INTEGER REFERENCES room,
    revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    digest BLOB PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    address TEXT NOT NULL,
    UNIQUE (account_id, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE ignored (
    account_id INTEGER NOT NULL REFERENCES account,
    other_id INTEGER NOT NULL REFERENCES account,
    PRIMARY KEY (account_id, other_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE room_mute (
    room_id INTEGER NOT NULL REFERENCES room,
    account_id INTEGER NOT NULL REFERENCES account,
    until_us INTEGER NOT NULL,
    PRIMARY KEY (room_id, account_id)
) STRICT, WITHOUT ROWID;
