-- +goose Up
CREATE TABLE IF NOT EXISTS outbox (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cast_key    VARBINARY(512)  NOT NULL,
    target      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    body        MEDIUMBLOB      NOT NULL,
    travels     TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'what goes in the headers, as JSON',
    deadline_at BIGINT          NULL     COMMENT 'after this it is no longer sent',
    sends       INT             NOT NULL DEFAULT 0 COMMENT 'how often the broker has stored it',
    created_at  BIGINT          NOT NULL COMMENT 'all times: milliseconds since 1970 UTC',
    next_at     BIGINT          NULL     COMMENT 'when it is sent next; NULL: closed',
    closed_at   BIGINT          NULL,
    UNIQUE KEY outbox_cast (cast_key),
    KEY outbox_open (next_at, created_at),
    KEY outbox_closed (closed_at)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS inbox (
    message_key VARBINARY(512) NOT NULL PRIMARY KEY,
    result      MEDIUMBLOB     NOT NULL COMMENT 'JSON; what a repeat gets',
    done_at     BIGINT         NOT NULL COMMENT 'milliseconds since 1970 UTC',
    KEY inbox_done (done_at)
) ENGINE = InnoDB;
