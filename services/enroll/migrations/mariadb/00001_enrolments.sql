-- +goose Up
CREATE TABLE IF NOT EXISTS enrolments (
    student_id  BIGINT       NOT NULL PRIMARY KEY,
    firstname   VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    lastname    VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    enrolled_at BIGINT       NOT NULL COMMENT 'milliseconds since 1970 UTC'
) ENGINE = InnoDB;
