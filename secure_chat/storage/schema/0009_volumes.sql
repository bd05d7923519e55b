-- The index for searching anew, in volumes (storage/volumes.py): tables message_words_0, message_words_1 and so on, each
-- with the words of a range of messages, and made when the first of them is put into it. What was in the index is put
-- into them by the program, after this script.
DROP TABLE message_words;
UPDATE tick SET indexed_id = 0;
CREATE TABLE index_volume (
    number INTEGER PRIMARY KEY CHECK (number >= 0),
    -- Messages that are gone, and whose words this volume still holds, though no search finds them.
    gone INTEGER NOT NULL DEFAULT 0,
    -- How many of those go with the merge that is under way; 0: none is.
    merging INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The setting 'forgetting' is there while something of messages that are gone may be in the files; what the index holds
-- is told above.
UPDATE setting SET value = 'files' WHERE key = 'forgetting';
