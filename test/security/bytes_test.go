package security_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"matriq/test/harness"
)

// spokenTo says text to a server, then no more, and returns the statuses of all
// answers until it hangs up.
func spokenTo(t *testing.T, addr, text string) (statuses []int) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil { //nolint:errcheck,forcetypeassert // dialled as tcp
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			return statuses
		}
		statuses = append(statuses, res.StatusCode)
		if _, err := io.Copy(io.Discard, res.Body); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return statuses
		}
		_ = res.Body.Close()
	}
}

// pouredAt sends lines of a list to a server, until it answers, and returns the
// status. length is the header that tells how long the body is to be.
func pouredAt(t *testing.T, addr, path, length string) (status int) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req := request(t, http.MethodPost, "http://"+addr+path, nil, nil)
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: text/csv\r\n%s\r\n\r\n",
		path, addr, req.Header.Get("Authorization"), length)
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	go pour(conn, strings.HasPrefix(length, "Transfer"))
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s has no answer for a body without end: %v", addr, err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// pour writes empty lines until nobody takes them.
func pour(w io.Writer, chunked bool) {
	line := strings.Repeat(" ", 4<<10-1) + "\n"
	if chunked {
		line = fmt.Sprintf("%x\r\n%s\r\n", len(line), line)
	}
	for {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

// bomb is size bytes of space behind the beginning of a list, packed.
func bomb(t *testing.T, size int) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, `{"emails":[`); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, &repeating{bytes.Repeat([]byte(" "), 1<<16)}, int64(size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// logLines are all lines that a process has written.
func logLines(t *testing.T, p *harness.Process) []string {
	t.Helper()
	data, err := os.ReadFile(p.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}
