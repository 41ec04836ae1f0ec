package testenv

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MariaDB returns the DSN of an empty schema that the test has for itself. It is
// dropped when the test ends.
func MariaDB(tb testing.TB) string {
	tb.Helper()
	wanted(tb)
	dsn := os.Getenv(VarMySQL)
	if dsn == "" {
		instance, err := sharedMaria()
		if err != nil {
			unavailable(tb, err)
		}
		dsn = instance.URL
	}
	return schema(tb, dsn)
}

func schema(tb testing.TB, dsn string) string {
	tb.Helper()
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		tb.Fatalf("%s is malformed: %v", VarMySQL, err)
	}
	config.DBName = ""
	server := config.FormatDSN()
	name := "test_" + strings.ToLower(rand.Text()[:10])
	if err := execute(tb.Context(), server, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4"); err != nil {
		tb.Fatalf("create schema: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		if err := execute(ctx, server, "DROP DATABASE "+name); err != nil {
			tb.Errorf("drop schema: %v", err)
		}
	})
	config.DBName = name
	return config.FormatDSN()
}

func execute(ctx context.Context, dsn, statement string) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close() // the statement has had its answer
	_, err = db.ExecContext(ctx, statement)
	return err
}
