package main

import (
	"context"
	"errors"

	"matriq/pkg/service"
)

func version(ctx context.Context, args []string, std stdio) error {
	if err := parse(newFlags("version", "Prints the version of this build, and of the Go that built it.", std), args); err != nil {
		return err
	}
	program := service.Program{Name: "matriq"}
	if program.Execute(ctx, []string{"version"}, nil, std.out, std.err) != 0 {
		return errors.New("could not print")
	}
	return nil
}
