package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// setting returns the environment's name, or what is in the file that NAME_FILE
// names, as the services do it; "" if there is neither. A command has no other
// settings than this one, for what must not be on a command line.
func setting(name string) (string, error) {
	file := os.Getenv(name + "_FILE") //nolint:forbidigo // see above
	if file == "" {
		return os.Getenv(name), nil //nolint:forbidigo // see above
	}
	text, err := os.ReadFile(filepath.Clean(file)) //nolint:gosec // G703: the operator names the file
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
