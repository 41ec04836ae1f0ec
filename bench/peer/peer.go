// Package peer has the helpers of the bench that run as processes of their own:
// callers and workers, clients and bare servers. A row starts them by their role
// and asks them to do things; see package child.
package peer

import (
	"context"
	"fmt"
	"io"
	"maps"
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
	RoleMatriqWorker = "matriq-worker"
	RoleMatriqCaller = "matriq-caller"
	RoleMatriqCaster = "matriq-caster"
	RoleRawWorker    = "raw-worker"
	RoleRawCaller    = "raw-caller"
	RoleRawCaster    = "raw-caster"
	RoleJSONWorker   = "raw-json-worker"
	RoleJSONCaller   = "raw-json-caller"
)

// role makes the handlers of a role; ctx ends with the process.
type role func(ctx context.Context) map[string]child.Handler

func roles() map[string]role {
	return map[string]role{
		RoleMatriqWorker: matriqWorker,
		RoleMatriqCaller: matriqCaller,
		RoleMatriqCaster: matriqCaster,
		RoleRawWorker:    rawWorker,
		RoleRawCaller:    rawCaller,
		RoleRawCaster:    rawCaster,
		RoleJSONWorker:   jsonWorker,
		RoleJSONCaller:   jsonCaller,
	}
}

// Serve is the whole of a helper's process.
func Serve(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	begin, ok := roles()[name]
	if !ok {
		return fmt.Errorf("there is no role %q: %s", name, strings.Join(slices.Sorted(maps.Keys(roles())), ", "))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handlers := begin(ctx)
	handlers[AskMallocs] = child.Answers(func(context.Context, struct{}) (uint64, error) { return mallocs(), nil })
	return child.Serve(ctx, in, out, handlers)
}

// done is the output of a question that has nothing to tell.
type done struct{}
