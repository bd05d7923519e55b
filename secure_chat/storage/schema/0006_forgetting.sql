-- Forgetting: messages that are too old (pruned), and those of somebody whose messages are erased.
--
-- What legitimately is not there: a conversation's messages are exactly those from first_sequence to
-- next_sequence - 1, without a hole. Pruned ones are gone as rows, always the oldest of a conversation: first_sequence
-- says from where on there are rows, and is next_sequence where none is left. Erased ones stay as rows of the kind
-- 'erased', without words: they keep order, msgid and time, and are shown nowhere. The row with the largest
-- message.id is never deleted, only erased, so that ids and times go on from there.
ALTER TABLE conversation ADD COLUMN first_sequence INTEGER NOT NULL DEFAULT 1;

-- Set while what the account said is being erased: the message.id to look at next; the largest possible number once
-- all are erased and only the index and the files still hold something.
ALTER TABLE account ADD COLUMN erasing_from INTEGER;
CREATE INDEX account_erasing ON account (erasing_from) WHERE erasing_from IS NOT NULL;

-- A row of `setting` with the key 'forgetting' says what still holds something of messages that are gone: 'index' or
-- 'merging', message_words has their words, which a search no longer finds; 'files', only the WAL. No such row: nothing.

-- The id of a post outlives its message by 30 days: then message_id is NULL, and what its echo needs is here.
CREATE TABLE new_post_id (
    account_id INTEGER NOT NULL REFERENCES account,
    id TEXT NOT NULL,
    digest BLOB NOT NULL,
    message_id INTEGER REFERENCES message,
    msgid TEXT,
    time_us INTEGER,
    gone_us INTEGER,
    PRIMARY KEY (account_id, id),
    CHECK ((message_id IS NULL) = (msgid IS NOT NULL)),
    CHECK ((message_id IS NULL) = (time_us IS NOT NULL)),
    CHECK ((message_id IS NULL) = (gone_us IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO new_post_id (account_id, id, digest, message_id) SELECT account_id, id, digest, message_id FROM post_id;
DROP TABLE post_id;
ALTER TABLE new_post_id RENAME TO post_id;
CREATE INDEX post_id_message ON post_id (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX post_id_gone ON post_id (gone_us) WHERE gone_us IS NOT NULL;
