-- +goose Up
INSERT INTO things (id, name, n) VALUES (1, 'a', 0), (2, 'b', 0);
