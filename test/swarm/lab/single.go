package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// madeSwarm is the label of a node whose swarm a lab has made. Whoever finds it
// may end that swarm.
const madeSwarm = "matriq.lab.swarm"

// single makes this machine's engine a swarm, or uses the one that it leads.
func (s *Swarm) single(ctx context.Context) error {
	d := s.engine.docker
	info, err := d.run(ctx, "info", "--format", "{{.Name}} {{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Nodes}}")
	if err != nil {
		return err
	}
	name, state, _ := strings.Cut(info, " ")
	s.Nodes = []*Node{{Name: name, Addr: "127.0.0.1", docker: d}}
	switch state {
	case "inactive false 0":
		s.atEnd(s.leaveSwarm)
		return s.initSwarm(ctx)
	case "active true 1":
		say("using the swarm that this machine is")
		return nil
	}
	return fmt.Errorf("this machine is in a swarm that is not the lab's to use (state, manager, nodes: %s): use another, or docker swarm leave", state)
}

func (s *Swarm) initSwarm(ctx context.Context) error {
	d := s.engine.docker
	if _, err := d.run(ctx, "swarm", "init", "--advertise-addr", "127.0.0.1"); err != nil {
		return err
	}
	id, err := d.run(ctx, "info", "--format", "{{.Swarm.NodeID}}")
	if err != nil {
		return err
	}
	_, err = d.run(ctx, "node", "update", "--label-add", madeSwarm+"=true", id)
	return err
}

// leaveSwarm ends the swarm that initSwarm has made.
func (s *Swarm) leaveSwarm(ctx context.Context) error {
	_, err := s.engine.docker.run(ctx, "swarm", "leave", "--force")
	return err
}

// leaveOldSwarm ends a swarm that an earlier lab has made and left.
func leaveOldSwarm(ctx context.Context, d docker) error {
	label, err := d.run(ctx, "node", "inspect", "--format", `{{index .Spec.Labels "`+madeSwarm+`"}}`, "self")
	if err != nil || label != "true" {
		return nil //nolint:nilerr // not a manager: no swarm of the lab
	}
	if _, err := d.run(ctx, "swarm", "leave", "--force"); err != nil {
		return errors.Join(errors.New("the swarm of an earlier run does not end"), err)
	}
	return nil
}
