package service

import (
	"fmt"
	"io"
	"strings"
)

func (p Program) help(w io.Writer) int {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", p.Name, p.About)
	fmt.Fprintf(&b, `
Usage:
  %[1]s               run until SIGTERM or Ctrl-C; a second one kills
  %[1]s healthcheck   exit 0 when the program at ADMIN_ADDR serves and has been
                 ready since it started, else 1
  %[1]s version       print the version
  %[1]s help          print this

Settings are environment variables. Instead of NAME, NAME_FILE may name a file
that holds the value: that is the place for what is marked as a secret.
`, p.Name)
	writeSettings(&b, "Settings of "+p.Name, unique(Settings(p.Config), nil))
	writeSettings(&b, "Settings of every program", unique(Settings(Common{}), Settings(p.Config)))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return exitFailed
	}
	return exitOK
}

func writeSettings(b *strings.Builder, title string, settings []Setting) {
	if len(settings) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	for _, s := range settings {
		fmt.Fprintf(b, "  %s%s\n      %s\n", s.Name, s.traits(), s.About)
	}
}

// traits says in brackets what else is to be known before setting it.
func (s Setting) traits() string {
	var traits []string
	if s.Required {
		traits = append(traits, "required")
	}
	if s.Secret {
		traits = append(traits, "secret")
	}
	if s.Default != "" {
		traits = append(traits, "default "+s.Default)
	}
	if len(traits) == 0 {
		return ""
	}
	return " (" + strings.Join(traits, ", ") + ")"
}

// unique drops repeated names, and those that others has.
func unique(settings, others []Setting) []Setting {
	seen := map[string]bool{}
	for _, s := range others {
		seen[s.Name] = true
	}
	var kept []Setting
	for _, s := range settings {
		if !seen[s.Name] {
			seen[s.Name] = true
			kept = append(kept, s)
		}
	}
	return kept
}

func (p Program) misused(w io.Writer, problem string) int {
	// There is nowhere left to say that stderr is gone
	fmt.Fprintf(w, "%s: %s; %s help lists the commands and settings\n", p.Name, problem, p.Name)
	return exitUsage
}
