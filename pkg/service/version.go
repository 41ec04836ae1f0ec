package service

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is stamped by the linker: -X matriq/pkg/service.version=v1.2.3.
var version string

// buildVersion is the stamped version, else what the go command noted of the
// source, else "devel".
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	noted := map[string]string{}
	for _, s := range info.Settings {
		noted[s.Key] = s.Value
	}
	revision := noted["vcs.revision"]
	if revision == "" {
		return "devel"
	}
	revision = revision[:min(12, len(revision))]
	if noted["vcs.modified"] == "true" {
		revision += "-dirty"
	}
	return revision
}

func (p Program) printVersion(w io.Writer) int {
	_, err := fmt.Fprintf(w, "%s %s (%s %s/%s)\n", p.Name, buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return exitFailed
	}
	return exitOK
}
