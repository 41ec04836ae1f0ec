#!/bin/sh
# Does what the official image's entrypoint does: root becomes rabbitmq, the
# data folder (never a mounted config) is given to it, and the settings that
# RabbitMQ no longer reads from the environment are refused.
set -e

if [ "$1" = rabbitmq-server ] && [ "$(id -u)" = 0 ]; then
	find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq {} +
fi
case $1 in
rabbitmq*)
	[ "$(id -u)" != 0 ] || exec setpriv --reuid rabbitmq --regid rabbitmq --clear-groups "$0" "$@"
	;;
esac

for name in RABBITMQ_DEFAULT_PASS_FILE RABBITMQ_DEFAULT_USER_FILE RABBITMQ_VM_MEMORY_HIGH_WATERMARK RABBITMQ_HIPE_COMPILE; do
	if printenv "$name" >/dev/null; then
		echo "error: $name is set but RabbitMQ does not read it; use a file in /etc/rabbitmq/conf.d" >&2
		exit 1
	fi
done
exec "$@"
