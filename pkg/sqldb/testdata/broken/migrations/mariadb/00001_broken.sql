-- +goose Up
CREATE TABLE things (oops;
