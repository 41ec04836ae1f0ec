package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"matriq/pkg/mailsink"
)

// suite is a running matriq up.
type suite struct {
	pages, inbox string
	stop         func() error
}

var (
	errEnded = errors.New("matriq up ended before it was ready")
	linePage = regexp.MustCompile(`^  pages +(http://\S+)$`)
	lineMail = regexp.MustCompile(`^  inbox +(http://\S+)$`)
	lineDone = regexp.MustCompile(`Ctrl-C stops it`)
)

// startSuite builds and starts matriq up in dir and returns when it is ready.
func startSuite(ctx context.Context, dir string) (*suite, error) {
	binary := filepath.Join(dir, "matriq")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "matriq/cmd/matriq") //nolint:gosec // a package of this workspace
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build matriq: %w\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary, "up", "--data", filepath.Join(dir, "data"), //nolint:gosec // built above
		"--ui-addr", "127.0.0.1:0", "--otp-addr", "127.0.0.1:0", "--register-addr", "127.0.0.1:0",
		"--inbox-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &suite{stop: func() error {
		return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait())
	}}
	if err := s.readWelcome(stdout); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// readWelcome finds out where everything is.
func (s *suite) readWelcome(stdout io.Reader) error {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		line := lines.Text()
		if m := linePage.FindStringSubmatch(line); m != nil {
			s.pages = m[1]
		}
		if m := lineMail.FindStringSubmatch(line); m != nil {
			s.inbox = m[1]
		}
		if lineDone.MatchString(line) {
			return nil
		}
	}
	return errors.Join(errEnded, lines.Err())
}

var codePattern = regexp.MustCompile(`\b\d{6}\b`)

// code waits for the mail with the code.
func (s *suite) code(ctx context.Context, to string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		mails, err := s.mails(ctx, to)
		if err != nil {
			return "", err
		}
		for _, m := range mails {
			if code := codePattern.FindString(m.Text); code != "" {
				return code, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no code for %s: %w", to, ctx.Err())
		case <-ticker.C:
		}
	}
}

func (s *suite) mails(ctx context.Context, to string) (mails []mailsink.Message, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.inbox+"/api/messages?to="+url.QueryEscape(to), nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return mails, json.NewDecoder(res.Body).Decode(&mails)
}
