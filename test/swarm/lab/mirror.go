package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// source is where this machine has its packages from.
type source struct {
	uri, suite string
	components []string
}

// packageSource asks apt for the source that has this machine's release itself.
func packageSource(ctx context.Context) (source, error) {
	suite, err := release()
	if err != nil {
		return source{}, err
	}
	targets, err := exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(RELEASE) $(REPO_URI) $(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		return source{}, fmt.Errorf("apt-get indextargets, which tells the mirror: %w", err)
	}
	from := source{suite: suite, uri: mirror(string(targets), suite)}
	if from.uri == "" {
		return source{}, fmt.Errorf("apt has no source for %s: see /etc/apt/sources.list", suite)
	}
	for line := range strings.Lines(string(targets)) {
		if component, ok := strings.CutPrefix(strings.TrimSpace(line), suite+" "+from.uri+" "); ok {
			from.components = append(from.components, component)
		}
	}
	return from, nil
}

// mirror picks from apt's targets the one with the component main of suite. Of
// several, such as of vendors that have packages for this suite, the release's own
// is the one that has its updates too.
func mirror(targets, suite string) (uri string) {
	for line := range strings.Lines(targets) {
		if candidate, ok := strings.CutPrefix(line, suite+" "); ok && strings.HasSuffix(candidate, " main\n") {
			candidate = strings.TrimSuffix(candidate, " main\n")
			if uri == "" || strings.Contains(targets, suite+"-updates "+candidate+" ") {
				uri = candidate
			}
		}
	}
	return uri
}

// release is the name of this machine's release, such as bookworm.
func release() (string, error) {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "VERSION_CODENAME="); ok {
			return strings.Trim(strings.TrimSpace(name), `"`), nil
		}
	}
	return "", errors.New("the stand-ins are made of Debian's packages: run this on Debian or its kin, or pull the images that deploy/stack.yml names")
}
