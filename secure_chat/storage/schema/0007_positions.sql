-- Up to where each device of an account has received what was said: every message up to message_id that the device
-- was to get has reached it, or was passed over by a limit. Ids grow in the order of commits, so that one number
-- stands for all conversations. The device '' is the account as it was before there were positions; what a device
-- is called is told in chat/positions.py. The message itself may have been pruned since.
CREATE TABLE position (
    account_id INTEGER NOT NULL REFERENCES account,
    device TEXT NOT NULL,
    message_id INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    PRIMARY KEY (account_id, device)
) STRICT, WITHOUT ROWID;
INSERT INTO position SELECT a.id, '', coalesce(
    (SELECT min(m.id) - 1 FROM message AS m WHERE m.recipient_id = a.id AND m.id > a.delivered_id),
    (SELECT max(m.id) FROM message AS m), 0), 0 FROM account AS a;
ALTER TABLE account DROP COLUMN delivered_id;

-- From which device a message was sent, so that it is not given back to it. NULL: not known.
ALTER TABLE message ADD COLUMN sender_device TEXT;

-- For finding the conversations of an account.
CREATE INDEX membership_of ON membership (account_id);
CREATE INDEX conversation_high ON conversation (high_id);
