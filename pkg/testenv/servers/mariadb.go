package servers

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"

	_ "github.com/go-sql-driver/mysql" // the driver of the probe
)

// MariaDB prepares a server whose user, named in the DSN, may do all. A commit
// survives a kill of the server.
func MariaDB(ctx context.Context, f *Folder) (*Instance, error) {
	server, err := findMariaDB()
	if err != nil {
		return nil, err
	}
	install, err := find("mariadb-server", "mariadb-install-db")
	if err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	dir, err := f.sub("mariadb")
	if err != nil {
		return nil, err
	}
	ports, err := claimPorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	node := mariaNode{dir: dir, port: ports.numbers[0], user: me.Username, password: rand.Text()}
	return &Instance{
		ports:   ports,
		Name:    "mariadb",
		URL:     node.dsn(),
		command: command{path: server, args: node.args(), env: node.env(), dir: dir, log: node.file("mariadb.log")},
		prepare: func(ctx context.Context) error { return node.install(ctx, install) },
		probe:   node.probe,
	}, nil
}

// findMariaDB also looks where root's PATH alone leads.
func findMariaDB() (string, error) {
	return find("mariadb-server", "mariadbd", "/usr/sbin/mariadbd")
}

type mariaNode struct {
	dir            string
	port           int
	user, password string
}

func (n mariaNode) file(name string) string { return filepath.Join(n.dir, name) }

func (n mariaNode) dsn() string {
	return fmt.Sprintf("matriq:%s@tcp(%s)/", n.password, loopback(n.port))
}

func (n mariaNode) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.dir, "LANG=C.UTF-8"}
}

func (n mariaNode) args() []string {
	return []string{
		"--no-defaults",
		"--user=" + n.user, // it refuses to be root unless told so
		"--datadir=" + n.file("data"),
		"--tmpdir=" + n.dir, // at its start a server clears the folder of temporary tables, whosoever
		"--socket=" + n.file("sock"),
		"--pid-file=" + n.file("pid"),
		"--bind-address=127.0.0.1",
		"--port=" + strconv.Itoa(n.port),
		"--init-file=" + n.file("init.sql"),
		"--skip-name-resolve",
		"--max-connections=500",
		"--innodb-buffer-pool-size=64M",
		// The log reaches the kernel at each commit and the disk when it likes.
		"--innodb-flush-log-at-trx-commit=2",
		"--innodb-doublewrite=0",
		"--skip-log-bin",
	}
}

// install makes the system tables and the script that makes the user.
func (n mariaNode) install(ctx context.Context, path string) error {
	script := fmt.Sprintf(`CREATE USER IF NOT EXISTS 'matriq'@'127.0.0.1' IDENTIFIED BY '%s';
GRANT ALL ON *.* TO 'matriq'@'127.0.0.1' WITH GRANT OPTION;
`, n.password)
	if err := os.WriteFile(n.file("init.sql"), []byte(script), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, //nolint:gosec // G204: MariaDB's own program
		"--no-defaults", "--user="+n.user, "--datadir="+n.file("data"), "--tmpdir="+n.dir,
		"--auth-root-authentication-method=socket", "--skip-test-db", "--skip-name-resolve",
		"--innodb-buffer-pool-size=64M")
	cmd.Env, cmd.Dir = n.env(), n.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return nil
}

func (n mariaNode) probe(ctx context.Context) error {
	db, err := sql.Open("mysql", n.dsn())
	if err != nil {
		return err
	}
	defer db.Close() // it was only asked whether it is there
	return db.PingContext(ctx)
}
