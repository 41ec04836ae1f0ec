package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"matriq/pkg/api/restapi"
)

const importAbout = `Lists the addresses of FILE as eligible and prints what became of each row.
FILE is a CSV (one address a line, or a header with a column "email"), or JSON
as the gateway takes it: {"emails":["a@example.ac.th"]}. "-" reads a CSV from
standard input. Rows that are no address are reported and stop nothing;
importing a file twice adds nothing.`

// importList sends a file to the gateway and prints the report.
func importList(ctx context.Context, args []string, std stdio) error {
	flags := newFlags("import [flags] FILE", importAbout, std)
	to := flags.String("url", "", "`URL` of the otp-gateway, with the client's name and password (scope import); or set OTP_URL or OTP_URL_FILE, which keeps the password off the command line; that of matriq up if both are empty")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return errUsage
	}
	fallback, err := setting("OTP_URL")
	if err != nil {
		return err
	}
	gateway := cmp.Or(*to, fallback, localGateway)
	if gateway == "" {
		return errors.New("name the otp-gateway with --url URL or set OTP_URL")
	}
	list, contentType, err := openList(flags.Arg(0))
	if err != nil {
		return err
	}
	defer list.Close()
	report, err := sendList(ctx, gateway, contentType, &progress{r: list, w: std.err, every: time.Second})
	if err != nil {
		if report.Results > 0 || report.Present > 0 || len(report.Rejected) > 0 {
			fmt.Fprintln(std.err, "The import broke off; before that:")
			printReport(std.err, report)
		}
		return err
	}
	if *asJSON {
		return json.NewEncoder(std.out).Encode(report)
	}
	printReport(std.out, report)
	return nil
}

func openList(name string) (list io.ReadCloser, contentType string, err error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), "text/csv", nil
	}
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, "", err
	}
	if strings.EqualFold(filepath.Ext(name), ".json") {
		return f, "application/json", nil
	}
	return f, "text/csv", nil
}

// sendList posts list to the gateway at base.
func sendList(ctx context.Context, base, contentType string, list io.Reader) (restapi.ImportReply, error) {
	var report restapi.ImportReply
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(base, "/")+restapi.PathImport, list)
	if err != nil {
		return report, fmt.Errorf("--url: %w", withoutURL(err))
	}
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return report, fmt.Errorf("the otp-gateway does not answer (is it running, is --url right?): %w", withoutURL(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return problemOf(res)
	}
	if err := json.NewDecoder(res.Body).Decode(&report); err != nil {
		return report, fmt.Errorf("read the report: %w", err)
	}
	return report, nil
}

// withoutURL drops the URL from an error, which holds the password.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// problemOf returns what a refused import had done before, and why it was refused.
func problemOf(res *http.Response) (restapi.ImportReply, error) {
	var p restapi.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || p.Title == "" {
		return restapi.ImportReply{}, errors.New("the otp-gateway answered " + res.Status)
	}
	var report restapi.ImportReply
	if p.Report != nil {
		report = *p.Report
	}
	return report, fmt.Errorf("the otp-gateway answered %s: %s %s (%s)", res.Status, p.Title, p.Detail, p.Type)
}

func printReport(w io.Writer, r restapi.ImportReply) {
	fmt.Fprintf(w, "%d added, %d present before, %d rejected\n", r.Added, r.Present, len(r.Rejected))
	for _, bad := range r.Rejected {
		fmt.Fprintf(w, "  row %d: %q: %s\n", bad.Row, bad.Value, bad.Reason)
	}
}

// progress tells on w how much of r has been read, at most once every period.
type progress struct {
	r     io.Reader
	w     io.Writer
	every time.Duration
	read  int64
	last  time.Time
}

// Read implements io.Reader.
func (p *progress) Read(buf []byte) (int, error) {
	n, err := p.r.Read(buf)
	p.read += int64(n)
	if p.last.IsZero() {
		p.last = time.Now()
	}
	if time.Since(p.last) >= p.every {
		p.last = time.Now()
		fmt.Fprintf(p.w, "%.1f MiB sent\n", float64(p.read)/(1<<20))
	}
	return n, err
}
