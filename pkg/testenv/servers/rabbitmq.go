package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitConfig keeps the node small, on loopback, and without a watch on a disk
// that a test machine shares with a build.
const rabbitConfig = `listeners.tcp.1 = 127.0.0.1:%[1]d
management.tcp.ip = 127.0.0.1
management.tcp.port = %[2]d
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = %[3]d
default_user = matriq
default_pass = %[4]s
loopback_users = none
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 1MB
raft.wal_max_size_bytes = 16777216
log.console = true
log.console.level = warning
log.file = false
`

// RabbitMQ prepares a broker with the management plugin, by whose API virtual
// hosts come and go in milliseconds, and the one for Prometheus. Its user, named
// in the URLs, may do all.
func RabbitMQ(ctx context.Context, f *Folder) (*Instance, error) {
	server, err := findRabbitMQ()
	if err != nil {
		return nil, err
	}
	epmd, err := find("rabbitmq-server", "epmd")
	if err != nil {
		return nil, err
	}
	dir, err := f.sub("rabbitmq")
	if err != nil {
		return nil, err
	}
	ports, err := claimPorts(ctx, 5)
	if err != nil {
		return nil, err
	}
	numbers := ports.numbers
	node := rabbitNode{
		dir: dir, password: rand.Text(),
		amqp: numbers[0], api: numbers[1], dist: numbers[2], epmd: numbers[3], metrics: numbers[4],
	}
	if err := node.configure(); err != nil {
		return nil, err
	}
	return &Instance{
		ports:     ports,
		Name:      "rabbitmq",
		URL:       fmt.Sprintf("amqp://matriq:%s@%s/", node.password, loopback(node.amqp)),
		API:       fmt.Sprintf("http://matriq:%s@%s", node.password, loopback(node.api)),
		command:   command{path: server, env: node.env(), dir: dir, log: node.file("rabbitmq.log")},
		companion: node.portMapper(epmd),
		probe:     node.probe,
		control:   node.control,
	}, nil
}

// findRabbitMQ looks first where Debian has the script itself: its wrapper on the
// PATH changes the user and the folder.
func findRabbitMQ() (string, error) {
	return find("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
}

type rabbitNode struct {
	dir                            string
	amqp, api, dist, epmd, metrics int
	password                       string
}

func (n rabbitNode) file(name string) string { return filepath.Join(n.dir, name) }

func (n rabbitNode) configure() error {
	for name, text := range map[string]string{
		"rabbitmq.conf":   fmt.Sprintf(rabbitConfig, n.amqp, n.api, n.metrics, n.password),
		"enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
		".erlang.cookie":  rand.Text(),
	} {
		if err := os.WriteFile(n.file(name), []byte(text), 0o400); err != nil {
			return err
		}
	}
	return nil
}

// env keeps the node away from everything of the machine: its files, the names
// and ports of other nodes, and the user's home.
func (n rabbitNode) env() []string {
	return append(n.erlangEnv(),
		// The start script then becomes the broker instead of its parent, and
		// what we signal, and the kernel kills, is the broker itself.
		"detached=1",
		fmt.Sprintf("RABBITMQ_NODENAME=matriq%d@localhost", n.amqp),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(n.dist),
		"RABBITMQ_CONF_ENV_FILE="+n.file("no-such-file"),
		"RABBITMQ_CONFIG_FILE="+n.file("rabbitmq"),
		"RABBITMQ_CONFIG_FILES="+n.file("no-such-folder"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+n.file("no-such-file"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+n.file("enabled_plugins"),
		"RABBITMQ_MNESIA_BASE="+n.file("mnesia"),
		"RABBITMQ_LOG_BASE="+n.dir,
		"RABBITMQ_PID_FILE="+n.file("pid"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
	)
}

func (n rabbitNode) erlangEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + n.dir,
		"LANG=C.UTF-8",
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT=" + strconv.Itoa(n.epmd),
	}
}

// portMapper is Erlang's epmd in the foreground: started by Erlang it would be a
// daemon that outlives everybody.
func (n rabbitNode) portMapper(path string) *command {
	return &command{
		path: path, args: []string{"-address", "127.0.0.1", "-port", strconv.Itoa(n.epmd)},
		env: n.erlangEnv(), dir: n.dir, log: n.file("epmd.log"),
	}
}

// control runs rabbitmqctl on the node and returns what it says.
func (n rabbitNode) control(ctx context.Context, args ...string) (string, error) {
	path, err := find("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmqctl", "rabbitmqctl")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--quiet"}, args...)...) //nolint:gosec // the server's own tool, asked by a test
	cmd.Env = n.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmqctl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (n rabbitNode) probe(ctx context.Context) error {
	if err := n.probeAMQP(); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loopback(n.api)+"/api/vhosts", nil)
	if err != nil {
		return err
	}
	request.SetBasicAuth("matriq", n.password)
	return expect(request, nil, http.StatusOK)
}

func (n rabbitNode) probeAMQP() error {
	url := fmt.Sprintf("amqp://matriq:%s@%s/", n.password, loopback(n.amqp))
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(time.Second)})
	if err != nil {
		return err
	}
	return conn.Close()
}
