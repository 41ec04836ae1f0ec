-- +goose Up
CREATE TABLE students (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT    NOT NULL UNIQUE,
    firstname     TEXT    NOT NULL,
    lastname      TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    enrolled_at   INTEGER NULL,
    emailed_at    INTEGER NULL
) STRICT;

CREATE TABLE idempotency_keys (
    client_key      TEXT    NOT NULL PRIMARY KEY,
    request_hash    BLOB    NOT NULL,
    student_id      INTEGER NULL,
    in_flight_until INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
