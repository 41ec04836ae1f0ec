package lab

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// nodeStart is how long a node may take until it is in the swarm.
const nodeStart = time.Minute

// Node is a machine of the swarm.
type Node struct {
	// Name is what the swarm calls it.
	Name string
	// Addr is where the test program reaches the ports that it publishes.
	Addr string

	docker docker
	outer  *docker // of the engine whose container it is; nil: it is this machine
	box    string  // that container
	down   atomic.Bool
}

// Docker runs the docker command on the node's engine, and returns what it
// writes, without the last newline.
func (n *Node) Docker(ctx context.Context, args ...string) (string, error) {
	return n.docker.run(ctx, args...)
}

// Env leads a program that uses docker to the node's engine.
func (n *Node) Env() []string { return n.docker.env() }

var errThisMachine = errors.New("lab: the only node is this machine, which stays up")

// Kill takes the node's power away: nothing on it is told that it ends.
func (n *Node) Kill(ctx context.Context) error {
	return n.end(ctx, "kill", "--signal", "KILL")
}

// Stop ends the node's engine in good order, and so all its tasks.
func (n *Node) Stop(ctx context.Context) error {
	return n.end(ctx, "stop", "--time", "60")
}

func (n *Node) end(ctx context.Context, how ...string) error {
	if n.outer == nil {
		return errThisMachine
	}
	n.down.Store(true)
	_, err := n.outer.run(ctx, append(how, n.box)...)
	return err
}

// Start gives the node its power back, and returns when it is in the swarm again.
// Its images, volumes and place in the swarm are as they were.
func (n *Node) Start(ctx context.Context) error {
	if n.outer == nil {
		return errThisMachine
	}
	if _, err := n.outer.run(ctx, "start", n.box); err != nil {
		return err
	}
	if err := n.await(ctx, "active"); err != nil {
		return err
	}
	n.down.Store(false)
	return nil
}

// await waits until the engine answers and is as it should be in a swarm.
func (n *Node) await(ctx context.Context, state string) error {
	ctx, cancel := context.WithTimeout(ctx, nodeStart)
	defer cancel()
	err := poll(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		got, err := n.docker.run(ctx, "info", "--format", "{{.Swarm.LocalNodeState}}")
		if err == nil && got != state {
			err = fmt.Errorf("%s is %s in the swarm, want %s", n.Name, got, state)
		}
		return err
	})
	if err != nil {
		log, _ := n.outer.run(context.WithoutCancel(ctx), "logs", "--tail", "5", n.box)
		return fmt.Errorf("%s does not start: %w\n%s", n.Name, err, log)
	}
	return nil
}
