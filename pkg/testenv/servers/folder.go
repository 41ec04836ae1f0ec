package servers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Folder holds the data of instances. It is removed with [Folder.Remove], or
// after the process has ended in any way, by a guard that outlives it.
type Folder struct {
	// Path is absolute and short, for sockets have a limit.
	Path  string
	guard *exec.Cmd
	line  io.WriteCloser
}

// guardScript waits for the end of its input, which the kernel brings when the
// process at the other end is gone. Each line names the process group that is to
// be killed then; an empty line, none.
const guardScript = `trap '' INT TERM HUP
group=
while read -r line; do group=$line; done
[ -z "$group" ] || kill -s KILL -- "-$group" 2>/dev/null
rm -rf -- "$1" 2>/dev/null || { sleep 1; rm -rf -- "$1"; }`

// NewFolder makes a folder that nobody else can read.
func NewFolder() (*Folder, error) {
	path, err := os.MkdirTemp("", "matriq-")
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: path}
	f.guard = exec.Command("/bin/sh", "-c", guardScript, "guard", path) //nolint:gosec,noctx // G204: a constant script, which outlives any context
	f.guard.Dir = "/"
	f.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if f.line, err = f.guard.StdinPipe(); err != nil {
		return nil, err
	}
	if err := f.guard.Start(); err != nil {
		return nil, fmt.Errorf("guard %s: %w", path, err)
	}
	return f, nil
}

// Doom has the process group killed when this process ends before it says
// otherwise; group 0 takes it back.
func (f *Folder) Doom(group int) error {
	line := ""
	if group != 0 {
		line = strconv.Itoa(group)
	}
	_, err := io.WriteString(f.line, line+"\n")
	return err
}

// Remove removes the folder. Its instances must have ended.
func (f *Folder) Remove() error {
	if err := f.line.Close(); err != nil {
		return err
	}
	return f.guard.Wait()
}

// sub makes a folder in f for one instance.
func (f *Folder) sub(name string) (string, error) {
	return os.MkdirTemp(f.Path, name+"-")
}
