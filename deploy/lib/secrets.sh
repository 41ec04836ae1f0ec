# Secrets: Swarm keeps them, encrypted, and gives them to no one but the tasks
# that name them. Sourced by the commands beside this folder.
#
# A secret in Swarm never changes. What we call a secret, such as rabbitmq, is
# whatever carries the label matriq.secret=rabbitmq, and the newest counts.
#
# Of a rotating secret two count, so that all replicas accept a new one before
# the first of them uses it:
#
#   first    the newest, or the one that deploy/rotate holds while the newest is
#            spread: the one to use
#   second   the newest of the others: accepted as well

# Keys are kid:base64. The first makes, both read.
keys=(otp_pepper otp_seal_key otp_proof_key)
# Logins are a:password or b:password in turn, since a program's two logins must
# have two names.
logins=(api rabbitmq student_db enroll_db session_redis otp_redis mail_redis)
# Passwords are drawn once.
passwords=(import_password student_db_root student_db_backup enroll_db_root enroll_db_backup)
# What the operator gives.
given=(smtp_url smtp_ca api_clients edge_cert edge_key)

rotating() { [[ " ${keys[*]} ${logins[*]} " == *" $1 "* ]]; }

random_hex() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; }
random_key() { printf '%s:%s' "$(random_hex 4)" "$(head -c 32 /dev/urandom | base64 -w0)"; }
random_login() { printf '%s:%s' "$1" "$(random_hex 24)"; }

# read_secrets learns what is in the swarm. secret_list has a line for each,
# newest first: time of creation, label, slot, name in the swarm. hold_list has
# one for each that is held: name of the config, name of the secret.
read_secrets() {
	local ids
	secret_list='' hold_list=''
	ids=$(docker secret ls --quiet --filter "label=matriq.stack=$STACK")
	# shellcheck disable=SC2086 # many ids
	[ -z "$ids" ] || secret_list=$(docker secret inspect --format \
		'{{.CreatedAt.UnixNano}} {{index .Spec.Labels "matriq.secret"}} {{or (index .Spec.Labels "matriq.slot") "-"}} {{.Spec.Name}}' $ids | sort -rn)
	ids=$(docker config ls --quiet --filter "label=matriq.stack=$STACK")
	# shellcheck disable=SC2086 # many ids
	[ -z "$ids" ] || hold_list=$(docker config inspect --format '{{.Spec.Name}} {{index .Spec.Labels "matriq.hold"}}' $ids)
}

# newest NAME [OTHER THAN] is the name in the swarm of the newest secret NAME.
newest() { awk -v n="$1" -v not="${2:-}" '$2 == n && $4 != not {print $4; exit}' <<<"$secret_list"; }

slot_of() { awk -v n="$1" '$4 == n {print $3}' <<<"$secret_list"; }
created() { awk -v n="$1" '$4 == n {print $1}' <<<"$secret_list"; }

# store_secret NAME [SLOT] keeps what it reads as the newest secret NAME; who goes
# on calls read_secrets. The hash in its name is salted: a name must not help to
# guess what it hides.
store_secret() {
	local value name labels=(--label "matriq.stack=$STACK" --label "matriq.secret=$1")
	[ -z "${2:-}" ] || labels+=(--label "matriq.slot=$2")
	value=$(cat; printf .)
	value=${value%.}
	name=${STACK}_$1_$({ head -c 16 /dev/urandom; printf '%s' "$value"; } | sha256sum | cut -c1-8)
	printf '%s' "$value" | docker secret create "${labels[@]}" "$name" - >/dev/null
}

# make_missing_secrets draws what is not there yet.
make_missing_secrets() {
	local name
	for name in "${keys[@]}" "${logins[@]}"; do
		if [ -z "$(first "$name")" ]; then
			draw "$name" a
			draw "$name" b
		elif [ -z "$(second "$name")" ]; then
			draw "$name"
		fi
	done
	for name in "${passwords[@]}"; do
		[ -n "$(newest "$name")" ] || random_hex 24 | store_secret "$name"
	done
	[ -n "$(newest api_clients)" ] || echo | store_secret api_clients
	[ -n "$(newest inbox_url)" ] || printf 'smtp://inbox:1025?tls=none' | store_secret inbox_url
	read_secrets
	[ -n "${INBOX:-}" ] || [ -n "$(newest smtp_url)" ] || die "no mail relay is known" \
		"echo 'smtp://USER:PASSWORD@HOST:587' | deploy/secret smtp_url, or deploy/up --inbox for a trial without one"
}

# draw NAME [SLOT] makes one more key or login; who goes on calls read_secrets. A
# login takes the slot that the first one leaves free.
draw() {
	local slot=${2:-a}
	if [[ " ${keys[*]} " == *" $1 "* ]]; then
		random_key | store_secret "$1"
	else
		[ -n "${2:-}" ] || [ "$(slot_of "$(first "$1")")" != a ] || slot=b
		random_login "$slot" | store_secret "$1" "$slot"
	fi
}

# first NAME, second NAME: see above.
first() {
	local held
	held=$(held "$1")
	printf '%s' "${held:-$(newest "$1")}"
}
second() { newest "$1" "$(first "$1")"; }

# held NAME is the secret that deploy/rotate holds first: it says so by a config
# with a label, because Swarm keeps configs, and commands come and go.
held() { awk -v n="${STACK}_hold_$1" '$1 == n {print $2}' <<<"$hold_list"; }

# hold NAME keeps the present first secret in first place until release NAME.
hold() {
	printf 'deploy/rotate %s is under way' "$1" |
		docker config create --label "matriq.stack=$STACK" --label "matriq.hold=$(first "$1")" "${STACK}_hold_$1" - >/dev/null
	read_secrets
}
release() {
	docker config rm "${STACK}_hold_$1" >/dev/null
	read_secrets
}

# export_secrets sets the variables SECRET_… of stack.yml.
export_secrets() {
	local name one two
	for name in "${keys[@]}" "${logins[@]}"; do
		one=$(first "$name") two=$(second "$name")
		export "SECRET_${name^^}_FIRST=$one" "SECRET_${name^^}_SECOND=$two"
		if [ "$(created "$one")" -gt "$(created "$two")" ]; then
			export "SECRET_${name^^}_OLDER=$two" "SECRET_${name^^}_NEWER=$one"
		else
			export "SECRET_${name^^}_OLDER=$one" "SECRET_${name^^}_NEWER=$two"
		fi
	done
	for name in "${passwords[@]}" "${given[@]}"; do
		export "SECRET_${name^^}=$(newest "$name")"
	done
	[ -z "${INBOX:-}" ] || export SECRET_SMTP_URL="$(newest inbox_url)"
}

# forget_old_secrets removes what no service has now or would have after a
# rollback. Swarm itself refuses to remove what is in use.
forget_old_secrets() {
	local name kept used
	used=$(secrets_in_use)
	while read -r _ name _ kept; do
		[ -n "$kept" ] || continue
		[ "$kept" != "$(first "$name")" ] && [ "$kept" != "$(second "$name")" ] || continue
		grep -qx "$kept" <<<"$used" || docker secret rm "$kept" >/dev/null 2>&1 || true
	done <<<"$secret_list"
}
