// Command report makes one HTML page of the bench's results.
//
//	go run ./bench/cmd/report [FOLDER] > report.html
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"matriq/bench/report"
	"matriq/bench/rows"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	folder := filepath.Join("bench", "results")
	if len(args) > 0 {
		folder = args[0]
	}
	var names []string
	for _, r := range rows.All() {
		names = append(names, r.Name)
	}
	reports, err := report.Read(folder, names)
	if err != nil {
		return err
	}
	return report.Write(out, reports)
}
