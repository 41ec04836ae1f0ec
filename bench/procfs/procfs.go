// Package procfs tells which processes used the processor while something was
// measured: those of the bench by name, and all others, which disturb it.
//
// A [Watch] reads the user and system time of every process of the machine, from
// /proc/PID/stat, four times a second, so that a compiler that comes and goes is
// seen as well. The kernel counts in hundredths of a second. Not seen are
// processes that live for less than a quarter of a second, and the kernel's own
// threads are neither the bench's nor foreign: they work for whoever sends
// packets or writes to the disk. What a hypervisor gave to other machines while
// this one had work to do, the steal of /proc/stat, is foreign.
package procfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 on
// every Linux that Go runs on.
const tick = 10 * time.Millisecond

// process is what one /proc/PID/stat says.
type process struct {
	pid, parent int
	name        string
	cpu         time.Duration // user and system
	born        uint64        // tells two processes with the same number apart
}

// kernelThreads is the parent of all threads of the kernel.
const kernelThreads = 2

func (p process) isKernel() bool { return p.pid == kernelThreads || p.parent == kernelThreads }

// processes returns all that run now below root, which is /proc.
func processes(root string) (map[int]process, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := make(map[int]process, len(entries))
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, entry.Name(), "stat")) //nolint:gosec // G304: the kernel's own files
		if err != nil {
			continue // it has ended meanwhile
		}
		if p, err := parseStat(text); err == nil {
			all[p.pid] = p
		}
	}
	return all, nil
}

// Fields of /proc/PID/stat after the name, which stands in parentheses and may
// hold anything; see proc_pid_stat(5).
const (
	fieldParent = 1
	fieldUser   = 11
	fieldSystem = 12
	fieldBorn   = 19
)

// fieldSteal is that of the first line of /proc/stat, after its name.
const fieldSteal = 8

// stolen is what the hypervisor has given to others since the machine began.
func stolen(root string) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(root, "stat")) //nolint:gosec // G304: the kernel's own file
	if err != nil {
		return 0, fmt.Errorf("read the steal: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) <= fieldSteal {
		return 0, fmt.Errorf("read the steal: the first line is %q", line)
	}
	ticks, err := strconv.ParseUint(string(fields[fieldSteal]), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("read the steal: %w", err)
	}
	return time.Duration(ticks) * tick, nil
}

func parseStat(text []byte) (process, error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("no name in %q", text)
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) <= fieldBorn {
		return process{}, fmt.Errorf("%d fields in %q", len(fields), text)
	}
	var numbers [4]uint64
	for i, field := range []int{fieldParent, fieldUser, fieldSystem, fieldBorn} {
		n, err := strconv.ParseUint(string(fields[field]), 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("field %d: %w", field, err)
		}
		numbers[i] = n
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text[:open])))
	if err != nil {
		return process{}, fmt.Errorf("number of a process: %w", err)
	}
	return process{
		pid: pid, parent: int(numbers[0]), name: string(text[open+1 : end]), //nolint:gosec // G115: a process number
		cpu:  time.Duration(numbers[1]+numbers[2]) * tick, //nolint:gosec // G115: hundredths of seconds
		born: numbers[3],
	}, nil
}

// Load is the load of the machine over the last minute, as /proc/loadavg has it.
func Load() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(text, []byte(" "))
	return strconv.ParseFloat(string(first), 64)
}

// Memory returns the resident set of a process in bytes, from /proc/PID/status.
func Memory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		value, found := bytes.CutPrefix(line, []byte("VmRSS:"))
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
		return kib << 10, err
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}
