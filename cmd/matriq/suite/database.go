package suite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // the driver of the embedded databases
)

// unknownDatabase is MariaDB's number for a database that is not there.
const unknownDatabase = 1049

// createDatabase makes the database of a MariaDB DSN if it is missing. SQLite
// makes its own.
func createDatabase(ctx context.Context, dsn string) error {
	if strings.HasPrefix(dsn, "sqlite:") {
		return nil
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return fmt.Errorf("--mysql: %w", err)
	}
	name := cfg.DBName
	err = exec(ctx, cfg, "DO 0")
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok && e.Number == unknownDatabase {
		cfg.DBName = ""
		err = exec(ctx, cfg, "CREATE DATABASE IF NOT EXISTS `"+strings.ReplaceAll(name, "`", "``")+"`")
	}
	if err != nil {
		return fmt.Errorf("--mysql: database %s: %w", name, err)
	}
	return nil
}

// makePrivate makes an empty file that its owner alone may read, if it is missing:
// SQLite would let everybody.
func makePrivate(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the data folder is the caller's
	if err != nil {
		return err
	}
	return f.Close()
}

// exec runs one statement on a connection of its own.
func exec(ctx context.Context, cfg *mysql.Config, statement string) error {
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
