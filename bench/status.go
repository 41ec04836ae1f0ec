package main

import (
	"fmt"
	"io"
	"os"
)

// status is the line at the end of a terminal that says what is going on. Where
// there is no terminal it says nothing.
type status struct{ to io.Writer }

func newStatus(w io.Writer) *status {
	file, ok := w.(*os.File)
	if !ok {
		return &status{}
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &status{}
	}
	return &status{to: w}
}

func (s *status) say(what string) {
	if s.to != nil {
		fmt.Fprintf(s.to, "\r\x1b[K%s", what)
	}
}

func (s *status) clear() { s.say("") }
