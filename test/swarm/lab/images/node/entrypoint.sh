#!/bin/sh
# Makes the container writable where an engine must write, then becomes dockerd
# with the options given. It runs without --privileged, which some machines
# refuse, so that /sys and its cgroups are mounted read-only.
set -e

while read -r _ path _; do
	case $path in
	/sys | /sys/*) mount -o remount,bind,rw "$path" ;;
	esac
done </proc/mounts

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	# cgroup v2: a group with processes of its own cannot give its controllers on.
	mkdir -p /sys/fs/cgroup/init
	xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs || true
	sed -e 's/ / +/g' -e 's/^/+/' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

# The engine beside its containers, as cgroup.go says.
root=/sys/fs/cgroup/cpu
[ -e $root/cgroup.procs ] || root=/sys/fs/cgroup
mkdir -p $root/matriq-lab/engine
echo $$ >$root/matriq-lab/engine/cgroup.procs
exec dockerd --cgroup-parent /matriq-lab --host unix:///run/lab/docker.sock "$@"
