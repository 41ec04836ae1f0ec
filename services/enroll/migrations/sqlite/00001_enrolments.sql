-- +goose Up
CREATE TABLE enrolments (
    student_id  INTEGER NOT NULL PRIMARY KEY,
    firstname   TEXT    NOT NULL,
    lastname    TEXT    NOT NULL,
    enrolled_at INTEGER NOT NULL
) STRICT;
