-- +goose Up
CREATE TABLE IF NOT EXISTS students (
    id            BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email         VARCHAR(254) CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL COMMENT 'canonical, compared byte by byte',
    firstname     VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    lastname      VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    registered_at BIGINT       NOT NULL COMMENT 'all times: milliseconds since 1970 UTC',
    enrolled_at   BIGINT       NULL,
    emailed_at    BIGINT       NULL,
    UNIQUE KEY students_email (email)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS idempotency_keys (
    client_key      VARBINARY(512) NOT NULL PRIMARY KEY,
    request_hash    BINARY(32)     NOT NULL,
    student_id      BIGINT         NULL     COMMENT 'the answer; NULL: none yet',
    in_flight_until BIGINT         NOT NULL COMMENT 'until then the request counts as being worked on',
    expires_at      BIGINT         NOT NULL,
    KEY idempotency_keys_expiry (expires_at)
) ENGINE = InnoDB;
