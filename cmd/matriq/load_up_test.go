//go:build !nosuite

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// output can be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// startUp runs matriq up with a list of people, and returns where things are.
func startUp(t *testing.T, people string) (where func(what string) string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var out, errs output
	ended := make(chan int, 1)
	go func() {
		args := "up --ui-addr 127.0.0.1:0 --otp-addr 127.0.0.1:0 --register-addr 127.0.0.1:0 --inbox-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0"
		ended <- run(ctx, append(strings.Fields(args), "--eligible", people, "--data", t.TempDir()), stdio{out: &out, err: &errs})
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("matriq up ended with %d: %s", code, errs.String())
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(out.String(), "Ctrl-C stops it."); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("matriq up is not ready: %s%s", out.String(), errs.String())
		}
	}
	return func(what string) string {
		found := regexp.MustCompile(what + ` +(http://[0-9.:]+)`).FindStringSubmatch(out.String())
		if found == nil {
			t.Fatalf("no %s in %s", what, out.String())
		}
		return found[1]
	}
}

// People register by the pages and by REST, and are done with all that follows.
func TestLoad_RegistersPeople(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for i := range 20 {
		fmt.Fprintf(&list, "load%02d@example.ac.th\n", i)
	}
	people, fifteen := filepath.Join(t.TempDir(), "people.csv"), filepath.Join(t.TempDir(), "fifteen.csv")
	for file, lines := range map[string]int{people: 20, fifteen: 15} {
		text := strings.Join(strings.SplitAfter(list.String(), "\n")[:lines], "")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	where := startUp(t, people)
	gateway := func(what string) string { return strings.Replace(where(what), "://", "://demo:demo@", 1) }
	common := " --users 4 --follow --from 127.30.0.0/16 --max-errors 0 --inbox " + where("inbox")
	for name, args := range map[string]string{
		"by the pages": "load --plan journey --emails " + fifteen + " --url " + where("pages") + common,
		"by REST": "load --plan rest --emails " + people + " --skip 15 --otp-url " + gateway("otp-gateway") +
			" --register-url " + gateway("register-gateway") + common,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := execute(t, strings.Fields(args)...)
			if code != 0 || !strings.Contains(out, "ended nobody left") || !strings.Contains(out, "enrolled and confirmed") {
				t.Errorf("exit code %d: %s%s", code, out, errs)
			}
		})
	}
}
