# Settings: what matriq.env says, what is left to defaults, and messages.
# Sourced by the commands beside this folder.

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Who mails are from while they go to the inbox.
trial_sender='Registration <registration@example.ac.th>'

# die MESSAGE CURE ends with what is wrong and what to do.
die() {
	warn "$1"
	[ -z "${2:-}" ] || printf '  %s\n' "$2" >&2
	exit 1
}

# usage_error MESSAGE ends because of the command line.
usage_error() {
	printf '%s: %s; see deploy/%s --help\n' "${0##*/}" "$1" "${0##*/}" >&2
	exit 2
}

# confirm QUESTION WORD asks for WORD to be typed.
confirm() {
	local answer
	printf '%s\nType %s to go on: ' "$1" "$2" >&2
	read -r answer || answer=
	[ "$answer" = "$2" ] || die "nothing was done: that was not $2"
}

known_settings() { sed -nE 's/^#?([A-Z][A-Z0-9_]*)=.*/\1/p' "$here/matriq.env.example"; }

# load_settings exports what matriq.env says, unless the environment says it
# already, and then the defaults that the commands themselves need.
load_settings() {
	local file=${MATRIQ_ENV:-$here/matriq.env}
	if [ -e "$file" ]; then
		read_settings "$file"
	elif [ -n "${MATRIQ_ENV:-}" ]; then
		die "MATRIQ_ENV names $file, which is not there" "copy deploy/matriq.env.example to it"
	fi
	export STACK=${STACK:-matriq}
	export IMAGE_PREFIX=${IMAGE_PREFIX:-localhost/matriq}
	export VERSION=${VERSION:-$(source_version)}
	export EDGE_HTTP_PORT=${EDGE_HTTP_PORT:-80}
	export PUBLIC_ORIGIN=${PUBLIC_ORIGIN:-http://localhost$(port_suffix "$EDGE_HTTP_PORT" 80)}
	export EDGE_SITE=${EDGE_SITE:-$(site_of "$PUBLIC_ORIGIN")}
	[[ $STACK =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "STACK is \"$STACK\"" "write small letters, digits and -, such as matriq"
}

# read_settings FILE takes NAME=VALUE lines; nothing in them is expanded.
read_settings() {
	local line number=0 name value
	while IFS= read -r line || [ -n "$line" ]; do
		number=$((number + 1))
		line=${line%$'\r'}
		[[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
		[[ $line =~ ^([A-Z][A-Z0-9_]*)=(.*)$ ]] || die "$1, line $number, is not NAME=VALUE"
		name=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
		[[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]] && value=${BASH_REMATCH[1]}
		known_settings | grep -qx "$name" || die "$1, line $number: there is no setting $name" "deploy/matriq.env.example has them all"
		[ -n "${!name+set}" ] || export "$name=$value"
	done <"$1"
}

# port_suffix PORT USUAL is :PORT unless it is the usual one.
port_suffix() { [ "$1" = "$2" ] || printf ':%s' "$1"; }

# site_of ORIGIN is the name that the edge needs a certificate for, if any.
site_of() {
	[[ $1 =~ ^https://([^/:]+) ]] && printf '%s' "${BASH_REMATCH[1]}"
	true
}

# source_version is what deploy/build calls what is checked out here.
source_version() { git -C "$here" describe --tags --always --dirty 2>/dev/null || echo devel; }
