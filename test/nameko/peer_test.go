package nameko_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// debianPython has kombu from the package python3-kombu; another python3 on the
// PATH may not.
const debianPython = "/usr/bin/python3"

const patience = 20 * time.Second

// peer is a running wire.py.
type peer struct {
	t     *testing.T
	mu    sync.Mutex // one request at a time
	stdin io.WriteCloser
	lines chan []byte
}

// line is anything that wire.py says; its package comment tells what.
type line struct {
	Ready      bool            `json:"ready"`
	Result     json.RawMessage `json:"result"`
	Raises     string          `json:"raises"`
	Error      wireError       `json:"error"`
	Dispatched bool            `json:"dispatched"`
	Subscribed string          `json:"subscribed"`
	Event      string          `json:"event"`
	Payload    json.RawMessage `json:"payload"`
	Headers    map[string]any  `json:"headers"`
}

// wireError is Nameko's error, with the fields that our services add.
type wireError struct {
	ExcType string `json:"exc_type"`
	ExcPath string `json:"exc_path"`
	ExcArgs []any  `json:"exc_args"`
	Value   string `json:"value"`
	Code    string `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// python starts wire.py with args and returns when it is ready. It ends with
// the test.
func python(t *testing.T, args ...string) *peer {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), debianPython, "-c", "import kombu").CombinedOutput(); err != nil {
		t.Fatalf("kombu is missing; on Debian, as root: apt-get install python3-kombu\n%s", out)
	}
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, debianPython, slices.Concat([]string{"wire.py"}, args)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, stdin: stdin, lines: make(chan []byte, 1000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.read(stdout)
		if err := cmd.Wait(); err != nil {
			t.Errorf("wire.py %v: %v\n%s", args, err, stderr.Bytes())
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close() // it ends by itself then
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("wire.py did not end")
			kill()
			<-ended
		}
		kill()
	})
	if !p.next().Ready {
		t.Fatal("wire.py did not get ready")
	}
	return p
}

func (p *peer) read(stdout io.Reader) {
	defer close(p.lines)
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		p.lines <- bytes.Clone(scanner.Bytes())
	}
}

// next returns the next line.
func (p *peer) next() line {
	p.t.Helper()
	var l line
	select {
	case b, ok := <-p.lines:
		if !ok {
			p.t.Fatal("wire.py has ended")
		}
		if err := json.Unmarshal(b, &l); err != nil {
			p.t.Fatalf("wire.py said %s: %v", b, err)
		}
	case <-time.After(patience):
		p.t.Fatal("wire.py says nothing")
	}
	return l
}

// ask sends a request and returns the answer.
func (p *peer) ask(request map[string]any) line {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(b, '\n')); err != nil {
		p.t.Fatal(err)
	}
	return p.next()
}

func (p *peer) call(target string, args ...any) line {
	p.t.Helper()
	return p.ask(map[string]any{"call": target, "args": args})
}
