#!/bin/sh
# Makes the container writable where an engine must write, then becomes dockerd
# with the options given. It runs without --privileged, which some machines
# refuse; /sys is then mounted read-only.
set -e

remount_writable() {
	mount -o remount,rw "$1" 2>/dev/null || echo "node: $1 stays read-only" >&2
}

remount_writable /sys
remount_writable /sys/fs/cgroup
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	# cgroup v2: a group with processes of its own cannot give its controllers on.
	mkdir -p /sys/fs/cgroup/init
	xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs || true
	sed -e 's/ / +/g' -e 's/^/+/' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
else
	for controller in /sys/fs/cgroup/*; do
		[ -L "$controller" ] || remount_writable "$controller"
	done
fi
exec dockerd --host unix:///run/lab/docker.sock "$@"
