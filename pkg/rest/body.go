package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// bodyPatience is how long a small body may take.
	bodyPatience = 5 * time.Second
	// uploadPatience is how long each piece of an upload may take, and how long
	// the answer to one.
	uploadPatience = 30 * time.Second
)

// mediaType returns the body's type, one of allowed. Bodies come uncompressed
// and in UTF-8.
func mediaType(r *http.Request, allowed ...string) (string, error) {
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return "", Refuse(UnsupportedMediaType, "Send the body without Content-Encoding.")
		}
	}
	given, params, err := mime.ParseMediaType(strings.Join(r.Header.Values("Content-Type"), ","))
	if err != nil || !slices.Contains(allowed, given) {
		return "", Refuse(UnsupportedMediaType, "Send the body as %s.", strings.Join(allowed, " or "))
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", Refuse(UnsupportedMediaType, "Send the body in UTF-8.")
	}
	return given, nil
}

// readJSON reads a JSON body of at most limit bytes into a flat struct.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	if _, err := mediaType(r, "application/json"); err != nil {
		return err
	}
	if r.ContentLength > limit {
		return tooLargeError(limit)
	}
	conn := http.NewResponseController(w)
	if err := patience(conn.SetReadDeadline, bodyPatience); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return asReadError(err, limit)
	}
	// The server reads on to notice a client that goes away; a deadline left
	// behind would look like one.
	if err := patience(conn.SetReadDeadline, 0); err != nil {
		return err
	}
	return decode(body, into)
}

// patience sets a deadline in d from now, or none for 0, where the connection
// has deadlines.
func patience(set func(time.Time) error, d time.Duration) error {
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	if err := set(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// upload is a body that may take long as a whole, but not between two pieces.
type upload struct {
	body  io.ReadCloser
	conn  *http.ResponseController
	limit int64
}

// Read returns an [*Error] where the body is too large, too slow or broken off.
func (u *upload) Read(p []byte) (int, error) {
	if err := patience(u.conn.SetReadDeadline, uploadPatience); err != nil {
		return 0, err
	}
	n, err := u.body.Read(p)
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) {
		return n, asReadError(err, u.limit)
	}
	if err := patience(u.conn.SetReadDeadline, 0); err != nil {
		return n, err
	}
	return n, io.EOF
}

// Close closes the body.
func (u *upload) Close() error { return u.body.Close() }
