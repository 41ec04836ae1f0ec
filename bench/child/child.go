// Package child splits the bench into processes, so that what each part of a
// measurement costs can be told apart. A child is the bench's own program, started
// with the name of a role; it answers questions in the order in which they come,
// one JSON object a line, on its standard input and output.
//
// A child ends when its input does, or with its parent. Its standard error is its
// parent's.
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Argument is the first argument of a child. Its role follows, and a folder for
// profiles if they are wanted.
const Argument = "child"

// question and answer are the lines.
type (
	question struct {
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"`
	}
	answer struct {
		Output json.RawMessage `json:"output,omitempty"`
		Error  string          `json:"error,omitempty"`
	}
)

// Handler answers the questions of one name.
type Handler func(ctx context.Context, input json.RawMessage) (any, error)

// Answers makes a Handler of a function with types.
func Answers[In, Out any](fn func(context.Context, In) (Out, error)) Handler {
	return func(ctx context.Context, input json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, err
		}
		return fn(ctx, in)
	}
}

// Serve answers what comes from in until it ends, or ctx does.
func Serve(ctx context.Context, in io.Reader, out io.Writer, handlers map[string]Handler) error {
	lines := json.NewDecoder(in)
	for ctx.Err() == nil {
		var q question
		if err := lines.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a question: %w", err)
		}
		if err := json.NewEncoder(out).Encode(reply(ctx, handlers, q)); err != nil {
			return fmt.Errorf("write an answer: %w", err)
		}
	}
	return nil
}

func reply(ctx context.Context, handlers map[string]Handler, q question) answer {
	handle, ok := handlers[q.Name]
	if !ok {
		return answer{Error: "there is no question " + q.Name}
	}
	output, err := handle(ctx, q.Input)
	if err != nil {
		return answer{Error: err.Error()}
	}
	encoded, err := json.Marshal(output)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Output: encoded}
}

// Child is one that runs. Its questions are asked one after the other.
type Child struct {
	Role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// Start starts this program as a child in a role. profiles is a folder for a CPU
// profile of its whole life; "": none.
func Start(role, profiles string) (*Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &Child{Role: role, cmd: exec.Command(program, Argument, role)} //nolint:gosec,noctx // this program; it ends by Stop, or with its parent
	if profiles != "" {
		c.cmd.Args = append(c.cmd.Args, profiles)
	}
	c.cmd.Env = append(os.Environ(), "GOGC=400") // as the services have it, whoever is measured
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start child %s: %w", role, err)
	}
	return c, nil
}

// PID is the number of its process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Ask asks a question and waits for the answer. When ctx ends first the child is
// killed: it has lost the thread.
func (c *Child) Ask(ctx context.Context, name string, input, output any) error {
	defer context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })()
	if err := c.ask(name, input, output); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("ask child %s for %s: %w", c.Role, name, err)
	}
	return nil
}

func (c *Child) ask(name string, input, output any) error {
	encoded, err := json.Marshal(input)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(c.in).Encode(question{Name: name, Input: encoded}); err != nil {
		return err
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("it has ended: %w", err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	if output == nil {
		return nil
	}
	return json.Unmarshal(a.Output, output)
}

// patience is how long a child may take to end.
const patience = 5 * time.Second

// Stop lets the child end, and kills it when it does not.
func (c *Child) Stop() error {
	closing := c.in.Close()
	late := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	return errors.Join(closing, c.cmd.Wait())
}
