// Package lab makes the ground that a stack is tried on: a swarm of one node or
// of three, and the images that the stack takes from others.
//
//	swarm, err := lab.Start(ctx, 3)
//	…
//	defer swarm.Close()
//	swarm.Docker(ctx, "stack", "deploy", …) // on a manager
//	swarm.Nodes[1].Kill(ctx)                // its power goes
//
// One node is the Docker engine of this machine, or one that the lab starts if
// none answers. Three nodes are three engines in containers on that engine; they
// are managers, the first is labelled to hold the data, and they pull from a
// registry that is a container too. The test program reaches each by its Addr.
//
// Where no image can be pulled, stand-ins made of Debian's packages carry the
// official names; they prove the wiring of the stack, not the official images. An
// image that is there already and not made here is used as it is.
//
// The lab needs root, and Debian or its kin: tools/install swarm installs what it
// needs. One lab runs on a machine at a time, another waits. Engine, images and
// registry are kept for the next run. What a run that was killed left behind goes
// when the next one starts; a swarm that the lab did not make stays as it is.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// home is where the lab keeps its files from one run to the next.
const home = "/var/lib/matriq-lab"

// closeTimeout is how long the end of a lab may take.
const closeTimeout = 2 * time.Minute

// Swarm is one that runs, for one test at a time.
type Swarm struct {
	Nodes []*Node

	engine *engine
	prefix string // of images that the nodes can pull; "" if there is one node
	undo   []func(context.Context) error
}

// Start makes a swarm of one node or three. ctx ends the making, not the swarm:
// that is for Close.
func Start(ctx context.Context, nodes int) (*Swarm, error) {
	if nodes != 1 && nodes != 3 {
		return nil, fmt.Errorf("lab: a swarm of %d nodes, want 1 or 3", nodes)
	}
	s := &Swarm{}
	if err := s.start(ctx, nodes); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: %w", err), s.Close()) //nolint:contextcheck // the end comes also if ctx has ended
	}
	return s, nil
}

func (s *Swarm) start(ctx context.Context, nodes int) error {
	if os.Geteuid() != 0 {
		return errors.New("an engine, its networks and its images are root's: run it as root")
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	s.atEnd(unlock)
	if s.engine, err = openEngine(ctx); err != nil {
		return err
	}
	s.atEnd(s.engine.stop)
	if err := sweep(ctx, s.engine.docker); err != nil {
		return err
	}
	if err := makeImages(ctx, s.engine.docker, standIns()); err != nil {
		return err
	}
	if nodes == 1 {
		return s.single(ctx)
	}
	return s.three(ctx)
}

// atEnd has Close do f, before all that was noted earlier.
func (s *Swarm) atEnd(f func(context.Context) error) { s.undo = append(s.undo, f) }

// Close ends the swarm, unless it was there before.
func (s *Swarm) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for len(s.undo) > 0 {
		last := len(s.undo) - 1
		errs = append(errs, s.undo[last](ctx))
		s.undo = s.undo[:last]
	}
	return errors.Join(errs...)
}

// Docker runs the docker command on the first node that has power, and returns
// what it writes, without the last newline.
func (s *Swarm) Docker(ctx context.Context, args ...string) (string, error) {
	for _, node := range s.Nodes {
		if !node.down.Load() {
			return node.Docker(ctx, args...)
		}
	}
	return "", errors.New("lab: all nodes are down")
}

// Leader is the manager that leads the swarm. There is none for some seconds
// after it was killed: that is an error.
func (s *Swarm) Leader(ctx context.Context) (*Node, error) {
	out, err := s.Docker(ctx, "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
	if err != nil {
		return nil, err
	}
	for _, node := range s.Nodes {
		if strings.Contains("\n"+out+"\n", "\n"+node.Name+" Leader\n") {
			return node, nil
		}
	}
	return nil, errors.New("lab: the swarm has no leader")
}

// Env is what a program needs beside the usual environment to work on this swarm
// with docker: the first node's engine, the docker command that fits it, and with
// three nodes IMAGE_PREFIX, the registry that they pull from; the first node can
// push there.
func (s *Swarm) Env() []string {
	env := append(s.Nodes[0].Env(), "PATH="+s.engine.path)
	if s.prefix != "" {
		env = append(env, "IMAGE_PREFIX="+s.prefix)
	}
	return env
}
