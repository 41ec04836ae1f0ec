#!/bin/bash
# The official image's health check, the two tests that stack.yml may ask for:
# --connect (the server listens, so it is past its initialization) and
# --innodb_initialized (recovery is over).
set -eo pipefail

query() {
	mariadb --defaults-extra-file=/var/lib/mysql/.my-healthcheck.cnf --protocol=socket --skip-column-names -B -e "$1"
}

[ $# -gt 0 ] || {
	echo "At least one argument required" >&2
	exit 1
}
for test; do
	case $test in
	--connect) answer=$(query 'select 1 - @@skip_networking') ;;
	--innodb_initialized) answer=$(query "select count(*) from information_schema.ENGINES where engine = 'innodb' and support in ('YES', 'DEFAULT', 'ENABLED')") ;;
	*) answer="no such test here" ;;
	esac
	[ "$answer" = 1 ] || {
		echo "healthcheck ${test#--} failed: $answer" >&2
		exit 1
	}
done
