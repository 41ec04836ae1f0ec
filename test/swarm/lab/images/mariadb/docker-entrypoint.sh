#!/bin/bash
# Does what the official image's entrypoint does, as far as stack.yml goes:
# MARIADB_{ROOT_PASSWORD,DATABASE,USER,PASSWORD}, each or its *_FILE, and
# /docker-entrypoint-initdb.d on an empty data folder, before anybody can reach
# the server by network. A data folder that holds a database is served as it is.
set -eo pipefail
shopt -s nullglob

datadir=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

die() {
	echo "[Entrypoint] ERROR: $*" >&2
	exit 1
}

# file_env NAME [DEFAULT]: sets NAME from the file named by NAME_FILE.
file_env() {
	local file=$1_FILE
	[ -z "${!1:-}" ] || [ -z "${!file:-}" ] || die "both $1 and $file are set"
	if [ -n "${!file:-}" ]; then
		export "$1=$(<"${!file}")"
	else
		export "$1=${!1:-${2:-}}"
	fi
	unset "$file"
}

# docker_process_sql [OPTION…]: runs the SQL on stdin as root; files of
# /docker-entrypoint-initdb.d may use it.
docker_process_sql() {
	local password=$MARIADB_ROOT_PASSWORD
	if [ "${1:-}" = --dont-use-mysql-root-password ]; then
		password=
		shift
	fi
	MYSQL_PWD=$password mariadb --protocol=socket --socket="$socket" -uroot \
		${MARIADB_DATABASE:+--database="$MARIADB_DATABASE"} "$@"
}

docker_sql_escape_string_literal() {
	local s=${1//\\/\\\\}
	printf %s "${s//\'/\\\'}"
}

random() { od -An -v -tx1 -N16 /dev/urandom | tr -d ' \n'; }

read_settings() {
	file_env MARIADB_ROOT_HOST %
	file_env MARIADB_ROOT_PASSWORD
	file_env MARIADB_DATABASE
	file_env MARIADB_USER
	file_env MARIADB_PASSWORD
	if [ -n "${MARIADB_RANDOM_ROOT_PASSWORD:-}" ]; then
		MARIADB_ROOT_PASSWORD=$(random)
		echo "[Entrypoint] GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
	fi
	[ -n "$MARIADB_ROOT_PASSWORD" ] || [ -n "${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}" ] ||
		die "Database is uninitialized and password option is not specified"
}

start_without_network() {
	"$@" --skip-networking --socket="$socket" &
	server=$!
	for _ in {1..300}; do
		if docker_process_sql --dont-use-mysql-root-password --database=mysql <<<'SELECT 1' >/dev/null 2>&1; then
			return
		fi
		sleep 0.1
	done
	die "Unable to start server."
}

# The official image lets healthcheck.sh in by a user that may do nothing.
healthcheck_users() {
	local password
	password=$(random)
	for host in 127.0.0.1 ::1 localhost; do
		echo "CREATE USER healthcheck@'$host' IDENTIFIED BY '$password';"
	done
	(umask 077 && printf '[mariadb-client]\nuser=healthcheck\npassword=%s\nsocket=%s\nprotocol=tcp\n' \
		"$password" "$socket" >"$datadir/.my-healthcheck.cnf")
}

root_users() {
	local password
	password=$(docker_sql_escape_string_literal "$MARIADB_ROOT_PASSWORD")
	# Installed without a password for 127.0.0.1, ::1 and the container's name.
	echo "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost'); FLUSH PRIVILEGES;"
	if [ "$MARIADB_ROOT_HOST" != localhost ]; then
		echo "CREATE USER root@'$MARIADB_ROOT_HOST' IDENTIFIED BY '$password';"
		echo "GRANT ALL ON *.* TO root@'$MARIADB_ROOT_HOST' WITH GRANT OPTION;"
	fi
	echo "SET PASSWORD FOR root@localhost = PASSWORD('$password');"
}

own_schema() {
	[ -z "$MARIADB_DATABASE" ] || echo "CREATE DATABASE IF NOT EXISTS \`$MARIADB_DATABASE\`;"
	if [ -n "$MARIADB_USER" ] && [ -n "$MARIADB_PASSWORD" ]; then
		echo "CREATE USER '$MARIADB_USER'@'%' IDENTIFIED BY '$(docker_sql_escape_string_literal "$MARIADB_PASSWORD")';"
		[ -z "$MARIADB_DATABASE" ] || echo "GRANT ALL ON \`${MARIADB_DATABASE//_/\\_}\`.* TO '$MARIADB_USER'@'%';"
	fi
}

run_init_files() {
	local f
	for f in /docker-entrypoint-initdb.d/*; do
		echo "[Entrypoint] $f"
		case $f in
		*.sh)
			# shellcheck disable=SC1090 # whatever is mounted
			if [ -x "$f" ]; then "$f"; else . "$f"; fi
			;;
		*.sql) docker_process_sql <"$f" ;;
		*.sql.gz) gunzip -c "$f" | docker_process_sql ;;
		*) echo "[Entrypoint] ignoring $f" ;;
		esac
	done
}

initialize() {
	read_settings
	mariadb-install-db --datadir="$datadir" --rpm --auth-root-authentication-method=normal --skip-test-db >/dev/null
	start_without_network "$@"
	{
		echo "SET @@SESSION.SQL_LOG_BIN=0;"
		healthcheck_users
		own_schema
		root_users
	} | docker_process_sql --dont-use-mysql-root-password --database=mysql
	run_init_files
	kill "$server"
	wait "$server"
}

[[ ${1:-} != -* ]] || set -- mariadbd "$@"
if [ "$1" = mariadbd ] && [ "$(id -u)" = 0 ]; then
	find "$datadir" ! -user mysql -exec chown mysql: {} +
	find "${socket%/*}" -maxdepth 0 ! -user mysql -exec chown mysql: {} \;
	exec setpriv --reuid mysql --regid mysql --clear-groups "$0" "$@"
fi
if [ "$1" = mariadbd ] && [ ! -d "$datadir/mysql" ]; then
	initialize "$@"
	unset MARIADB_ROOT_PASSWORD MARIADB_PASSWORD
fi
exec "$@"
