# The two databases: where they run, and how one asks them. Sourced by backup and
# restore.

databases=(enroll student)

# require_databases ends unless both run on this node: docker reaches the
# containers of no other.
require_databases() {
	local database node
	[ -n "$(stack_services)" ] || die "the stack $STACK does not run" "deploy/up starts it"
	for database in "${databases[@]}"; do
		[ -z "$(container "$database-db")" ] || continue
		node=$(docker service ps --filter desired-state=running --format '{{.Node}}' "${STACK}_$database-db" | head -1)
		[ -n "$node" ] && [ "$node" != "$(docker info --format '{{.Name}}')" ] ||
			die "$database-db does not run" "docker service ps --no-trunc ${STACK}_$database-db tells why"
		die "$database-db runs on $node, and docker reaches no containers of other nodes" \
			"run it there; or from here: DOCKER_HOST=ssh://root@$node deploy/${0##*/} …"
	done
}

# container SERVICE is its container on this node, if one runs.
container() {
	docker ps --quiet --filter "label=com.docker.swarm.service.name=${STACK}_$1" | head -1
}

# as USER DATABASE COMMAND... runs a client in the database's container, where the
# password stays. What is piped in arrives there.
as() {
	local user=$1 id
	id=$(container "$2-db")
	[ -n "$id" ] || die "$2-db has stopped" "docker service ps --no-trunc ${STACK}_$2-db tells why"
	shift 2
	# shellcheck disable=SC2016 # expanded in the container
	docker exec --interactive "$id" sh -c \
		'MYSQL_PWD=$(cat "/run/secrets/$1") command=$2 user=$1; export MYSQL_PWD; shift 2; exec "$command" --no-defaults --user="$user" "$@"' sh "$user" "$@"
}

# sql DATABASE [QUERY] does a query, or what is piped in, as root; a row is a line
# with tabs.
sql() {
	if [ $# -gt 1 ]; then
		sql "$1" <<<"$2"
	else
		as root "$1" mariadb --batch --skip-column-names --default-character-set=utf8mb4
	fi
}

# tables SCHEMA lists its tables; DATABASE has it.
tables() {
	sql "$1" "SELECT table_name FROM information_schema.tables WHERE table_schema = '$2' ORDER BY table_name"
}

# count_rows DATABASE reads a dump with a row a line, has a line for each table,
# such as "rows student.students 12", and fails unless the dump is whole.
count_rows() {
	awk -v database="$1" '
		/^CREATE TABLE `/ {split($0, part, "`"); rows[part[2]] = 0}
		/^INSERT INTO `/ {split($0, part, "`"); rows[part[2]]++}
		{last = $0}
		END {
			for (table in rows) print "rows", database "." table, rows[table] | "sort"
			exit last !~ /^-- Dump completed/
		}
	'
}

# progress hands on what it reads, and tells at a terminal how much that is.
progress() {
	if [ -t 2 ]; then dd bs=1M iflag=fullblock status=progress; else cat; fi
}

# utc FORMAT SECONDS writes a time.
utc() { TZ=UTC date --date "@$2" "+$1"; }
