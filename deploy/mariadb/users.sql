-- Run at every start: users, passwords and rights follow the secrets.
-- One statement a line. Users _a and _b are the same program: the password of one
-- is replaced while the other's is in use.
-- None of it goes into the binary log: passwords would stand there for a week.
SET SESSION sql_log_bin = 0;
CREATE DATABASE IF NOT EXISTS {{ env "DATABASE" }};
CREATE OR REPLACE USER '{{ env "DATABASE" }}_{{ slice (secret "database_older") 0 1 }}'@'%' IDENTIFIED BY '{{ slice (secret "database_older") 2 }}';
CREATE OR REPLACE USER '{{ env "DATABASE" }}_{{ slice (secret "database_newer") 0 1 }}'@'%' IDENTIFIED BY '{{ slice (secret "database_newer") 2 }}';
GRANT ALL ON {{ env "DATABASE" }}.* TO '{{ env "DATABASE" }}_a'@'%', '{{ env "DATABASE" }}_b'@'%';
-- The backup reads everything and changes nothing.
CREATE OR REPLACE USER 'backup'@'%' IDENTIFIED BY '{{ secret "backup" }}';
GRANT SELECT, LOCK TABLES, SHOW VIEW, EVENT, TRIGGER, PROCESS, RELOAD, BINLOG MONITOR ON *.* TO 'backup'@'%';
-- The health check may log in from inside, and nothing else.
CREATE OR REPLACE USER 'health'@'127.0.0.1' WITH MAX_USER_CONNECTIONS 3;
