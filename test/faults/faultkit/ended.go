package faultkit

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// Ended tells whether the process has ended by itself; Kill then takes it away.
func (p *Process) Ended() bool {
	if p.cmd.ProcessState != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// Said tells whether the process has written text to its standard error.
func (p *Process) Said(text string) bool {
	out, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(out), text)
}
