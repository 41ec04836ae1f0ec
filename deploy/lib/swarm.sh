# The swarm: what must hold before a deployment, the deployment, and the wait for
# its end. Sourced by the commands beside this folder.

# require_docker ends unless the engine is new enough.
require_docker() {
	local api
	api=$(docker version --format '{{.Server.APIVersion}}' 2>/dev/null) ||
		die "docker does not answer" "install it (Debian: apt-get install docker.io), start it, and run this as root or in the group docker"
	[ "$(printf '%s\n1.41\n' "$api" | sort -V | head -1)" = 1.41 ] ||
		die "docker speaks API $api, and 1.41 is needed" "install Docker 20.10 or later"
}

# require_manager ends unless this node is a manager of a swarm.
require_manager() {
	local state
	state=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')
	case $state in
	"active true") ;;
	"active false") die "this node is a worker" "run it on a manager; a manager lists them with: docker node ls" ;;
	*) die "this docker is in no swarm" "run: docker swarm init (or deploy/up --init; with several network cards: docker swarm init --advertise-addr ADDRESS)" ;;
	esac
}

# require_data_node ends unless exactly one node holds the data; if there is none
# it takes this one.
require_data_node() {
	local nodes
	nodes=$(docker node ls --quiet | xargs docker node inspect --format '{{.ID}} {{index .Spec.Labels "matriq.data"}}' | awk '$2 == "true"' | wc -l)
	case $nodes in
	1) ;;
	0)
		docker node update --label-add matriq.data=true "$(docker info --format "{{.Swarm.NodeID}}")" >/dev/null
		say "This node holds the data from now on (label matriq.data=true)."
		;;
	*) die "$nodes nodes have the label matriq.data=true" "the volumes are on one of them: docker node update --label-rm matriq.data NODE for the others" ;;
	esac
}

node_count() { docker node ls --quiet | wc -l; }

# ── Images ──────────────────────────────────────────────────────────────────

programs=(edge ui otp-gateway register-gateway otp email student enroll matriq)

# image_variable PROGRAM is its variable in stack.yml.
image_variable() {
	local name=IMAGE_${1^^}
	printf '%s' "${name//-/_}"
}

# export_images sets the variables IMAGE_… of stack.yml to VERSION.
export_images() {
	local program
	for program in "${programs[@]}"; do
		export "$(image_variable "$program")=$IMAGE_PREFIX/$program:$VERSION"
	done
}

# missing_images names the programs whose image is not on this node.
missing_images() {
	local program
	for program in "${programs[@]}"; do
		docker image inspect "$IMAGE_PREFIX/$program:$VERSION" >/dev/null 2>&1 || printf '%s\n' "$program"
	done
}

# keep_running exports what the stack runs now instead: its images, each service's
# own, and the inbox if there is one. So a new key brings no new program.
keep_running() {
	local service image
	export_images
	while read -r service image; do
		service=${service#"${STACK}_"} image=${image%@*}
		case $service in
		email-otp) service=email ;;
		inbox) service=matriq INBOX=true ;;
		esac
		[[ " ${programs[*]} " != *" $service "* ]] || export "$(image_variable "$service")=$image"
	done < <(docker service ls --filter "label=com.docker.stack.namespace=$STACK" --format '{{.Name}} {{.Image}}')
	[ -z "${INBOX:-}" ] || export INBOX MAIL_FROM="${MAIL_FROM:-$trial_sender}"
}

# ── Deployment ──────────────────────────────────────────────────────────────

# config_files names the files of the configs in stack.yml and their variables.
config_files() {
	sed -nE 's/^  [a-z_]+: \{file: ([^,]+),.*\$\{(CONFIG_[A-Z_]+)\}.*/\1 \2/p' "$here/stack.yml"
}

# export_configs sets the variables CONFIG_… of stack.yml.
export_configs() {
	local file variable
	while read -r file variable; do
		export "$variable=$(sha256sum "$here/$file" | cut -c1-8)"
	done < <(config_files)
}

# scaled services keep the number of replicas they have, unless a setting says
# another: what docker service scale did must survive the next deployment.
scaled=(ui otp-gateway register-gateway otp email-otp email-confirm student enroll)

export_replicas() {
	local service variable now
	for service in "${scaled[@]}"; do
		variable=${service^^}
		variable=${variable//-/_}_REPLICAS
		[ -z "${!variable:-}" ] || continue
		now=$(docker service inspect --format '{{.Spec.Mode.Replicated.Replicas}}' "${STACK}_$service" 2>/dev/null) || now=2
		export "$variable=$now"
	done
}

stack_services() { docker service ls --quiet --filter "label=com.docker.stack.namespace=$STACK"; }
stack_networks() { docker network ls --quiet --filter "label=com.docker.stack.namespace=$STACK"; }

# await_removal waits until the networks of a stack that was removed are gone: a
# new one would find them, and lose them a moment later. What a service of another
# stack is attached to stays, and is used again. It fails if an engine still shows
# one that the swarm does not have any more; that one is in lost.
await_removal() {
	local deadline=$((SECONDS + 60)) id said going
	[ -z "$(stack_services)" ] || return 0
	while :; do
		going='' lost=''
		for id in $(stack_networks); do
			said=$(docker network rm "$id" 2>&1) || case $said in
			*"in use by service"*) ;;
			*"not found"*) going=yes lost=$(docker network ls --filter "id=$id" --format '{{.Name}}') ;;
			*) going=yes ;;
			esac
		done
		[ -n "$going" ] || return 0
		[ $SECONDS -lt $deadline ] || return 1
		sleep 1
	done
}

# deploy_stack deploys and waits; it ends the command when the stack did not get
# where it should.
deploy_stack() {
	local files=(--compose-file "$here/stack.yml") flags=(--prune)
	export_secrets
	[ -z "${INBOX:-}" ] || files+=(--compose-file "$here/inbox.yml")
	if [ -n "$SECRET_EDGE_CERT" ] && [ -n "$SECRET_EDGE_KEY" ]; then
		files+=(--compose-file "$here/tls.yml")
		export EDGE_TLS=${EDGE_TLS:-/run/secrets/edge_cert /run/secrets/edge_key}
	fi
	[ -z "$SECRET_SMTP_CA" ] || files+=(--compose-file "$here/relay-ca.yml")
	if [ "$(node_count)" = 1 ]; then
		flags+=(--resolve-image never)
	else
		# The tags of others are looked up when they change here, not when they move there.
		flags+=(--resolve-image changed --with-registry-auth)
	fi
	export_configs
	export_replicas
	await_removal || die "the network ${lost:-of an earlier deployment} does not go away" \
		"see docker network ls and docker ps; what the swarm has forgotten (not found), this docker forgets when it is restarted"
	remember_specs
	docker stack deploy "${flags[@]}" "${files[@]}" "$STACK" >/dev/null
	await_stack
}

# remember_specs notes what each service runs before a deployment, and which of
# its tasks ended badly long ago.
remember_specs() {
	declare -gA spec_before=() update_before=() reported=()
	local name spec id
	while IFS='|' read -r name _ _ spec _; do
		update_before[$name]=$spec
	done < <(service_states)
	while read -r name spec; do
		spec_before[$name]=$spec
		while read -r id _; do reported[$id]=before; done < <(errors "$name")
	done < <(read_specs)
}

# read_specs has a line for each service: name and what its tasks are made of.
read_specs() {
	local ids
	ids=$(stack_services)
	# shellcheck disable=SC2086 # many ids
	[ -z "$ids" ] || docker service inspect --format '{{.Spec.Name}} {{json .Spec.TaskTemplate}}{{json .Spec.EndpointSpec}}' $ids | tr -d '\r' | sed 's/ /\n/' |
		while read -r name && IFS= read -r spec; do printf '%s %s\n' "$name" "$(sha256sum <<<"$spec" | cut -c1-16)"; done
}

# await_stack waits until every service has its replicas and no update is under
# way, and tells each step. After a rollback, or DEPLOY_TIMEOUT, it fails. changed
# is then how many services are not what they were, and moved is empty if there
# was nothing to wait for.
await_stack() {
	local begun=$SECONDS calm=0 name spec service
	declare -gA told=()
	declare -A due=()
	while read -r name spec; do
		if [ "${spec_before[$name]:-}" != "$spec" ]; then due[$name]=$spec; fi
	done < <(read_specs)
	changed=${#due[@]} moved=''
	[ "$changed" = 0 ] || moved=yes
	while :; do
		pending=() failed=()
		while IFS='|' read -r service replicas update at message; do
			# How one ended before this deployment does not count.
			[[ $at != "${update_before[$service]:-}" || $update = updating || $update = rollback_started ]] || update=''
			judge "$service" "$replicas" "$update" "$message" "${due[$service]:+changed}" $((SECONDS - begun))
		done < <(service_states)
		[ ${#failed[@]} -eq 0 ] || fail_deployment "${failed[@]}"
		if [ ${#pending[@]} -eq 0 ]; then
			# A task that ends at once runs for a moment too.
			calm=$((calm + 1))
			[ $calm -lt 3 ] || return 0
		else
			calm=0 moved=yes
			report_errors "${pending[@]}"
		fi
		if [ $((SECONDS - begun)) -ge "${DEPLOY_TIMEOUT:-600}" ]; then
			warn "not all services run after ${DEPLOY_TIMEOUT:-600} s"
			fail_deployment "${pending[@]}"
		fi
		sleep 1
	done
}

# service_states has a line for each service: name|running/wanted|state of the last
# update|when that began|message.
service_states() {
	local ids
	ids=$(stack_services)
	# shellcheck disable=SC2086 # many ids
	[ -z "$ids" ] || join -t'|' \
		<(docker service ls --filter "label=com.docker.stack.namespace=$STACK" --format '{{.Name}}|{{.Replicas}}' | sed 's/ (.*//' | sort -t'|' -k1,1) \
		<(docker service inspect --format '{{.Spec.Name}}|{{with .UpdateStatus}}{{.State}}|{{.StartedAt}}|{{.Message}}{{else}}||{{end}}' $ids | sort -t'|' -k1,1)
}

# judge adds a service to pending or failed, and tells when its state is new. An
# update that was asked for shows its state a moment later; one that changes no
# task never does.
judge() {
	local service=$1 replicas=$2 update=$3 message=$4 changed=$5 elapsed=$6 state=$2
	case $update in
	rollback_completed | rollback_paused | paused) failed+=("$service") state="$replicas $update: $message" ;;
	updating | rollback_started)
		pending+=("$service") state="$replicas $update"
		[ "$update" = updating ] || state+=": $message"
		;;
	*)
		if [ "${replicas%/*}" != "${replicas#*/}" ]; then
			pending+=("$service")
		elif [ -z "$update" ] && [ -n "$changed" ] && [ -n "${spec_before[$service]:-}" ] && [ "$elapsed" -lt 10 ]; then
			pending+=("$service") state=
		fi
		;;
	esac
	if [ -n "$state" ] && [ "${told[$service]:-}" != "$state" ]; then
		told[$service]=$state
		[ -z "$(quiet "$service" "$update")" ] || return 0
		printf '  %-18s %s\n' "${service#"${STACK}_"}" "$state"
	fi
}

# quiet SERVICE UPDATE says yes for a service that was and is as it should be.
quiet() { [ "${spec_before[$1]:-}" ] && [ -z "${due[$1]:-}" ] && [ -z "$2" ] && printf yes; true; }

# errors SERVICE has a line for each task that ended badly, newest first: id, what
# happened.
errors() {
	docker service ps --no-trunc --format '{{.ID}} {{.Error}}' "$1" 2>/dev/null | tr -d '"' | awk 'NF > 1'
}

# report_errors tells what made tasks end, each reason once, while others are
# waited for.
report_errors() {
	local service id error
	for service in "$@"; do
		while read -r id error; do
			[ -z "${reported[$id]:-}" ] || continue
			reported[$id]=yes
			[ -z "${reported[$service $error]:-}" ] || continue
			reported[$service $error]=yes
			printf '  %-18s a task ended: %s\n' "${service#"${STACK}_"}" "$error"
		done < <(errors "$service")
	done
}

# fail_deployment SERVICE... tells what the tasks said last, and ends.
fail_deployment() {
	local service id error
	for service in "$@"; do
		warn "${service#"${STACK}_"} did not get there"
		while read -r id error; do
			printf '  task %s: %s\n' "$id" "$error" >&2
			docker service logs --raw --tail 5 "$id" 2>&1 | sed 's/^/    /' >&2 || true
		done < <(errors "$service" | head -2)
	done
	die "the stack is not as it should be" "mend what is told above and run it again; docker service ps --no-trunc ${service} tells more"
}

# ── Tidying ─────────────────────────────────────────────────────────────────

# in_use KIND names what the services have, now and before their last update.
in_use() {
	local ids
	ids=$(stack_services)
	# shellcheck disable=SC2086 # many ids
	[ -z "$ids" ] || docker service inspect --format "{{range .Spec.TaskTemplate.ContainerSpec.$1}}{{.${1%s}Name}}
{{end}}{{with .PreviousSpec}}{{range .TaskTemplate.ContainerSpec.$1}}{{.${1%s}Name}}
{{end}}{{end}}" $ids | sort -u
}

secrets_in_use() { in_use Secrets; }

# forget_old_configs removes the configs that no service has now or would have
# after a rollback, and that stack.yml does not name.
forget_old_configs() {
	local name used
	used=$(in_use Configs; config_files | while read -r _ variable; do printf '%s\n' "${!variable}"; done)
	docker config ls --filter "label=com.docker.stack.namespace=$STACK" --format '{{.Name}}' | while read -r name; do
		grep -qxF -e "$name" -e "${name##*_}" <<<"$used" || docker config rm "$name" >/dev/null 2>&1 || true
	done
}
