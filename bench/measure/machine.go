package measure

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"matriq/bench/procfs"
)

// Machine is where, and of what, a report was made.
type Machine struct {
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryMB int     `json:"memory_mb"`
	Kernel   string  `json:"kernel"`
	Go       string  `json:"go"`
	Commit   string  `json:"commit"`
	Load     float64 `json:"load"`
}

// ThisMachine describes this one, and its load now.
func ThisMachine() (Machine, error) {
	load, err := procfs.Load()
	if err != nil {
		return Machine{}, fmt.Errorf("read the load of the machine: %w", err)
	}
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Load: load, Commit: commit()}
	m.CPU = field("/proc/cpuinfo", "model name")
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &m.MemoryMB); err != nil {
		return Machine{}, fmt.Errorf("read the memory of the machine: %w", err)
	}
	m.MemoryMB >>= 10
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return Machine{}, err
	}
	m.Kernel = strings.TrimSpace(string(kernel))
	return m, nil
}

// field returns what stands behind "name:" in a file of /proc, "" if it is not
// there.
func field(file, name string) string {
	text, err := os.ReadFile(file) //nolint:gosec // G304: the kernel's own files
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		key, value, found := bytes.Cut(line, []byte(":"))
		if found && string(bytes.TrimSpace(key)) == name {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// commit is what is measured, with -dirty behind it where files were changed
// since; "" outside a repository.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output() //nolint:noctx // takes milliseconds
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
