-- The index for searching anew, in volumes (storage/volumes.py): tables message_words_1, message_words_2 and so on, each
-- with the words of a range of messages. What was in the index is put into them by the program, after this script.
DROP TABLE message_words;
UPDATE tick SET indexed_id = 0;

CREATE TABLE index_table (
    -- The table is message_words_NUMBER.
    number INTEGER PRIMARY KEY CHECK (number > 0),
    volume INTEGER NOT NULL CHECK (volume >= 0),
    -- 'used': a search looks there. 'made': a table for the same volume that will be used in its place. 'old': a table
    -- that is taken apart.
    state TEXT NOT NULL CHECK (state IN ('used', 'made', 'old')),
    -- Whether it has words of messages that are gone.
    stale INTEGER NOT NULL DEFAULT 0,
    -- Of one that is made: the volume's messages before this one are in it.
    made_to INTEGER,
    CHECK ((state = 'made') = (made_to IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX index_table_of ON index_table (volume, state) WHERE state <> 'old';

-- The setting 'forgetting' is there while something of messages that are gone may be in the files; in the tables of the
-- index it is where they are stale or old.
UPDATE setting SET value = 'files' WHERE key = 'forgetting';
