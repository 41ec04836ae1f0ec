package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// network is the bridge that the three nodes are on. Each node gives its own
// containers addresses that are neither there nor in another's.
type network struct {
	name   string
	subnet netip.Prefix
}

const networkName = "matriq-lab"

// registryPort is where the nodes find the registry.
const registryPort = "5000"

// The last bytes of the addresses on the bridge.
const (
	registryHost = 5
	firstNode    = 11
)

func (n network) addr(host byte) string {
	a := n.subnet.Addr().As4()
	a[3] = host
	return netip.AddrFrom4(a).String()
}

// three makes three nodes and their registry.
func (s *Swarm) three(ctx context.Context) error {
	if err := makeImages(ctx, s.engine.docker, machines()); err != nil {
		return err
	}
	s.atEnd(func(ctx context.Context) error { return removeThree(ctx, s.engine.docker) })
	net, err := makeNetwork(ctx, s.engine.docker)
	if err != nil {
		return err
	}
	s.prefix = net.addr(registryHost) + ":" + registryPort + "/matriq"
	if err := step("a registry with the images of others", func() error { return s.serveImages(ctx, net) }); err != nil {
		return err
	}
	return step("three nodes", func() error { return s.startNodes(ctx, net) })
}

// makeNetwork takes the first range of addresses that nothing here uses.
func makeNetwork(ctx context.Context, d docker) (network, error) {
	var errs []error
	for third := range byte(20) {
		n := network{networkName, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 30, 230 + third, 0}), 24)}
		_, err := d.run(ctx, "network", "create", "--label", threeLabel, "--subnet", n.subnet.String(), n.name)
		if err == nil {
			return n, nil
		}
		errs = append(errs, err)
	}
	return network{}, fmt.Errorf("no range of addresses for the nodes: %w", errors.Join(errs...))
}

// startNodes starts three engines and makes them the managers of a swarm.
func (s *Swarm) startNodes(ctx context.Context, net network) error {
	var all errgroup.Group
	for n := range byte(3) {
		node := &Node{
			Name: fmt.Sprintf("node%d", n+1), Addr: net.addr(firstNode + n), outer: &s.engine.docker, box: fmt.Sprintf("%s-node%d", networkName, n+1),
		}
		node.docker = s.engine.docker.at("unix://" + filepath.Join(socketDir(node), "docker.sock"))
		s.Nodes = append(s.Nodes, node)
		all.Go(func() error { return node.create(ctx, net) })
	}
	if err := all.Wait(); err != nil {
		return err
	}
	return s.join(ctx)
}

// socketDir is the folder of this machine in which a node has its socket.
func socketDir(n *Node) string { return filepath.Join(home, n.Name) }

// create starts the container of a node. It may all that --privileged allows but
// for CAP_SYS_RESOURCE, which some machines have not to give.
func (n *Node) create(ctx context.Context, net network) error {
	if err := os.MkdirAll(socketDir(n), 0o700); err != nil {
		return err
	}
	registry := net.addr(registryHost) + ":" + registryPort
	number := strings.TrimPrefix(n.Name, "node")
	_, err := n.outer.run(ctx, "run", "--detach", "--name", n.box, "--hostname", n.Name, "--label", threeLabel,
		"--network", net.name, "--ip", n.Addr,
		"--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--device-cgroup-rule", "a *:* rwm", "--cgroupns", "private",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined",
		"--tmpfs", "/run", "--volume", socketDir(n)+":/run/lab", "--mount", "type=volume,target=/var/lib/docker,volume-label="+threeLabel,
		nodeImage,
		"--bip", "172.31."+number+".1/24", "--default-address-pool", "base=172.29."+number+".0/24,size=27",
		"--insecure-registry", registry, "--registry-mirror", "http://"+registry)
	if err != nil {
		return err
	}
	return n.await(ctx, "inactive")
}

// join makes the first node a swarm of which the others are managers too.
func (s *Swarm) join(ctx context.Context) error {
	first := s.Nodes[0]
	if _, err := first.Docker(ctx, "swarm", "init", "--advertise-addr", first.Addr); err != nil {
		return err
	}
	token, err := first.Docker(ctx, "swarm", "join-token", "--quiet", "manager")
	if err != nil {
		return err
	}
	for _, node := range s.Nodes[1:] {
		if _, err := node.Docker(ctx, "swarm", "join", "--token", token, "--advertise-addr", node.Addr, first.Addr+":2377"); err != nil {
			return err
		}
	}
	_, err = first.Docker(ctx, "node", "update", "--label-add", "matriq.data=true", first.Name)
	return err
}
