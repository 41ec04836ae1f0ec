# One command at a time changes a stack. Sourced by the commands beside this folder.
#
# The lock is a config of the swarm: two cannot have one name, on whichever managers
# the commands run. It goes when its command ends. One that was killed leaves it;
# the next on the same machine sees that and takes it over.

# lock_stack takes the lock, or ends and tells who has it.
lock_stack() {
	local name=${STACK}_lock place found said
	place=$(this_place)
	until lock_id=$(printf 'a command changes the stack' | docker config create --label "matriq.stack=$STACK" \
		--label "matriq.place=$place" --label "matriq.process=$$" \
		--label "matriq.holder=deploy/${0##*/} of $(id -un) on $(hostname), process $$, since $(date +%T)" "$name" - 2>&1); do
		said=$lock_id lock_id=
		found=$(docker config inspect --format '{{.ID}} {{index .Spec.Labels "matriq.process"}} {{index .Spec.Labels "matriq.place"}}' "$name" 2>/dev/null) || {
			[[ $said == *"already exists"* ]] || die "the stack cannot be locked: $said" "docker node ls tells whether the swarm has a leader"
			continue # it was released in this moment
		}
		take_over "$found" "$place" || die "$(docker config inspect --format '{{index .Spec.Labels "matriq.holder"}}' "$name") is changing the stack $STACK" \
			"wait for its end; if its machine is gone: docker config rm $name"
	done
	trap unlock_stack EXIT
	trap 'exit 130' INT TERM HUP
}

# take_over "ID PROCESS PLACE" HERE removes a lock whose process was here and is gone.
take_over() {
	local id=${1%% *} process=${1#* }
	[ "${process#* }" = "$2" ] && [ ! -e "/proc/${process%% *}" ] || return 1
	docker config rm "$id" >/dev/null 2>&1 || true # somebody else was quicker
	warn "going on after a command that was killed"
}

# this_place is where a process number means something: this machine since it was
# started, or one container on it.
this_place() { printf '%s %s' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" "$(readlink /proc/self/ns/pid 2>/dev/null)"; }

unlock_stack() { docker config rm "$lock_id" >/dev/null 2>&1 || true; }
