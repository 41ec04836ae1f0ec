// Package settings makes the table of docs/settings.md from the structs that the
// programs decode, so that it cannot say anything else than they do.
package settings

import (
	"fmt"
	"slices"
	"strings"

	"matriq/pkg/service"
	"matriq/services/email"
	"matriq/services/enroll"
	"matriq/services/otp"
	otpgateway "matriq/services/otp-gateway"
	registergateway "matriq/services/register-gateway"
	"matriq/services/student"
	"matriq/services/ui"
)

// The table stands between these lines; the text around it is written by hand.
const (
	Begin = "<!-- settings: made by make docs -->"
	End   = "<!-- settings: end -->"
)

// every names the programs where all have a setting.
const every = "all"

type program struct {
	name   string
	config any
}

func programs() []program {
	return []program{
		{"ui", ui.Config{}},
		{"otp-gateway", otpgateway.Config{}},
		{"register-gateway", registergateway.Config{}},
		{"otp", otp.Config{}},
		{"email", email.Config{}},
		{"student", student.Config{}},
		{"enroll", enroll.Config{}},
	}
}

// row is one setting as one or more programs have it.
type row struct {
	name, standard, about string
	programs              []string
}

// Table returns the settings of all programs in Markdown, by name. A setting that
// programs have in different ways has a row for each way.
func Table() string {
	var b strings.Builder
	b.WriteString("| setting | default | read by | what it is |\n|---|---|---|---|\n")
	for _, r := range rows() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.name, r.standard, strings.Join(r.programs, ", "), r.about)
	}
	return b.String()
}

func rows() []row {
	var all []row
	common := service.Settings(service.Common{})
	for _, s := range common {
		all = append(all, newRow(s, every))
	}
	for _, p := range programs() {
		for _, s := range service.Settings(p.config) {
			if !slices.ContainsFunc(common, func(c service.Setting) bool { return c.Name == s.Name }) {
				all = merge(all, newRow(s, p.name))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return all
}

// markdown keeps a description from being read as a cell or a tag.
var markdown = strings.NewReplacer("|", `\|`, "<", "&lt;")

func newRow(s service.Setting, program string) row {
	standard := ""
	switch {
	case s.Required:
		standard = "*required*"
	case s.Default != "":
		standard = "`" + s.Default + "`"
	}
	about := s.About
	if s.Secret {
		about += " (secret)"
	}
	return row{name: s.Name, standard: standard, about: markdown.Replace(about), programs: []string{program}}
}

func merge(all []row, r row) []row {
	for i, known := range all {
		if known.name == r.name && known.standard == r.standard && known.about == r.about {
			all[i].programs = append(all[i].programs, r.programs...)
			return all
		}
	}
	return append(all, r)
}
