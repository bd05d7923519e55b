-- The index for searching: a message's words, made comparable, and the conversation it is in (`c` and its number),
-- so that who may read what is part of the search. It holds no text: `message` does.

CREATE VIRTUAL TABLE message_words USING fts5(
    place, words, content = '', contentless_delete = 1, prefix = '3', tokenize = "unicode61 remove_diacritics 0"
);
INSERT INTO message_words (message_words, rank) VALUES ('secure-delete', 1);
INSERT INTO message_words (rowid, place, words)
    SELECT id, 'c' || conversation_id, normalised(text) FROM message WHERE kind IN ('post', 'notice');
