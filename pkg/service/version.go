package service

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version and commit are stamped by the linker:
// -X matriq/pkg/service.version=v1.2.3 -X matriq/pkg/service.commit=1b98dde9edf7.
var version, commit string

// buildVersion is the stamped version, else what the go command noted of the
// source, else "devel".
func buildVersion() string {
	if version != "" {
		return version
	}
	return cmp.Or(buildCommit(), "devel")
}

// buildCommit is the stamped commit, else what the go command noted of the
// source, else "".
func buildCommit() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	noted := map[string]string{}
	for _, s := range info.Settings {
		noted[s.Key] = s.Value
	}
	revision := noted["vcs.revision"]
	revision = revision[:min(12, len(revision))]
	if revision != "" && noted["vcs.modified"] == "true" {
		revision += "-dirty"
	}
	return revision
}

func (p Program) printVersion(w io.Writer) int {
	_, err := fmt.Fprintf(w, "%s %s (commit %s, %s %s/%s)\n", p.Name, buildVersion(), cmp.Or(buildCommit(), "unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return exitFailed
	}
	return exitOK
}
