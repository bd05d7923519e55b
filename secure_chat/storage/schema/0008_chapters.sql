-- The index for searching anew, in chapters (storage/chapters.py): each word, and each place, begins with its chapter's
-- number, six digits. The words are cut by the program; the index takes them as they are. Messages up to indexed_id
-- are in it; those beyond are few, and a search reads them.
ALTER TABLE tick ADD COLUMN indexed_id INTEGER NOT NULL DEFAULT 0;
DROP TABLE message_words;
CREATE VIRTUAL TABLE message_words USING fts5(
    place, words, content = '', contentless_delete = 1, prefix = '9', tokenize = 'ascii'
);
-- Pieces of the index are joined by the program, a little each time.
INSERT INTO message_words (message_words, rank) VALUES ('automerge', 0);
INSERT INTO message_words (rowid, place, words)
    SELECT id, indexed_place(id, conversation_id), indexed_words(id, text) FROM message
    WHERE kind IN ('post', 'notice');
UPDATE tick SET indexed_id = (SELECT coalesce(max(id), 0) FROM message);
