package main

import (
	"os"

	"matriq/pkg/service"
)

// setting reads a setting as the services do. A command has none but for what
// must not be on a command line.
func setting(name string) (string, error) {
	return service.Value(os.Getenv, name) //nolint:forbidigo // see above
}
