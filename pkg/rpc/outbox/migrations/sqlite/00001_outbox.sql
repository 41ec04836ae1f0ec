-- +goose Up
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    cast_key    TEXT    NOT NULL UNIQUE,
    target      TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    travels     TEXT    NOT NULL,
    deadline_at INTEGER NULL,
    sends       INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    next_at     INTEGER NULL,
    closed_at   INTEGER NULL
) STRICT;
CREATE INDEX outbox_open ON outbox (next_at, created_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_closed ON outbox (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE inbox (
    message_key TEXT    NOT NULL PRIMARY KEY,
    result      BLOB    NOT NULL,
    done_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX inbox_done ON inbox (done_at);
