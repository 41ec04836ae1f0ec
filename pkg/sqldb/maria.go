package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Limits of a pool. Sixteen is a consumer's prefetch, and lets eight processes
// live under a server's usual limit of 151 connections. Connections are closed
// long before Swarm's load balancer forgets an idle one after 900 s, and none
// grows so old that it stays with a server that was replaced.
const (
	maxConns     = 16
	connIdleTime = 5 * time.Minute
	connLifetime = 30 * time.Minute
)

// Timeouts, unless the DSN has its own. A read waits for the whole of a query,
// so it also bounds the statements of a migration.
const (
	dialTimeout  = 5 * time.Second
	readTimeout  = 30 * time.Second
	writeTimeout = 10 * time.Second
)

// session is set on every connection, unless the DSN has its own.
//
// A lock is waited for less long than a call lasts, so that the caller gets
// another attempt instead of a timeout.
var session = map[string]string{
	"sql_mode":                 "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
	"time_zone":                "'+00:00'",
	"innodb_lock_wait_timeout": "3",
}

// isolation is what [InTx] promises. Set once a connection, it costs no round trip
// in each transaction.
const isolation = "'READ-COMMITTED'"

func openMariaDB(dsn string) (*DB, error) {
	cfg, err := mariaConfig(dsn)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxIdleTime(connIdleTime)
	db.SetConnMaxLifetime(connLifetime)
	return &DB{DB: db, Dialect: MariaDB}, nil
}

// mariaConfig parses dsn and adds what every connection needs.
//
// Parameters are interpolated by the driver: one round trip for a statement
// instead of three. That is safe in utf8mb4; the driver refuses the character
// sets in which it is not.
func mariaConfig(dsn string) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("mariadb: the DSN is not of the form user:password@tcp(host:3306)/database")
	}
	if cfg.DBName == "" {
		return nil, errors.New("mariadb: the DSN names no database")
	}
	if err := cfg.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	cfg.ParseTime = true
	cfg.Loc = time.UTC
	cfg.InterpolateParams = true
	cfg.RejectReadOnly = true       // after a failover, leave the old primary
	cfg.Logger = &mysql.NopLogger{} // what it would print comes back as an error
	orElse(&cfg.Timeout, dialTimeout)
	orElse(&cfg.ReadTimeout, readTimeout)
	orElse(&cfg.WriteTimeout, writeTimeout)
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	for name, value := range session {
		if _, own := cfg.Params[name]; !own {
			cfg.Params[name] = value
		}
	}
	cfg.Params["tx_isolation"] = isolation
	return cfg, nil
}

func orElse(d *time.Duration, fallback time.Duration) {
	if *d == 0 {
		*d = fallback
	}
}

// Login returns where and as whom a DSN logs in; ok is false for one that needs
// no password: SQLite's, and a socket of this machine.
func Login(dsn string) (host, user, password string, ok bool) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil || cfg.Net != "tcp" {
		return "", "", "", false
	}
	host, _, err = net.SplitHostPort(cfg.Addr)
	return host, cfg.User, cfg.Passwd, err == nil
}
