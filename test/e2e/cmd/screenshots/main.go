// Command screenshots takes the pictures of the pages that the README shows.
//
//	go run ./test/e2e/cmd/screenshots -out docs/screenshots
//
// It starts matriq up with an empty data folder on free ports, walks through a
// registration in a browser, and writes one PNG for each page. It needs
// Chromium and a font with Thai letters: on Debian, as root, apt-get install
// chromium fonts-noto-core (or fonts-thai-tlwg). Without such a font the Thai
// letters are boxes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const about = `Takes the pictures of the pages for the README: starts matriq up, walks through a
registration in Chromium and writes one PNG for each page.

Needs chromium and a font with Thai letters; on Debian, as root:
  apt-get install chromium fonts-noto-core
(fonts-thai-tlwg has Thai letters, too). Without such a font they are boxes.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("screenshots", flag.ContinueOnError)
	out := flags.String("out", "docs/screenshots", "`FOLDER` for the pictures")
	chromium := flags.String("chromium", "chromium", "`PROGRAM` that is the browser")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), about)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "matriq-screenshots-")
	if err != nil {
		return err
	}
	return errors.Join(take(ctx, *out, *chromium, dir), os.RemoveAll(dir))
}

// take takes the pictures; dir is for whatever else is written.
func take(ctx context.Context, out, chromium, dir string) (err error) {
	if err := os.MkdirAll(out, 0o755); err != nil { //nolint:gosec // a folder of the repository
		return err
	}
	suite, err := startSuite(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, suite.stop()) }()
	w := &walk{ctx: ctx, suite: suite, chromium: chromium, save: func(name string, png []byte) error {
		return os.WriteFile(filepath.Join(out, name+".png"), png, 0o644) //nolint:gosec // to be read by everybody
	}}
	return w.all()
}
