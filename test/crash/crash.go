// Package crash has the wiring of three services with a store that kills the
// process at the worst moment: right after its first commit, before anybody was
// told.
package crash

import (
	"os"
	"syscall"
)

// Die ends the process as kill -9 does. It does not return.
func Die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
