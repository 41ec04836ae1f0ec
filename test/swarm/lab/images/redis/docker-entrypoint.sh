#!/bin/sh
# Does what the official image's entrypoint does: options and *.conf alone mean
# redis-server, root becomes redis, and the data folder (never a mounted config)
# is given to it. Debian's server has the protected mode that the official one
# leaves off.
set -e

case ${1:-} in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
	find . ! -user redis -exec chown redis {} +
	exec setpriv --reuid redis --regid redis --clear-groups "$0" "$@"
fi

if [ "$1" = redis-server ]; then
	case "$*" in
	*--protected-mode*) ;;
	*) set -- "$@" --protected-mode no ;;
	esac
fi
[ "$(umask)" != 0022 ] || umask 0077
exec "$@"
