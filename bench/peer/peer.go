// Package peer has the helpers of the bench that run as processes of their own:
// callers and workers, clients and bare servers. A row starts them by their role
// and asks them to do things; see package child.
package peer

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"matriq/bench/child"
)

// Run is the question "run": do the thing for a time.
type Run struct {
	Users  int           `json:"users"`
	Length time.Duration `json:"length"`
	// Bytes is the size of a body, where there is one.
	Bytes int `json:"bytes"`
}

// Questions that several roles answer.
const (
	// AskOpen connects; its input is a URL.
	AskOpen = "open"
	// AskRun does the thing; its input is a [Run] and its output a
	// [measure.Sample].
	AskRun = "run"
	// AskMallocs tells how many objects the process has allocated.
	AskMallocs = "mallocs"
)

// Roles by name.
const (
	RoleMatriqWorker   = "matriq-worker"
	RoleMatriqCaller   = "matriq-caller"
	RoleMatriqCaster   = "matriq-caster"
	RoleRawWorker      = "raw-worker"
	RoleRawCaller      = "raw-caller"
	RoleRawCaster      = "raw-caster"
	RoleJSONWorker     = "raw-json-worker"
	RoleJSONCaller     = "raw-json-caller"
	RoleEnvelopeWorker = "raw-envelope-worker"
	RoleEnvelopeCaller = "raw-envelope-caller"
)

// role makes the handlers of a role; ctx ends with the process.
type role func(ctx context.Context) map[string]child.Handler

func roles() map[string]role {
	return map[string]role{
		RoleMatriqWorker:   matriqWorker,
		RoleMatriqCaller:   matriqCaller,
		RoleMatriqCaster:   matriqCaster,
		RoleRawWorker:      rawWorker,
		RoleRawCaller:      rawCaller,
		RoleRawCaster:      rawCaster,
		RoleJSONWorker:     jsonWorker,
		RoleJSONCaller:     jsonCaller,
		RoleEnvelopeWorker: envelopeWorker,
		RoleEnvelopeCaller: envelopeCaller,
		RolePageClient:     pageClient,
		RolePageServer:     pageServer,
		RoleMail:           mailServer,
		RoleLoad:           people,
		RoleStub:           stubGateways,
	}
}

// Serve is the whole of a helper's process. args are its role and, perhaps, a
// folder for its profiles.
func Serve(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 || roles()[args[0]] == nil {
		return fmt.Errorf("%q is no role: %s", args, strings.Join(slices.Sorted(maps.Keys(roles())), ", "))
	}
	if len(args) > 1 {
		end, err := profile(filepath.Join(args[1], fmt.Sprintf("%s-%d", args[0], os.Getpid())))
		if err != nil {
			return err
		}
		defer end()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handlers := roles()[args[0]](ctx)
	handlers[AskMallocs] = child.Answers(func(context.Context, struct{}) (uint64, error) { return mallocs(), nil })
	return child.Serve(ctx, in, out, handlers)
}

// profile writes FILE.cpu and FILE.mem about the time until end is called.
func profile(file string) (end func(), err error) {
	cpu, err := os.Create(file + ".cpu") //nolint:gosec // G304: where the command line says
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = cpu.Close()                                          // a profile that is cut short says so itself
		if memory, err := os.Create(file + ".mem"); err == nil { //nolint:gosec // G304: where the command line says
			_ = pprof.Lookup("allocs").WriteTo(memory, 0)
			_ = memory.Close()
		}
	}, nil
}

// done is the output of a question that has nothing to tell.
type done struct{}
