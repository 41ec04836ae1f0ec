package service

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// Fault is one bad setting. It never holds the value of a secret.
type Fault struct { //nolint:errname // service.Fault{…} reads as what it is where a config makes one
	// Setting is the name, such as OTP_TTL.
	Setting string
	// Problem completes the sentence that begins with the name.
	Problem string
	// Cure says what to write instead.
	Cure string
}

// Error implements error.
func (f Fault) Error() string {
	text := f.Problem
	if f.Setting != "" {
		text = f.Setting + " " + text
	}
	if f.Cure != "" {
		text += ": " + f.Cure
	}
	return text
}

// Faults are all that is wrong with the settings.
type Faults []Fault //nolint:errname // more than one Fault

// Error lists the faults, one a line.
func (fs Faults) Error() string {
	lines := []string{"bad settings:"}
	for _, f := range fs {
		lines = append(lines, "  "+f.Error())
	}
	return strings.Join(lines, "\n")
}

// err returns fs as an error, or nil when it is empty.
func (fs Faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// has tells whether a fault of fs is about the setting that text begins with.
func (fs Faults) has(f Fault) bool {
	for _, known := range fs {
		if known.Setting == "" {
			continue
		}
		if known.Setting == f.Setting || f.Setting == "" && strings.Contains(f.Problem, known.Setting) {
			return true
		}
	}
	return false
}

func (fs Faults) log(ctx context.Context, log *slog.Logger) {
	for _, f := range fs {
		log.ErrorContext(ctx, "bad setting",
			slog.String("setting", f.Setting), slog.String("problem", f.Problem), slog.String("cure", f.Cure))
	}
}

func asFault(err error) Fault {
	if f, ok := errors.AsType[Fault](err); ok {
		return f
	}
	return Fault{Problem: err.Error()}
}
